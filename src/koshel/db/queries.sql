-- Every statement that Koshel sends. Each filters on ledger_id, or says why it reads all ledgers.

-- name: lock_accounts
-- The one lock statement of a batch. Ids never change and are unique over all ledgers, so ascending
-- id is one total order and two batches cannot deadlock. NO KEY: nothing but a batch waits for it.
-- $2 is no text, as arrays are elsewhere: each row that was waited for is asked again whether it is in it.
-- Flat arrays rather than a join, which takes a fifth longer, and which Citus refuses in a locking statement. So it is for
-- ids that are all asked for in one ledger, or are known to be each of the ledger that it is asked for in: else see below.
-- $3 is the highest id asked for: the clock is read once, with the last row, when all the others are
-- locked; and again if that row changes while it is waited for, so that times along an account never
-- go back. Once for each row took a tenth of a transfer.
-- Zeros, which are nearly all there are of `held` and `min_balance`, come as null: a sixth of what reading a row takes.
-- $4: how long to wait for a lock, in milliseconds, in the rest of the transaction; null: as long as the session does.
-- It is a condition of the whole statement, and so set before the first lock.
SELECT ledger_id, id, currency, scale, balance, nullif(held, 0) AS held, version, revision,
    nullif(min_balance, 0) AS min_balance, max_balance, status, name,
    CASE WHEN id = $3::bigint THEN clock_timestamp() END AS now, limits::text
FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::bigint [])
    AND (SELECT CASE WHEN $4::text IS NULL THEN true ELSE set_config('lock_timeout', $4::text, true) <> '' END)
ORDER BY id
FOR NO KEY UPDATE;

-- name: lock_accounts_of_ledgers
-- As lock_accounts, for a batch of several ledgers in which an id may be another ledger's account: each is asked for in the
-- ledger of the command that names it, so that nobody locks another ledger's row, or waits for it. Each pair carries its
-- ledger_id in $1; arrays come as text. Citus refuses it, and is not sent it: there each batch is of one ledger.
SELECT a.ledger_id, a.id, a.currency, a.scale, a.balance, nullif(a.held, 0) AS held, a.version, a.revision,
    nullif(a.min_balance, 0) AS min_balance, a.max_balance, a.status, a.name,
    CASE WHEN a.id = $3::bigint THEN clock_timestamp() END AS now, a.limits::text
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id
WHERE (SELECT CASE WHEN $4::text IS NULL THEN true ELSE set_config('lock_timeout', $4::text, true) <> '' END)
ORDER BY a.id
FOR NO KEY UPDATE OF a;

-- name: read_accounts
-- As lock_accounts, for who only wants to know what would happen.
SELECT ledger_id, id, currency, scale, balance, nullif(held, 0) AS held, version, revision,
    nullif(min_balance, 0) AS min_balance, max_balance, status, name,
    CASE WHEN id = $3::bigint THEN clock_timestamp() END AS now, limits::text
FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::bigint [])
ORDER BY id;

-- name: lock_free_accounts
-- As lock_accounts, without those that another transaction has locked: it waits for nobody,
-- and $2 is text. $4 is for what the batch may have to wait for later: a key.
SELECT ledger_id, id, currency, scale, balance, nullif(held, 0) AS held, version, revision,
    nullif(min_balance, 0) AS min_balance, max_balance, status, name,
    CASE WHEN id = $3::bigint THEN clock_timestamp() END AS now, limits::text
FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::text::bigint [])
    AND (SELECT CASE WHEN $4::text IS NULL THEN true ELSE set_config('lock_timeout', $4::text, true) <> '' END)
ORDER BY id
FOR NO KEY UPDATE SKIP LOCKED;

-- name: lock_free_accounts_of_ledgers
-- As lock_free_accounts, for a batch of several ledgers, in the way of lock_accounts_of_ledgers.
-- Each pair carries its ledger_id in $1.
SELECT a.ledger_id, a.id, a.currency, a.scale, a.balance, nullif(a.held, 0) AS held, a.version, a.revision,
    nullif(a.min_balance, 0) AS min_balance, a.max_balance, a.status, a.name,
    CASE WHEN a.id = $3::bigint THEN clock_timestamp() END AS now, a.limits::text
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id
WHERE (SELECT CASE WHEN $4::text IS NULL THEN true ELSE set_config('lock_timeout', $4::text, true) <> '' END)
ORDER BY a.id
FOR NO KEY UPDATE OF a SKIP LOCKED;

-- name: find_accounts
-- Of ids that lock_free_accounts has not found: those that are accounts, and so are locked.
SELECT id, ledger_id FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::bigint []);

-- name: find_names
-- The accounts that are asked for by name: before the locks, as a name never changes. An index probe each, as in
-- find_receipts. Each pair carries its ledger_id in $1.
SELECT a.ledger_id, a.name, a.id
FROM unnest($1::text::bigint [], $2::text::text []) AS wanted (ledger_id, name)
INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.name = wanted.name;

-- name: find_held
-- Accounts that a transaction has locked which is no batch's. A row says which transaction has locked it last (`xmax`),
-- also when that has ended; `pg_locks` has those that have not. A batch is known by the name of its connection, which is
-- this one's too; that of another role is not to be seen. Without a lock.
-- A savepoint that was released is not in `pg_locks`, but its number is in progress as long as its transaction is. It
-- has 32 bits; meant is the highest one up to our own, or to the last that has ended. (What several share has another number, and is not found.)
WITH running AS MATERIALIZED (
    SELECT held.transactionid::text AS id, holder.application_name
    FROM pg_locks AS held INNER JOIN pg_stat_activity AS holder ON holder.pid = held.pid
    WHERE held.locktype = 'transactionid' AND held.granted
), latest AS MATERIALIZED (
    SELECT coalesce(
        pg_current_xact_id_if_assigned()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1
    ) AS id
)
SELECT ledger_id, id FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::bigint []) AND xmax <> '0'::xid AND CASE
    WHEN xmax::text = ANY(ARRAY(SELECT running.id FROM running))
        THEN xmax::text = ANY(ARRAY(
            SELECT running.id FROM running
            WHERE running.application_name IS DISTINCT FROM current_setting('application_name')
        ))
    ELSE pg_xact_status(greatest(
        (SELECT latest.id FROM latest) - (((SELECT latest.id FROM latest) - xmax::text::bigint) & 4294967295), 0
    )::text::xid8) = 'in progress'
END;

-- name: read_clock
-- For a batch that locks no account, or not the last one it asked for. Reads no table, so no ledger.
SELECT clock_timestamp();

-- name: find_originals
-- What commands refer to: rows that never change, so they are read before the locks, to know what to lock.
-- Each pair carries its ledger_id in $1. Each look-up is an index probe, also where the planner has seen the tables
-- while they were empty: the session has no other way to join (see `pools.py`), and MATERIALIZED keeps it from beginning
-- with all accounts of a ledger.
WITH t AS MATERIALIZED (
    SELECT t.id, t.ledger_id, t.kind, t.source_account_id, t.target_account_id, t.amount, t.expires_at, t.reference
    FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
    INNER JOIN transaction AS t ON t.ledger_id = wanted.ledger_id AND t.id = wanted.id
)
SELECT t.id, t.ledger_id, t.kind, t.source_account_id, t.target_account_id, t.amount, a.currency, t.expires_at,
    t.reference
FROM t
INNER JOIN account AS a
    ON a.ledger_id = t.ledger_id AND a.id = coalesce(t.source_account_id, t.target_account_id);

-- name: find_members
-- What the receipt of a group names, to answer as it did. JSON comes as text everywhere, since whose connection
-- this is may have a codec of its own for it. Each pair carries its ledger_id in $1.
SELECT t.ledger_id, t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
    t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
    t.idempotency_key, t.metadata::text, t.reference, t.description, t.effective_on,
    t.expires_at, t.capture_at, t.ctime,
    coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN transaction AS t ON t.ledger_id = wanted.ledger_id AND t.id = wanted.id
LEFT JOIN account AS s ON s.ledger_id = t.ledger_id AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = t.ledger_id AND d.id = t.target_account_id;

-- name: find_pending
-- Of what is no transaction: what was queued to become one. Each pair carries its ledger_id in $1.
SELECT q.ledger_id, q.id, q.promise ->> 'kind' AS kind, 'queued' AS status
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN queued AS q ON q.ledger_id = wanted.ledger_id AND q.id = wanted.id
UNION ALL
SELECT d.ledger_id, d.id, d.promise ->> 'kind', 'declined'
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN declined AS d ON d.ledger_id = wanted.ledger_id AND d.id = wanted.id
UNION ALL
SELECT c.ledger_id, c.id, c.promise ->> 'kind', 'cancelled'
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN cancelled AS c ON c.ledger_id = wanted.ledger_id AND c.id = wanted.id;

-- name: find_holds
-- What holds still reserve, or what has ended them: read after their accounts are locked, so nobody changes it.
-- The last that happened is the one with the highest version. One id may be asked for in two ledgers. What follows is
-- looked for in every partition: what was queued before its hold was placed has the lower id. That its parent is one of $2
-- is said twice, so that no plan reads an index from end to end. Each pair carries its ledger_id in $1.
SELECT wanted.id, hold.amount, (array_agg(t.kind ORDER BY t.source_version DESC))[1] AS ended_by
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
LEFT JOIN hold ON hold.ledger_id = wanted.ledger_id AND hold.id = wanted.id
LEFT JOIN transaction AS t ON t.ledger_id = wanted.ledger_id AND t.parent_id = wanted.id
    AND t.parent_id = ANY($2::text::bigint []) AND hold.id IS NULL
GROUP BY wanted.ledger_id, wanted.id, hold.amount;

-- name: find_refunded
-- The sum of refunds so far: read after the original's accounts are locked, as every refund of it locks them.
-- Each pair carries its ledger_id in $1.
SELECT wanted.id, coalesce(sum(t.amount), 0) AS refunded
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
LEFT JOIN transaction AS t ON t.ledger_id = wanted.ledger_id AND t.parent_id = wanted.id AND t.kind = 'refund'
GROUP BY wanted.id;

-- name: find_notes
-- The latest notes on transactions whose notes are to be changed, if they were changed before: read after the accounts
-- of the transactions are locked, as every change locks them. Each pair carries its ledger_id in $1.
SELECT DISTINCT ON (c.transaction_id) c.transaction_id, c.revision, c.metadata::text, c.description
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN transaction_change AS c ON c.ledger_id = wanted.ledger_id AND c.transaction_id = wanted.id
ORDER BY c.transaction_id, c.revision DESC;

-- name: find_details
-- The rest of the accounts that are to be changed, and of those that have a name which an account is to be opened with.
-- Their rows are locked. Each pair carries its ledger_id in $1.
SELECT a.ledger_id, a.id, a.currency, a.scale, a.balance, a.held, a.version, a.revision, a.min_balance,
    a.max_balance, a.status, a.name, a.email, a.metadata::text, a.ctime, a.limits::text
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id;

-- name: find_turnovers
-- Of the accounts that have limits by time: read after the accounts are locked, so nobody changes them.
SELECT account_id, limits_version, windows::text FROM turnover
WHERE ledger_id = ANY($1::bigint []) AND account_id = ANY($2::bigint []);

-- name: find_history
-- What has gone out of accounts that are given limits by time, and come in, by the minute: each is locked. Of each the
-- last $3 transactions, found by their versions, so that a long history does not keep the lock for long.
-- Each pair carries its ledger_id in $1.
SELECT t.account_id, t.minute, sum(t.paid_out) AS paid_out, sum(t.paid_in) AS paid_in
FROM (
    SELECT a.id AS account_id, floor(extract(epoch FROM s.ctime) / 60)::bigint AS minute,
        s.amount AS paid_out, 0 AS paid_in
    FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
    INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id
    INNER JOIN transaction AS s
        ON s.ledger_id = a.ledger_id AND s.source_account_id = a.id AND s.source_version > a.version - $3::bigint
    WHERE s.kind = ANY('{withdrawal,transfer,capture,refund}')
    UNION ALL
    SELECT a.id, floor(extract(epoch FROM d.ctime) / 60)::bigint, 0, d.amount
    FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
    INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id
    INNER JOIN transaction AS d
        ON d.ledger_id = a.ledger_id AND d.target_account_id = a.id AND d.target_version > a.version - $3::bigint
) AS t
GROUP BY t.account_id, t.minute
ORDER BY t.account_id, t.minute;

-- name: find_shown
-- Of accounts that a queued transaction names what never changes: to show, so without a lock.
-- Each pair carries its ledger_id in $1.
SELECT a.id, a.ledger_id, a.currency, a.scale, a.name
FROM unnest($1::text::bigint [], $2::text::bigint []) AS wanted (ledger_id, id)
INNER JOIN account AS a ON a.ledger_id = wanted.ledger_id AND a.id = wanted.id;

-- name: find_receipts
-- Read after the locks, at READ COMMITTED: the twin of a command waited on the same rows, and now
-- sees what the first one left. One index probe a key, as in find_originals; the rest is read for keys that are known.
-- Arrays come as text, as in `post`. An account that 0.1 has opened does not say its revision: it was 0.
SELECT r.ledger_id AS receipt_ledger_id, r.idempotency_key AS receipt_key,
    jsonb_set(r.answer, '{account,revision}', coalesce(r.answer #> '{account,revision}', '0'))::text AS answer,
    r.request::text,
    t.ledger_id, t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
    t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
    t.idempotency_key, t.metadata::text, t.reference, t.description, t.effective_on,
    t.expires_at, t.capture_at, t.ctime,
    coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
FROM unnest($1::text::bigint [], $2::text::text []) AS wanted (ledger_id, idempotency_key)
INNER JOIN receipt AS r ON r.ledger_id = wanted.ledger_id AND r.idempotency_key = wanted.idempotency_key
LEFT JOIN transaction AS t ON t.ledger_id = r.ledger_id AND t.id = r.transaction_id AND r.answer IS NULL
LEFT JOIN account AS s ON s.ledger_id = t.ledger_id AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = t.ledger_id AND d.id = t.target_account_id;

-- name: find_scales
-- Registered currencies are few and belong to all ledgers.
SELECT code, scale FROM currency WHERE code = ANY($1::text []);

-- name: post
-- One statement writes all that a batch posts: ids in the commands' order, both sides' last balance,
-- the transactions, their receipts, and one batch row a ledger ($29 is the batch, $28 the time), which
-- says the ids: a row for each of them would take longer. It also says how many splits and exchanges it has, if any: the
-- first transaction of each counts 1.
-- MATERIALIZED, since nextval must be asked once a row. The rows it updates are locked already.
-- Arrays come as text, '{1,2}': the driver's own encoder asks each element for its class.
-- Each row carries its ledger_id in $1. The arrays are those of the columns, in the order of tables.py, and then what
-- follows from them: whether a row is the last to touch its source and its target, and so what they are left with (who
-- has nothing held has a zero of as many decimals), and what a receipt says besides. An array that would be all null,
-- as most are of plain transfers, comes empty, and unnest fills it up.
-- A transaction that has its id already, as one that was queued, has its receipt too. `rest` is what a hold
-- reserves from now on, once for each hold; nothing: it has ended.
WITH posting AS MATERIALIZED (
    SELECT coalesce(given_id, nextval('transaction_id')) AS id, p.*
    FROM unnest(
        $1::text::bigint [], $2::text::bigint [], $3::text::text [],
        $4::text::bigint [], $5::text::numeric [], $6::text::numeric [], $7::text::bigint [],
        $8::text::bigint [], $9::text::numeric [], $10::text::numeric [], $11::text::bigint [],
        $12::text::numeric [], $13::text::bigint [], $14::text::bigint [], $15::text::text [], $16::text::jsonb [],
        $17::text::text [], $18::text::text [], $19::text::date [],
        $20::text::timestamptz [], $21::text::timestamptz [], $22::text::boolean [], $23::text::boolean [],
        $24::text::bigint [], $25::text::bigint [], $26::text::jsonb [], $27::text::numeric []
    ) WITH ORDINALITY AS p (
        ledger_id, given_id, kind,
        source_account_id, source_balance, source_held, source_version,
        target_account_id, target_balance, target_held, target_version,
        amount, parent_id, group_id, idempotency_key, metadata, reference, description, effective_on,
        expires_at, capture_at, is_sources_last, is_targets_last, splits, exchanges,
        request, rest, place
    )
), moved AS (
    UPDATE account SET balance = m.balance, version = m.version, held = coalesce(m.held, account.held * 0)
    FROM (
        SELECT ledger_id, source_account_id AS id, source_balance AS balance, source_version AS version,
            source_held AS held
        FROM posting WHERE is_sources_last
        UNION ALL
        SELECT ledger_id, target_account_id, target_balance, target_version, target_held
        FROM posting WHERE is_targets_last
    ) AS m
    WHERE account.ledger_id = m.ledger_id AND account.id = m.id
), posted AS (
    INSERT INTO transaction (
        ledger_id, id, kind, source_account_id, source_balance, source_held, source_version,
        target_account_id, target_balance, target_held, target_version, amount, parent_id, group_id,
        idempotency_key, metadata, reference, description, effective_on, expires_at, capture_at, ctime
    )
    SELECT ledger_id, id, kind, source_account_id, source_balance, source_held, source_version,
        target_account_id, target_balance, target_held, target_version, amount, parent_id, group_id,
        idempotency_key, coalesce(metadata, '{}'), reference, description, effective_on, expires_at,
        capture_at, $28::timestamptz
    FROM posting
), receipted AS (
    INSERT INTO receipt (ledger_id, idempotency_key, transaction_id, request)
    SELECT ledger_id, idempotency_key, id, request FROM posting
    WHERE idempotency_key IS NOT NULL AND given_id IS NULL
    ORDER BY ledger_id, idempotency_key
), ended AS (
    DELETE FROM hold USING posting
    WHERE hold.ledger_id = posting.ledger_id AND hold.id = posting.parent_id AND posting.rest = 0
), reserved AS (
    INSERT INTO hold (ledger_id, id, amount, expires_at, capture_at)
    -- Of a hold that has a row already, the times are not written.
    SELECT ledger_id, coalesce(parent_id, id), rest, coalesce(expires_at, '-infinity'), capture_at
    FROM posting WHERE rest > 0
    ON CONFLICT (ledger_id, id) DO UPDATE SET amount = excluded.amount
), batched AS (
    INSERT INTO batch (ledger_id, id, transaction_ids, rules, splits, exchanges)
    SELECT ledger_id, $29::uuid, array_agg(id ORDER BY place), 2, sum(splits)::bigint, sum(exchanges)::bigint
    FROM posting GROUP BY ledger_id
    RETURNING ledger_id, transaction_ids
)
SELECT ledger_id, transaction_ids FROM batched;

-- name: post_plain
-- As `post`, of transactions that have nothing but what every one has, and a group or an id that was given: plain moves,
-- without a key, metadata or anything held. Most batches are of these alone, and the rest of `post` would take time
-- even where it has nothing to do.
WITH posting AS MATERIALIZED (
    SELECT coalesce(given_id, nextval('transaction_id')) AS id, p.*
    FROM unnest(
        $1::text::bigint [], $2::text::bigint [], $3::text::text [],
        $4::text::bigint [], $5::text::numeric [], $6::text::bigint [],
        $7::text::bigint [], $8::text::numeric [], $9::text::bigint [],
        $10::text::numeric [], $11::text::bigint [], $12::text::boolean [], $13::text::boolean [],
        $14::text::bigint [], $15::text::bigint []
    ) WITH ORDINALITY AS p (
        ledger_id, given_id, kind,
        source_account_id, source_balance, source_version,
        target_account_id, target_balance, target_version,
        amount, group_id, is_sources_last, is_targets_last, splits, exchanges, place
    )
), moved AS (
    UPDATE account SET balance = m.balance, version = m.version
    FROM (
        SELECT ledger_id, source_account_id AS id, source_balance AS balance, source_version AS version
        FROM posting WHERE is_sources_last
        UNION ALL
        SELECT ledger_id, target_account_id, target_balance, target_version
        FROM posting WHERE is_targets_last
    ) AS m
    WHERE account.ledger_id = m.ledger_id AND account.id = m.id
), posted AS (
    INSERT INTO transaction (
        ledger_id, id, kind, source_account_id, source_balance, source_version,
        target_account_id, target_balance, target_version, amount, group_id, metadata, ctime
    )
    SELECT ledger_id, id, kind, source_account_id, source_balance, source_version,
        target_account_id, target_balance, target_version, amount, group_id, '{}', $16::timestamptz
    FROM posting
), batched AS (
    INSERT INTO batch (ledger_id, id, transaction_ids, rules, splits, exchanges)
    SELECT ledger_id, $17::uuid, array_agg(id ORDER BY place), 2, sum(splits)::bigint, sum(exchanges)::bigint
    FROM posting GROUP BY ledger_id
    RETURNING ledger_id, transaction_ids
)
SELECT ledger_id, transaction_ids FROM batched;

-- name: move_accounts
-- What all parts of a batch have left the accounts with. They are locked. Each row carries its ledger_id in $1.
UPDATE account SET balance = m.balance, held = m.held, version = m.version
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::numeric [], $4::text::numeric [], $5::text::bigint []
) AS m (ledger_id, id, balance, held, version)
WHERE account.ledger_id = m.ledger_id AND account.id = m.id;

-- name: take_group_ids
-- A sequence has no ledger.
SELECT nextval('group_id') AS id FROM generate_series(1, $1::integer);

-- name: take_transaction_ids
-- For transactions that are queued: what is answered says the id. A sequence has no ledger.
SELECT nextval('transaction_id') AS id FROM generate_series(1, $1::integer);

-- name: enqueue
-- Queued transactions, due at once or at a time of their own. Each row carries its ledger_id in $1.
INSERT INTO queued (ledger_id, id, promise, due, execute_at, ctime)
SELECT ledger_id, id, promise, due, execute_at, $6::timestamptz
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::jsonb [], $4::text::timestamptz [], $5::text::timestamptz []
) AS q (ledger_id, id, promise, due, execute_at);

-- name: settle_queued
-- Of queued transactions that are decided, the row goes; of those declined, the answer is kept for ever.
-- Each row carries its ledger_id in $1.
WITH settled AS (
    DELETE FROM queued
    USING unnest($1::text::bigint [], $2::text::bigint [], $3::text::jsonb []) AS s (ledger_id, id, answer)
    WHERE queued.ledger_id = s.ledger_id AND queued.id = s.id
    RETURNING queued.ledger_id, queued.id, queued.promise, s.answer
)
INSERT INTO declined (ledger_id, id, promise, answer, ctime)
SELECT ledger_id, id, promise, answer, statement_timestamp() FROM settled WHERE answer IS NOT NULL;

-- name: postpone_captures
-- Of holds whose capture by the background was refused: not again for $3 seconds. Their accounts are locked, so nobody
-- else writes them; of one that has ended there is no row. Each row carries its ledger_id in $1.
UPDATE hold SET capture_at = statement_timestamp() + make_interval(secs => $3::float8)
FROM unnest($1::text::bigint [], $2::text::bigint []) AS refused (ledger_id, id)
WHERE hold.ledger_id = refused.ledger_id AND hold.id = refused.id;

-- name: cancel_queued
-- What is queued goes, and is kept as cancelled. Whoever is deciding it has locked the row: then this waits, and finds
-- it gone, unless that was rolled back. Nothing returned: it is not queued.
WITH taken AS (
    DELETE FROM queued WHERE queued.ledger_id = $1 AND queued.id = $2
    RETURNING queued.ledger_id, queued.id, queued.promise
)
INSERT INTO cancelled (ledger_id, id, promise, request_id, ctime)
SELECT taken.ledger_id, taken.id, taken.promise, $3, statement_timestamp() FROM taken
RETURNING id;

-- name: change_accounts
-- All of an account at once, as the whole batch leaves it: its CHECKs see no state in between.
-- Each row carries its ledger_id in $1.
UPDATE account SET email = c.email, balance = c.balance, held = c.held, version = c.version, revision = c.revision,
    min_balance = c.min_balance, max_balance = c.max_balance, status = c.status, metadata = c.metadata,
    limits = c.limits
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::text [], $4::text::numeric [], $5::text::numeric [],
    $6::text::bigint [], $7::text::bigint [], $8::text::numeric [], $9::text::numeric [], $10::text::text [],
    $11::text::jsonb [], $12::text::jsonb []
) AS c (ledger_id, id, email, balance, held, version, revision, min_balance, max_balance, status, metadata, limits)
WHERE account.ledger_id = c.ledger_id AND account.id = c.id;

-- name: record_account_changes
-- Changes of accounts that the batch has opened or locked, each as it has left the account. Each row carries its
-- ledger_id in $1.
INSERT INTO account_change (
    ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key, ctime
)
SELECT ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key,
    $11::timestamptz
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::bigint [], $4::text::text [], $5::text::numeric [],
    $6::text::numeric [], $7::text::text [], $8::text::jsonb [], $9::text::jsonb [], $10::text::text []
) AS c (
    ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key
);

-- name: record_notes
-- Changes of the notes on transactions, whose accounts are locked. Each row carries its ledger_id in $1.
INSERT INTO transaction_change (ledger_id, transaction_id, revision, metadata, description, idempotency_key, ctime)
SELECT ledger_id, transaction_id, revision, metadata, description, idempotency_key, $7::timestamptz
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::bigint [], $4::text::jsonb [], $5::text::text [],
    $6::text::text []
) AS n (ledger_id, transaction_id, revision, metadata, description, idempotency_key);

-- name: record_splits
-- What was split, with its transactions, which `post` has written. An array of arrays would have to be rectangular, so
-- the ids of each come as text. Each row carries its ledger_id in $1.
INSERT INTO split (ledger_id, id, amount, transaction_ids)
SELECT ledger_id, id, amount, transaction_ids::bigint []
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::numeric [], $4::text::text []
) AS s (ledger_id, id, amount, transaction_ids);

-- name: record_exchanges
-- What was exchanged, with the rate if one was given; `post` has written its transactions. Each row carries its
-- ledger_id in $1.
INSERT INTO exchange (ledger_id, source_transaction_id, target_transaction_id, rate)
SELECT ledger_id, source_transaction_id, target_transaction_id, rate
FROM unnest(
    $1::text::bigint [], $2::text::bigint [], $3::text::bigint [], $4::text::numeric []
) AS e (ledger_id, source_transaction_id, target_transaction_id, rate);

-- name: take_account_ids
-- Ids before rows, since a receipt of an opening holds the whole account. A sequence has no ledger.
SELECT nextval('account_id') AS id FROM generate_series(1, $1::integer);

-- name: open_accounts
-- In the order of their names, so that two workers with the same names wait for each other, but not in a circle. Each row
-- carries its ledger_id in $1. The opening is the first of the account's changes.
WITH opened AS (
    INSERT INTO account (
        ledger_id, id, email, currency, scale, balance, held, version, revision, min_balance, max_balance, status,
        metadata, idempotency_key, name, ctime, limits
    )
    SELECT ledger_id, id, email, currency, scale, balance, held, version, revision, min_balance, max_balance, status,
        metadata, idempotency_key, name, $17::timestamptz, limits
    FROM unnest(
        $1::text::bigint [], $2::text::bigint [], $3::text::text [], $4::text::text [], $5::text::smallint [],
        $6::text::numeric [], $7::text::numeric [], $8::text::bigint [], $9::text::bigint [], $10::text::numeric [],
        $11::text::numeric [], $12::text::text [], $13::text::jsonb [], $14::text::text [],
        $15::text::text [], $16::text::jsonb []
    ) AS o (
        ledger_id, id, email, currency, scale, balance, held, version, revision, min_balance, max_balance, status,
        metadata, idempotency_key, name, limits
    )
    ORDER BY ledger_id, name
    RETURNING ledger_id, id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key, ctime
)
INSERT INTO account_change (
    ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key, ctime
)
SELECT ledger_id, id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key, ctime FROM opened;

-- name: count_turnovers
-- Of the accounts with limits by time that the batch has moved; they are locked. Each row carries its ledger_id in $1.
UPDATE turnover SET limits_version = counted.limits_version, windows = counted.windows::jsonb,
    counted_at = greatest(turnover.counted_at, $5::timestamptz)
FROM unnest($1::bigint [], $2::bigint [], $3::bigint [], $4::text []) AS counted (
    ledger_id, account_id, limits_version, windows
)
WHERE turnover.ledger_id = counted.ledger_id AND turnover.account_id = counted.account_id;

-- name: keep_turnovers
-- Of the accounts that the batch has opened with limits by time, or given other ones; one whose limits were taken away has
-- no windows. They are locked. Each row carries its ledger_id in $1.
WITH counted AS MATERIALIZED (
    SELECT ledger_id, account_id, limits_version, windows::jsonb
    FROM unnest($1::bigint [], $2::bigint [], $3::bigint [], $4::text []) AS t (
        ledger_id, account_id, limits_version, windows
    )
), ended AS (
    DELETE FROM turnover USING counted
    WHERE turnover.ledger_id = counted.ledger_id AND turnover.account_id = counted.account_id AND counted.windows IS NULL
)
INSERT INTO turnover (ledger_id, account_id, limits_version, windows, counted_at)
SELECT ledger_id, account_id, limits_version, windows, $5::timestamptz FROM counted WHERE windows IS NOT NULL
ON CONFLICT (ledger_id, account_id) DO UPDATE SET limits_version = excluded.limits_version,
    windows = excluded.windows, counted_at = greatest(turnover.counted_at, excluded.counted_at);

-- name: record_receipts
-- All receipts of a batch, where some are not a transaction: accounts as they were opened or changed, batches,
-- refusals, and queued transactions, with their ids. In one order, as in `post`: two workers with the same keys then
-- wait for each other, but not in a circle. Each row carries its ledger_id in $1.
INSERT INTO receipt (ledger_id, idempotency_key, answer, transaction_id, request)
SELECT ledger_id, idempotency_key, answer, transaction_id, request
FROM unnest(
    $1::text::bigint [], $2::text::text [], $3::text::jsonb [], $4::text::bigint [], $5::text::jsonb []
) AS k (ledger_id, idempotency_key, answer, transaction_id, request)
ORDER BY ledger_id, idempotency_key;

-- name: record_batch
-- For a batch that posts nothing but still writes. Each row carries its ledger_id in $1.
INSERT INTO batch (ledger_id, id, transaction_ids, rules)
SELECT ledger_id, $2::uuid, '{}', 2 FROM unnest($1::bigint []) AS b (ledger_id);

-- name: record_parts
-- For a batch that was written in parts: the ids of its transactions, in their order.
INSERT INTO batch (ledger_id, id, transaction_ids, rules) VALUES ($1, $2, $3, 2);

-- name: is_waited_for
-- Whether another database transaction waits for what this one has locked. Reads no table, so no ledger.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'transactionid' AND NOT granted AND transactionid = pg_current_xact_id_if_assigned()::xid
) AS found;

-- name: fence_batch
-- Settles whether a commit happened: if the batch's own row is there, or still being committed, this
-- waits for it and then does nothing; if not, the batch can never commit any more.
INSERT INTO batch (ledger_id, id, rules) VALUES ($1, $2, 2) ON CONFLICT DO NOTHING;

-- name: find_batch
-- Read after the fence: null transaction_ids are the fence itself.
SELECT transaction_ids IS NOT NULL AS committed FROM batch WHERE ledger_id = $1 AND id = $2;

-- name: get_account
-- By primary key.
SELECT ledger_id, id, currency, scale, balance, held, version, revision, min_balance, max_balance, status, name, email,
    metadata::text, ctime, limits::text
FROM account WHERE ledger_id = $1 AND id = $2;

-- name: get_account_named
-- As get_account, by the index of names.
SELECT ledger_id, id, currency, scale, balance, held, version, revision, min_balance, max_balance, status, name, email,
    metadata::text, ctime, limits::text
FROM account WHERE ledger_id = $1 AND name = $2;

-- name: list_account_changes
-- What was changed of an account before a revision, newest first, each with how it was before; or the other way round.
-- By primary key.
SELECT c.revision, c.idempotency_key, c.ctime, c.email, c.min_balance, c.max_balance, c.status, c.metadata::text,
    c.limits::text, b.revision IS NOT NULL AS has_before, b.email AS email_before, b.min_balance AS min_balance_before,
    b.max_balance AS max_balance_before, b.status AS status_before, b.metadata::text AS metadata_before,
    b.limits::text AS limits_before
FROM account_change AS c
LEFT JOIN account_change AS b ON b.ledger_id = $1 AND b.account_id = $2 AND b.revision = c.revision - 1
WHERE c.ledger_id = $1 AND c.account_id = $2 AND ROW(c.revision) < ROW($3::bigint)
ORDER BY c.revision DESC LIMIT $4;

-- name: get_transaction
-- By primary key; its currency is its accounts'. A hold that is open has a row of its own; of one that is
-- not, the last transaction that followed it says how it ended. What is left of a hold, and what was refunded of
-- what can be, are looked for by index too, and only where there may be some. So are its latest notes, if they were
-- changed.
SELECT CASE
        WHEN t.kind <> 'hold' THEN 'posted'
        WHEN EXISTS (SELECT FROM hold AS h WHERE h.ledger_id = $1 AND h.id = t.id) THEN 'held'
        ELSE (
            SELECT CASE f.kind WHEN 'capture' THEN 'captured' WHEN 'void' THEN 'voided' ELSE 'expired' END
            FROM transaction AS f WHERE f.ledger_id = $1 AND f.parent_id = t.id
            ORDER BY f.source_version DESC LIMIT 1
        )
    END AS status,
    CASE WHEN t.kind = 'hold' THEN coalesce((
        SELECT h.amount FROM hold AS h WHERE h.ledger_id = t.ledger_id AND h.id = t.id
    ), t.amount * 0) END AS remaining,
    CASE WHEN t.kind = ANY('{payment,withdrawal,transfer,capture}') THEN t.amount * 0 + coalesce((
        SELECT sum(f.amount) FROM transaction AS f
        WHERE f.ledger_id = t.ledger_id AND f.parent_id = t.id AND f.kind = 'refund'
    ), 0) END AS refunded,
    t.ledger_id, t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
    t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
    t.idempotency_key, coalesce(n.metadata, t.metadata)::text AS metadata, t.reference,
    CASE WHEN n.revision IS NULL THEN t.description ELSE n.description END AS description, t.effective_on,
    t.expires_at, t.capture_at, t.ctime,
    coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
FROM transaction AS t
LEFT JOIN account AS s ON s.ledger_id = $1 AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = $1 AND d.id = t.target_account_id
LEFT JOIN (
    SELECT c.revision, c.metadata, c.description FROM transaction_change AS c
    WHERE c.ledger_id = $1 AND c.transaction_id = $2 ORDER BY c.revision DESC LIMIT 1
) AS n ON true
WHERE t.ledger_id = $1 AND t.id = $2;

-- name: get_split
-- The transactions of a split, in their order: each as get_transaction has it, by primary key. A split has one at least.
-- Of one that is archived there is a row without an id.
SELECT CASE
        WHEN t.kind <> 'hold' THEN 'posted'
        WHEN EXISTS (SELECT FROM hold AS h WHERE h.ledger_id = $1 AND h.id = t.id) THEN 'held'
        ELSE (
            SELECT CASE f.kind WHEN 'capture' THEN 'captured' WHEN 'void' THEN 'voided' ELSE 'expired' END
            FROM transaction AS f WHERE f.ledger_id = $1 AND f.parent_id = t.id
            ORDER BY f.source_version DESC LIMIT 1
        )
    END AS status,
    CASE WHEN t.kind = 'hold' THEN coalesce((
        SELECT h.amount FROM hold AS h WHERE h.ledger_id = t.ledger_id AND h.id = t.id
    ), t.amount * 0) END AS remaining,
    CASE WHEN t.kind = ANY('{payment,withdrawal,transfer,capture}') THEN t.amount * 0 + coalesce((
        SELECT sum(f.amount) FROM transaction AS f
        WHERE f.ledger_id = t.ledger_id AND f.parent_id = t.id AND f.kind = 'refund'
    ), 0) END AS refunded,
    t.ledger_id, t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
    t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
    t.idempotency_key, coalesce(n.metadata, t.metadata)::text AS metadata, t.reference,
    CASE WHEN n.revision IS NULL THEN t.description ELSE n.description END AS description, t.effective_on,
    t.expires_at, t.capture_at, t.ctime,
    coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
FROM split AS p
CROSS JOIN unnest(p.transaction_ids) WITH ORDINALITY AS leg (id, place)
LEFT JOIN transaction AS t ON t.ledger_id = $1 AND t.id = leg.id
LEFT JOIN account AS s ON s.ledger_id = $1 AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = $1 AND d.id = t.target_account_id
LEFT JOIN LATERAL (
    SELECT c.revision, c.metadata, c.description FROM transaction_change AS c
    WHERE c.ledger_id = $1 AND c.transaction_id = t.id ORDER BY c.revision DESC LIMIT 1
) AS n ON true
WHERE p.ledger_id = $1 AND p.id = $2
ORDER BY leg.place;

-- name: get_split_ids
-- The ids of all transactions of a split, in their order, by primary key; of those too whose partition was detached.
SELECT transaction_ids FROM split WHERE ledger_id = $1 AND id = $2;

-- name: list_transaction_changes
-- The changes of a transaction's notes before a revision, newest first, each with what was there before; or the other
-- way round. By primary key.
SELECT c.revision, c.idempotency_key, c.ctime, c.metadata::text, c.description,
    coalesce(b.metadata, t.metadata)::text AS metadata_before,
    CASE WHEN b.revision IS NULL THEN t.description ELSE b.description END AS description_before
FROM transaction_change AS c
INNER JOIN transaction AS t ON t.ledger_id = $1 AND t.id = $2
LEFT JOIN transaction_change AS b ON b.ledger_id = $1 AND b.transaction_id = $2 AND b.revision = c.revision - 1
WHERE c.ledger_id = $1 AND c.transaction_id = $2 AND ROW(c.revision) < ROW($3::bigint)
ORDER BY c.revision DESC LIMIT $4;

-- name: get_queued
-- By primary key: a transaction that is not decided yet, or was refused, or cancelled before it was decided.
SELECT q.promise::text, NULL AS answer, NULL::timestamptz AS cancelled_at, NULL AS cancelled_by
FROM queued AS q WHERE q.ledger_id = $1 AND q.id = $2
UNION ALL
SELECT d.promise::text, d.answer::text, NULL, NULL FROM declined AS d WHERE d.ledger_id = $1 AND d.id = $2
UNION ALL
SELECT c.promise::text, NULL, c.ctime, c.request_id FROM cancelled AS c WHERE c.ledger_id = $1 AND c.id = $2;

-- name: list_transactions
-- The keys of a page, as in all that follow here: the newest first, $6 of those before the position ($4, $5), down to $3.
-- No other condition on the time stands beside the position: an index begins at one of them, and it may be the wrong one.
-- `turned` turns a list round. $2: the kinds of those that are posted; $7: which of what is not. Of each kind the first
-- by its index, and of these the first: one scan of each partition is opened for all kinds, and begun anew for each.
WITH asked AS MATERIALIZED (
    SELECT kind FROM unnest($2::text []) AS wanted (kind)
)
SELECT id, ctime, version, is_posted FROM (
    SELECT of_kind.id, of_kind.ctime, NULL::bigint AS version, true AS is_posted
    FROM asked AS k
    CROSS JOIN LATERAL (
        SELECT t.id, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = k.kind
            AND t.ctime > '-infinity' AND t.ctime >= $3 AND ROW(t.ctime, t.id) < ROW($4::timestamptz, $5::bigint)
        ORDER BY t.ctime DESC, t.id DESC LIMIT $6
    ) AS of_kind
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND 'queued' = ANY($7::text [])
        AND b.ctime > '-infinity' AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND 'declined' = ANY($7::text [])
        AND b.ctime > '-infinity' AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND 'cancelled' = ANY($7::text [])
        AND b.ctime > '-infinity' AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
) AS listed ORDER BY ctime DESC, id DESC LIMIT $6;

-- name: list_transactions_of_ids
-- As list_transactions. Those of the ids $2, by primary key; the ids are sorted, so that older partitions are not opened.
-- $7: 'posted', and which of what is not.
SELECT id, ctime, version, is_posted FROM (
    (SELECT t.id, t.ctime, NULL::bigint AS version, true AS is_posted FROM transaction AS t
    WHERE t.ledger_id = $1 AND t.id = ANY($2::bigint []) AND 'posted' = ANY($7::text [])
        AND t.id BETWEEN ($2::bigint [])[1] AND ($2::bigint [])[cardinality($2::bigint [])]
        AND t.ctime >= $3 AND ROW(t.ctime, t.id) < ROW($4::timestamptz, $5::bigint))
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND b.id = ANY($2) AND 'queued' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5))
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND b.id = ANY($2) AND 'declined' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5))
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND b.id = ANY($2) AND 'cancelled' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5))
) AS listed ORDER BY ctime DESC, id DESC LIMIT $6;

-- name: list_transactions_of_parent
-- As list_transactions. What follows the transaction $2. $7: 'posted', and which of what is not.
SELECT id, ctime, version, is_posted FROM (
    (SELECT t.id, t.ctime, NULL::bigint AS version, true AS is_posted FROM transaction AS t
    WHERE t.ledger_id = $1 AND t.parent_id = $2::bigint AND 'posted' = ANY($7::text [])
        AND t.ctime >= $3 AND ROW(t.ctime, t.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY t.ctime DESC, t.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND b.parent_id = $2 AND 'queued' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND b.parent_id = $2 AND 'declined' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND b.parent_id = $2 AND 'cancelled' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
) AS listed ORDER BY ctime DESC, id DESC LIMIT $6;

-- name: list_transactions_of_reference
-- As list_transactions. Of the reference $2. $7: 'posted', and which of what is not.
SELECT id, ctime, version, is_posted FROM (
    (SELECT t.id, t.ctime, NULL::bigint AS version, true AS is_posted FROM transaction AS t
    WHERE t.ledger_id = $1 AND t.reference = $2::text AND 'posted' = ANY($7::text [])
        AND t.ctime >= $3 AND ROW(t.ctime, t.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY t.ctime DESC, t.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND b.reference = $2 AND 'queued' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND b.reference = $2 AND 'declined' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND b.reference = $2 AND 'cancelled' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4, $5)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
) AS listed ORDER BY ctime DESC, id DESC LIMIT $6;

-- name: list_transactions_of_group
-- As list_transactions. Those of the group $2: what is queued has none.
SELECT t.id, t.ctime, NULL::bigint AS version, true AS is_posted FROM transaction AS t
WHERE t.ledger_id = $1 AND t.group_id = $2::bigint
    AND t.ctime >= $3 AND ROW(t.ctime, t.id) < ROW($4::timestamptz, $5::bigint)
ORDER BY t.ctime DESC, t.id DESC LIMIT $6;

-- name: list_transactions_of_account
-- As list_transactions. What has touched the account $2, which is in the order of its versions, from $8 to $9 and before
-- the position $10; and what is queued, or was, between it and others. $7: 'posted', and which of what is not.
SELECT id, ctime, version, is_posted FROM (
    (SELECT s.id, s.ctime, s.source_version AS version, true AS is_posted FROM transaction AS s
    WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND 'posted' = ANY($7::text [])
        AND s.source_version BETWEEN $8 AND $9 AND ROW(s.source_version) < ROW($10::bigint)
    ORDER BY s.source_version DESC LIMIT $6)
    UNION ALL
    (SELECT t.id, t.ctime, t.target_version AS version, true AS is_posted FROM transaction AS t
    WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND 'posted' = ANY($7::text [])
        AND t.target_version BETWEEN $8 AND $9 AND ROW(t.target_version) < ROW($10::bigint)
    ORDER BY t.target_version DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND b.source_account_id = $2 AND 'queued' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM queued AS b
    WHERE b.ledger_id = $1 AND b.target_account_id = $2 AND b.source_account_id IS DISTINCT FROM $2 AND 'queued' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND b.source_account_id = $2 AND 'declined' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM declined AS b
    WHERE b.ledger_id = $1 AND b.target_account_id = $2 AND b.source_account_id IS DISTINCT FROM $2 AND 'declined' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND b.source_account_id = $2 AND 'cancelled' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
    UNION ALL
    (SELECT b.id, b.ctime, NULL, false FROM cancelled AS b
    WHERE b.ledger_id = $1 AND b.target_account_id = $2 AND b.source_account_id IS DISTINCT FROM $2 AND 'cancelled' = ANY($7::text [])
        AND b.ctime >= $3 AND ROW(b.ctime, b.id) < ROW($4::timestamptz, $5::bigint)
    ORDER BY b.ctime DESC, b.id DESC LIMIT $6)
) AS listed ORDER BY ctime DESC, coalesce(version, 0) DESC, id DESC LIMIT $6;

-- name: list_open_holds
-- As list_transactions. The holds that are open, in the order of their ids: before the position $2.
SELECT h.id, t.ctime, NULL::bigint AS version, true AS is_posted
FROM hold AS h
INNER JOIN transaction AS t ON t.ledger_id = $1 AND t.id = h.id
WHERE h.ledger_id = $1 AND ROW(h.id) < ROW($2::bigint)
ORDER BY h.id DESC LIMIT $3;

-- name: find_listed
-- Of the keys of a page those that are as they are wanted, in no order: as get_transaction, by primary key. Null: whatever
-- it is. The time stands in coalesce so that no index on it is taken: it is a range of any length, and the ids are few.
-- These ascend: the first and the last say which partitions to look in. What follows any of them is looked for once.
WITH following AS MATERIALIZED (
    SELECT f.parent_id, (array_agg(f.kind ORDER BY f.source_version DESC))[1] AS last_kind,
        sum(f.amount) FILTER (WHERE f.kind = 'refund') AS refunded
    FROM transaction AS f
    WHERE f.ledger_id = $1 AND f.parent_id = ANY($2::bigint [])
    GROUP BY f.parent_id
)
SELECT * FROM (
    SELECT CASE
            WHEN t.kind <> 'hold' THEN 'posted'
            WHEN EXISTS (SELECT FROM hold AS h WHERE h.ledger_id = $1 AND h.id = t.id) THEN 'held'
            ELSE CASE g.last_kind WHEN 'capture' THEN 'captured' WHEN 'void' THEN 'voided' ELSE 'expired' END
        END AS status,
        CASE WHEN t.kind = 'hold' THEN coalesce((
            SELECT h.amount FROM hold AS h WHERE h.ledger_id = $1 AND h.id = t.id
        ), t.amount * 0) END AS remaining,
        CASE WHEN t.kind = ANY('{payment,withdrawal,transfer,capture}')
            THEN t.amount * 0 + coalesce(g.refunded, 0)
        END AS refunded,
        t.ledger_id, t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
        t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
        t.idempotency_key, coalesce(n.metadata, t.metadata)::text AS metadata, t.reference,
        CASE WHEN n.revision IS NULL THEN t.description ELSE n.description END AS description, t.effective_on,
        t.expires_at, t.capture_at, t.ctime,
        coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
    FROM transaction AS t
    LEFT JOIN account AS s ON s.ledger_id = $1 AND s.id = t.source_account_id
    LEFT JOIN account AS d ON d.ledger_id = $1 AND d.id = t.target_account_id
    LEFT JOIN LATERAL (
        SELECT c.revision, c.metadata, c.description FROM transaction_change AS c
        WHERE c.ledger_id = $1 AND c.transaction_id = t.id ORDER BY c.revision DESC LIMIT 1
    ) AS n ON true
    LEFT JOIN following AS g ON g.parent_id = t.id
    WHERE t.ledger_id = $1 AND t.id = ANY($2::bigint [])
        AND t.id BETWEEN ($2::bigint [])[1] AND ($2::bigint [])[cardinality($2::bigint [])]
        AND ($4::text [] IS NULL OR t.kind = ANY($4::text []))
        AND ($5::bigint IS NULL OR t.source_account_id = $5 OR (t.target_account_id = $5 AND t.target_version IS NOT NULL))
        AND ($6::bigint IS NULL OR t.parent_id = $6)
        AND ($7::bigint IS NULL OR t.group_id = $7)
        AND ($8::bigint [] IS NULL OR t.id = ANY($8::bigint []))
        AND ($9::text IS NULL OR t.reference = $9)
        AND ($10::text IS NULL OR coalesce(t.effective_on, (t.ctime AT TIME ZONE 'UTC')::date) = $10::text::date)
        AND ($11::text IS NULL OR coalesce(n.metadata, t.metadata) @> $11::jsonb)
        AND coalesce(t.ctime >= $12 AND t.ctime < $13, false)
) AS listed
WHERE $3::text [] IS NULL OR status = ANY($3::text []);

-- name: find_candidates
-- Of the keys of a page that are posted what their own rows say: a filter may know by that alone that it does not want
-- them, and nothing else of them is read then. By primary key; the ids are sorted, so that older partitions are not opened.
SELECT t.id, t.kind, t.source_account_id, t.source_balance, t.source_held, t.source_version,
    t.target_account_id, t.target_balance, t.target_held, t.target_version, t.amount, t.parent_id, t.group_id,
    t.idempotency_key, t.reference, coalesce(t.effective_on, (t.ctime AT TIME ZONE 'UTC')::date) AS effective_on,
    t.expires_at, t.capture_at, t.ctime
FROM transaction AS t WHERE t.ledger_id = $1 AND t.id = ANY($2::bigint [])
    AND t.id BETWEEN ($2::bigint [])[1] AND ($2::bigint [])[cardinality($2::bigint [])];

-- name: find_listed_pending
-- As find_listed, of what was queued and is not posted: as get_queued. Nothing of it is in a group ($7).
SELECT id, promise, answer, cancelled_at, cancelled_by FROM (
    SELECT q.id, q.promise::text, NULL AS answer, NULL::timestamptz AS cancelled_at, NULL AS cancelled_by,
        'queued' AS status, q.promise AS said, q.source_account_id, q.target_account_id,
        q.parent_id, q.reference, q.ctime
    FROM queued AS q WHERE q.ledger_id = $1 AND q.id = ANY($2::bigint [])
    UNION ALL
    SELECT d.id, d.promise::text, d.answer::text, NULL, NULL, 'declined', d.promise, d.source_account_id, d.target_account_id,
        d.parent_id, d.reference, d.ctime
    FROM declined AS d WHERE d.ledger_id = $1 AND d.id = ANY($2::bigint [])
    UNION ALL
    SELECT c.id, c.promise::text, NULL, c.ctime, c.request_id, 'cancelled', c.promise, c.source_account_id, c.target_account_id,
        c.parent_id, c.reference, c.ctime
    FROM cancelled AS c WHERE c.ledger_id = $1 AND c.id = ANY($2::bigint [])
) AS listed
WHERE ($3::text [] IS NULL OR status = ANY($3::text []))
    AND ($4::text [] IS NULL OR said ->> 'kind' = ANY($4::text []))
    AND ($5::bigint IS NULL OR source_account_id = $5 OR target_account_id = $5)
    AND ($6::bigint IS NULL OR parent_id = $6)
    AND $7::bigint IS NULL
    AND ($8::bigint [] IS NULL OR id = ANY($8::bigint []))
    AND ($9::text IS NULL OR reference = $9)
    AND ($10::text IS NULL OR said #>> '{command,command,effective_on}' = $10)
    AND ($11::text IS NULL OR coalesce(said #> '{command,command,metadata}', '{}') @> $11::jsonb)
    AND coalesce(ctime >= $12 AND ctime < $13, false);

-- name: find_keyed
-- The ids of what each of the keys $2 has made, in order, by primary key: that of a single transaction stands in the
-- receipt, and those of a batch, a split, the end of a split or an exchange in the answer; in a batch these may be members.
-- A plain move in a batch is its id, or an array that begins with it, which a filter opens. What a member's own key had
-- made before is no part of it. What was queued may have become several: then they are one group. For each
-- such key, of which there are few, a probe: a join might go through all groups.
WITH known AS MATERIALIZED (
    SELECT r.idempotency_key, r.transaction_id AS id, r.answer IS NOT NULL AS was_queued
    FROM receipt AS r
    WHERE r.ledger_id = $1 AND r.idempotency_key = ANY($2::text []) AND r.transaction_id IS NOT NULL
    UNION ALL
    SELECT r.idempotency_key, found.id::bigint, false
    FROM receipt AS r
    CROSS JOIN (
        VALUES ('$.legs[*] ? (@.type() == "number")'::jsonpath),
        ('$.members[*] ? (@.type() == "number")'),
        ('$.members[*].outcome ? (@."type" == "posted").id'),
        ('$.members[*].outcome.legs[*] ? (@.type() == "number")'),
        ('$.members[*].outcome.members[*] ? (@.type() == "number")')
    ) AS place (path)
    CROSS JOIN LATERAL jsonb_path_query(r.answer, place.path) AS found (id)
    WHERE r.ledger_id = $1 AND r.idempotency_key = ANY($2) AND r.transaction_id IS NULL
        AND r.answer ->> 'type' = ANY('{split,grouped}')
)
SELECT idempotency_key, id FROM known
UNION
SELECT k.idempotency_key, g.id
FROM known AS k
CROSS JOIN LATERAL unnest(ARRAY(
    SELECT t.id FROM transaction AS t WHERE t.ledger_id = $1 AND t.group_id = (
        SELECT q.group_id FROM transaction AS q WHERE q.ledger_id = $1 AND q.id = k.id
    )
)) AS g (id)
WHERE k.was_queued
ORDER BY idempotency_key, id;

-- name: find_states_before
-- Of each of the moments $3 how many transactions had touched an account before it, and what the last of them left it with.
-- Versions are in the order of time, without a gap, so this halves what is left of them until there is one, by two index
-- look-ups a step: twenty steps for a million. Ids are nearly in the order of the versions, and say in which partitions
-- to look. What is not there, as it was queued before, is looked for in all in a step of its own; what is in none was
-- archived, and so is the oldest. One scan of each partition is opened for all steps, and begun anew for each.
WITH RECURSIVE halved AS (
    SELECT wanted.place, wanted.moment, 0::bigint AS low, a.version AS high, 0::bigint AS from_id,
        9223372036854775807 AS to_id, NULL::numeric AS balance, NULL::numeric AS held, NULL::timestamptz AS ctime
    FROM account AS a
    CROSS JOIN unnest($3::timestamptz []) WITH ORDINALITY AS wanted (moment, place)
    WHERE a.ledger_id = $1 AND a.id = $2
    UNION ALL
    SELECT m.place, m.moment,
        CASE WHEN m.is_before THEN m.version ELSE m.low END,
        CASE WHEN m.is_before = false THEN m.version - 1 ELSE m.high END,
        CASE WHEN m.is_before THEN coalesce(m.id, 0) WHEN m.is_before = false THEN m.from_id ELSE 0 END,
        CASE WHEN m.is_before THEN m.to_id WHEN m.is_before = false THEN m.id ELSE 9223372036854775807 END,
        CASE WHEN m.is_before THEN m.balance_then ELSE m.balance END,
        CASE WHEN m.is_before THEN m.held_then ELSE m.held END,
        CASE WHEN m.is_before THEN m.ctime_then ELSE m.ctime END
    FROM (
        SELECT h.*, middle.id, (h.low + h.high + 1) / 2 AS version,
            middle.balance AS balance_then, middle.held AS held_then, middle.ctime AS ctime_then,
            CASE WHEN middle.id IS NOT NULL THEN middle.ctime < h.moment
                WHEN h.from_id = 0 AND h.to_id = 9223372036854775807 THEN true
            END AS is_before
        FROM halved AS h
        LEFT JOIN LATERAL (
            SELECT s.id, s.source_balance AS balance, s.source_held AS held, s.ctime FROM transaction AS s
            WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND s.source_version = (h.low + h.high + 1) / 2
                AND s.id BETWEEN h.from_id AND h.to_id
            UNION ALL
            SELECT t.id, t.target_balance, t.target_held, t.ctime FROM transaction AS t
            WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND t.target_version = (h.low + h.high + 1) / 2
                AND t.id BETWEEN h.from_id AND h.to_id
        ) AS middle ON true
        WHERE h.low < h.high
    ) AS m
)
SELECT low AS version, balance, held, ctime FROM halved WHERE low = high ORDER BY place;

-- name: get_state
-- What an account was left with at a version, and when: by the index of its versions.
SELECT s.source_balance AS balance, s.source_held AS held, s.ctime FROM transaction AS s
WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND s.source_version = $3::bigint
UNION ALL
SELECT t.target_balance, t.target_held, t.ctime FROM transaction AS t
WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND t.target_version = $3;

-- name: find_archived
-- Whether the oldest partition of transactions is detached, or is being so: none that is left begins before the first id.
-- Of all ledgers, by the catalog, which anyone may read; it ends at the partition that does.
SELECT NOT EXISTS (
    SELECT FROM pg_inherits AS i
    INNER JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('transaction') AND NOT i.inhdetachpending
        AND coalesce(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM [^0-9]*([0-9]+).* TO ')::bigint, 0) < 2
);

-- name: count_lines
-- How many of the versions $3 to $4 of an account there are: by their indexes alone.
SELECT (
    SELECT count(*) FROM transaction AS s
    WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND s.source_version BETWEEN $3::bigint AND $4::bigint
) + (
    SELECT count(*) FROM transaction AS t
    WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND t.target_version BETWEEN $3 AND $4
);

-- name: find_first
-- When the first transaction of a ledger was posted, by its id, by primary key; and whether any account was ever touched.
SELECT (SELECT t.ctime FROM transaction AS t WHERE t.ledger_id = $1 ORDER BY t.id LIMIT 1) AS ctime,
    EXISTS (SELECT FROM account AS a WHERE a.ledger_id = $1 AND a.version > 0) AS has_moved;

-- name: sum_by_value_date
-- What those lines of the account $2 change in its balance that were posted on the one side of the day $3 and count for the
-- other: after its version $4, up to $5, for the day or one before; and up to $4, for a later one. By indexes that have
-- no other lines, and the amounts; of each at most $6. `most`: of how many there were the most.
SELECT sum(dated.change) AS change, max(dated.lines) AS most FROM (
    SELECT -sum(each.amount) AS change, count(*) AS lines FROM (
        SELECT s.amount FROM transaction AS s
        WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND s.effective_on <= $3::text::date
            AND s.source_version > $4::bigint AND s.source_version <= $5::bigint
            AND s.effective_on IS NOT NULL AND s.effective_on <> (s.ctime AT TIME ZONE 'UTC')::date
            AND s.kind = ANY('{withdrawal,transfer,capture,refund}')
        LIMIT $6::bigint
    ) AS each
    UNION ALL
    SELECT sum(each.amount), count(*) FROM (
        SELECT t.amount FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND t.effective_on <= $3::text::date
            AND t.target_version > $4 AND t.target_version <= $5
            AND t.effective_on IS NOT NULL AND t.effective_on <> (t.ctime AT TIME ZONE 'UTC')::date
            AND t.target_version IS NOT NULL
        LIMIT $6
    ) AS each
    UNION ALL
    SELECT sum(each.amount), count(*) FROM (
        SELECT s.amount FROM transaction AS s
        WHERE s.ledger_id = $1 AND s.source_account_id = $2 AND s.effective_on > $3::text::date AND s.source_version <= $4
            AND s.effective_on IS NOT NULL AND s.effective_on <> (s.ctime AT TIME ZONE 'UTC')::date
            AND s.kind = ANY('{withdrawal,transfer,capture,refund}')
        LIMIT $6
    ) AS each
    UNION ALL
    SELECT -sum(each.amount), count(*) FROM (
        SELECT t.amount FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.target_account_id = $2 AND t.effective_on > $3::text::date AND t.target_version <= $4
            AND t.effective_on IS NOT NULL AND t.effective_on <> (t.ctime AT TIME ZONE 'UTC')::date
            AND t.target_version IS NOT NULL
        LIMIT $6
    ) AS each
) AS dated;

-- name: plan_for_sum
-- For this transaction only, which reads every account of a ledger: to read a million into a hash takes less time than to
-- look each of them up, and how many there are the planner knows only if it makes a plan for the ledger. The rest are ranges
-- of indexes, as ever. It may take $1 ms, or as long as any statement may, if that is longer: that is `limit_ms`.
-- Touches no table, so no ledger.
SELECT greatest($1::integer, setting::integer) AS limit_ms,
    set_config('statement_timeout', greatest($1::integer, setting::integer)::text, true),
    set_config('enable_hashjoin', 'on', true), set_config('plan_cache_mode', 'force_custom_plan', true)
FROM pg_settings WHERE name = 'statement_timeout';

-- name: sum_ledger
-- A ledger by currency, all of it as it is at one moment: a statement has one snapshot. What came in and what left is
-- added up account by account, by two indexes that have nothing else in them; an account's currency is looked up once.
WITH held AS MATERIALIZED (
    SELECT a.currency, min(a.scale) AS scale, count(*) AS accounts, sum(a.balance) AS balance, sum(a.held) AS held
    FROM account AS a WHERE a.ledger_id = $1
    GROUP BY a.currency
), paid AS MATERIALIZED (
    SELECT a.currency, sum(each.paid_in) AS paid_in, sum(each.paid_out) AS paid_out
    FROM (
        SELECT t.target_account_id AS account_id, sum(t.amount) AS paid_in, 0 AS paid_out
        FROM transaction AS t WHERE t.ledger_id = $1 AND t.source_account_id IS NULL
        GROUP BY t.target_account_id
        UNION ALL
        SELECT t.source_account_id, 0, sum(t.amount)
        FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.target_account_id IS NULL AND t.kind = ANY('{withdrawal,capture,refund}')
        GROUP BY t.source_account_id
    ) AS each
    INNER JOIN account AS a ON a.ledger_id = $1 AND a.id = each.account_id
    GROUP BY a.currency
)
SELECT held.currency, held.scale, held.accounts, held.balance, held.held, paid.paid_in, paid.paid_out
FROM held
LEFT JOIN paid ON paid.currency = held.currency
ORDER BY held.currency;

-- name: sum_volume
-- What has moved from $2 on and before $3: by the first $5 parts of the names of the accounts (0: whatever their names), by
-- the currency, by the kind if $6, by the day in UTC if $7; the first $8 rows of that. It reads the first $4 transactions in
-- the order of time, by one range of transaction_kind for each kind that moves money. If there are so many nothing is added
-- up, and the only row has the time of the last one. Before accounts are looked up, what each of them moved is added up, or
-- what each two of them did if their names matter. A transaction between two accounts of the same prefix counts once, and is
-- in both sums. Without names total_in and total_out mean nothing.
WITH seen AS MATERIALIZED (
    SELECT kind, source_account_id, target_account_id, amount, ctime FROM (
        (SELECT t.kind, t.source_account_id, t.target_account_id, t.amount, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = 'payment' AND t.ctime > '-infinity' AND t.ctime >= $2 AND t.ctime < $3
        ORDER BY t.ctime LIMIT $4::bigint)
        UNION ALL
        (SELECT t.kind, t.source_account_id, t.target_account_id, t.amount, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = 'withdrawal' AND t.ctime > '-infinity' AND t.ctime >= $2 AND t.ctime < $3
        ORDER BY t.ctime LIMIT $4::bigint)
        UNION ALL
        (SELECT t.kind, t.source_account_id, t.target_account_id, t.amount, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = 'transfer' AND t.ctime > '-infinity' AND t.ctime >= $2 AND t.ctime < $3
        ORDER BY t.ctime LIMIT $4::bigint)
        UNION ALL
        (SELECT t.kind, t.source_account_id, t.target_account_id, t.amount, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = 'capture' AND t.ctime > '-infinity' AND t.ctime >= $2 AND t.ctime < $3
        ORDER BY t.ctime LIMIT $4::bigint)
        UNION ALL
        (SELECT t.kind, t.source_account_id, t.target_account_id, t.amount, t.ctime FROM transaction AS t
        WHERE t.ledger_id = $1 AND t.kind = 'refund' AND t.ctime > '-infinity' AND t.ctime >= $2 AND t.ctime < $3
        ORDER BY t.ctime LIMIT $4::bigint)
    ) AS moved ORDER BY ctime LIMIT $4
), counted AS MATERIALIZED (
    SELECT count(*) AS transactions, max(ctime) AS ends_at FROM seen
), between_accounts AS MATERIALIZED (
    SELECT
        source_account_id,
        CASE WHEN $5::int > 0 OR source_account_id IS NULL THEN target_account_id END AS target_account_id,
        CASE WHEN $6::boolean THEN kind END AS kind,
        CASE WHEN $7::boolean THEN (ctime AT TIME ZONE 'UTC')::date END AS day,
        count(*) AS transactions,
        sum(amount) AS amount
    FROM seen
    WHERE (SELECT counted.transactions FROM counted) < $4
    GROUP BY 1, 2, 3, 4
), between_names AS MATERIALIZED (
    SELECT
        CASE WHEN $5 > 0 THEN array_to_string((string_to_array(s.name, ':'))[1:$5], ':') END AS source,
        CASE WHEN $5 > 0 THEN array_to_string((string_to_array(t.name, ':'))[1:$5], ':') END AS target,
        b.source_account_id IS NOT NULL AS has_source,
        b.target_account_id IS NOT NULL AS has_target,
        COALESCE(s.currency, t.currency) AS currency,
        b.kind,
        b.day,
        sum(b.transactions)::bigint AS transactions,
        sum(b.amount) AS amount
    FROM between_accounts AS b
    LEFT JOIN account AS s ON s.ledger_id = $1 AND s.id = b.source_account_id
    LEFT JOIN account AS t ON t.ledger_id = $1 AND t.id = b.target_account_id
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), side AS MATERIALIZED (
    SELECT
        source AS prefix, currency, kind, day, transactions, amount, amount AS amount_out,
        CASE WHEN has_target AND target IS NOT DISTINCT FROM source THEN amount ELSE amount - amount END AS amount_in
    FROM between_names WHERE has_source
    UNION ALL
    SELECT target, currency, kind, day, transactions, amount, amount - amount, amount
    FROM between_names WHERE has_target AND NOT (has_source AND target IS NOT DISTINCT FROM source)
)
SELECT * FROM (
    SELECT
        prefix, currency, kind, day, sum(transactions)::bigint AS transactions, sum(amount) AS total,
        sum(amount_in) AS total_in, sum(amount_out) AS total_out, NULL::timestamptz AS ends_at
    FROM side
    GROUP BY prefix, currency, kind, day
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ends_at FROM counted
    WHERE transactions >= $4
) AS volume
ORDER BY prefix COLLATE "C" NULLS LAST, currency COLLATE "C", kind COLLATE "C", day LIMIT $8;

-- name: list_accounts
-- The keys of a page: the newest first, $3 of those before the id $2, by primary key.
SELECT a.id, a.name FROM account AS a
WHERE a.ledger_id = $1 AND ROW(a.id) < ROW($2::bigint)
ORDER BY a.id DESC LIMIT $3;

-- name: list_accounts_of_email
-- As list_accounts.
SELECT a.id, a.name FROM account AS a
WHERE a.ledger_id = $1 AND a.email = $4 AND ROW(a.id) < ROW($2::bigint)
ORDER BY a.id DESC LIMIT $3;

-- name: list_accounts_of_currency
-- As list_accounts.
SELECT a.id, a.name FROM account AS a
WHERE a.ledger_id = $1 AND a.currency = $4 AND ROW(a.id) < ROW($2::bigint)
ORDER BY a.id DESC LIMIT $3;

-- name: list_accounts_of_status
-- As list_accounts.
SELECT a.id, a.name FROM account AS a
WHERE a.ledger_id = $1 AND a.status = $4 AND ROW(a.id) < ROW($2::bigint)
ORDER BY a.id DESC LIMIT $3;

-- name: list_accounts_of_name
-- The keys of a page, in the order of names: those from $4 up to before $5, before or after the name $2.
SELECT a.id, a.name FROM account AS a
WHERE a.ledger_id = $1 AND a.name >= $4::text AND a.name < $5::text AND ROW(a.name::text) < ROW($2::text COLLATE "C")
ORDER BY a.name DESC LIMIT $3;

-- name: find_listed_accounts
-- Of the keys of a page those that are as they are wanted, in no order: as get_account, by primary key. Null: whatever it is.
SELECT ledger_id, id, currency, scale, balance, held, version, revision, min_balance, max_balance, status, name, email,
    metadata::text, ctime, limits::text
FROM account
WHERE ledger_id = $1 AND id = ANY($2::bigint [])
    AND ($3::text IS NULL OR email = $3)
    AND ($4::text IS NULL OR currency = $4)
    AND ($5::text IS NULL OR status = $5)
    AND ($6::text IS NULL OR (name >= $6 AND name < $7))
    AND ($8::text IS NULL OR metadata @> $8::jsonb);

-- name: find_due
-- Reads all ledgers, to list those that have something due: then each is claimed from by itself. A probe for
-- each ledger's queue, so that a long one hides no other; of holds, those whose time has been up the longest, and those
-- that were to be captured first.
-- statement_timestamp, since an index is not searched for a time that changes while it is.
SELECT 'queued' AS what, id AS ledger_id FROM ledger WHERE EXISTS (
    SELECT FROM queued WHERE queued.ledger_id = ledger.id AND queued.due <= statement_timestamp()
)
UNION ALL
SELECT 'hold', ledger_id FROM (
    (SELECT ledger_id FROM hold WHERE expires_at <= statement_timestamp() ORDER BY expires_at LIMIT 1000)
    UNION ALL
    (SELECT ledger_id FROM hold WHERE capture_at <= statement_timestamp() ORDER BY capture_at LIMIT 1000)
) AS oldest GROUP BY ledger_id;

-- name: claim_queued
-- The claim is the row's lock: whoever dies with it gives it back, and nobody waits for it.
SELECT id, promise::text FROM queued
WHERE ledger_id = $1 AND due <= statement_timestamp() AND id NOT IN (SELECT unnest($3::bigint []))
ORDER BY due, id LIMIT $2
FOR UPDATE SKIP LOCKED;

-- name: claim_one_queued
-- By primary key: what was claimed together with others that it failed with; unless another process had claimed
-- it too, and has put it off already.
SELECT id, promise::text FROM queued
WHERE ledger_id = $1 AND id = $2 AND due <= statement_timestamp()
FOR UPDATE SKIP LOCKED;

-- name: limit_lock_wait
-- For this transaction only. Touches no table, so no ledger.
SELECT set_config('lock_timeout', $1, true);

-- name: defer
-- What follows a queued transaction is due after it; these rows are claimed by this transaction.
UPDATE queued SET due = greatest(statement_timestamp() + make_interval(secs => $4::float8), parent.due)
FROM unnest($2::bigint [], $3::bigint []) AS early (id, parent_id)
LEFT JOIN queued AS parent ON parent.ledger_id = $1 AND parent.id = early.parent_id
WHERE queued.ledger_id = $1 AND queued.id = early.id;

-- name: postpone
-- Not before so many seconds from now; unless another process, which failed with it at the same moment, has put
-- it off already. By primary key.
UPDATE queued SET attempts = attempts + 1, error = $3,
    due = statement_timestamp() + make_interval(secs => least($4::float8 * 2 ^ least(attempts, 30), $5::float8))
WHERE ledger_id = $1 AND id = $2 AND due <= statement_timestamp();

-- name: note_blocked
-- Why they wait; they stay due, and so in their order. Not those that another process is settling just now.
UPDATE queued SET attempts = attempts + 1, error = $3
WHERE ledger_id = $1 AND id = ANY($2::bigint [])
    AND id IN (SELECT id FROM queued WHERE ledger_id = $1 AND id = ANY($2::bigint []) FOR UPDATE SKIP LOCKED);

-- name: claim_holds
-- Holds that are to be captured, and then those whose time is up, for the one sweeper of a ledger whose turn it is. Their
-- rows are not locked: a capture locks the account first, and the two would wait for each other.
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(hashtextextended('koshel sweep', $1::bigint)) AS is_mine
)
(
    SELECT due.id, false AS is_over FROM turn INNER JOIN hold AS due ON turn.is_mine
    WHERE due.ledger_id = $1 AND due.capture_at <= statement_timestamp() AND due.expires_at > statement_timestamp()
        AND due.id NOT IN (SELECT unnest($3::bigint []))
    ORDER BY due.capture_at LIMIT $2
)
UNION ALL
(
    SELECT hold.id, true FROM turn INNER JOIN hold ON turn.is_mine
    WHERE hold.ledger_id = $1 AND hold.expires_at <= statement_timestamp()
        AND hold.id NOT IN (SELECT unnest($3::bigint []))
    ORDER BY hold.expires_at LIMIT $2
)
LIMIT $2;

-- name: claim_one_hold
-- By primary key: what was claimed together with others that it failed with. Its row is not locked either.
SELECT id, expires_at <= statement_timestamp() AS is_over FROM hold WHERE ledger_id = $1 AND id = $2;

-- name: measure_queue
-- What waits: what is due, or was and was put off. Each part by an index that begins with the ledger, so that what is
-- only scheduled is counted without its rows. One that was scheduled waits since it was due.
WITH waiting AS (
    SELECT due.attempts, greatest(due.ctime, due.execute_at) AS since FROM queued AS due
    WHERE due.ledger_id = $1 AND due.due <= statement_timestamp()
    UNION ALL
    SELECT later.attempts, greatest(later.ctime, later.execute_at) FROM queued AS later
    WHERE later.ledger_id = $1 AND later.due > statement_timestamp() AND later.attempts > 0
)
SELECT count(*) AS depth, count(*) FILTER (WHERE attempts > 0) AS retrying,
    coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8 AS oldest_age_s,
    (
        SELECT count(*) FROM queued WHERE queued.ledger_id = $1 AND queued.due > statement_timestamp()
    ) - (
        SELECT count(*) FROM queued AS put_off
        WHERE put_off.ledger_id = $1 AND put_off.due > statement_timestamp() AND put_off.attempts > 0
    ) AS scheduled
FROM waiting;

-- name: measure_background
-- Reads all ledgers: metrics are of the whole database. Of holds by the index on the time, and no more than it takes to
-- worry.
WITH waiting AS (
    SELECT attempts, greatest(ctime, execute_at) AS since FROM queued WHERE due <= statement_timestamp()
    UNION ALL
    SELECT attempts, greatest(ctime, execute_at) FROM queued WHERE due > statement_timestamp() AND attempts > 0
)
SELECT count(*) AS depth, count(*) FILTER (WHERE attempts > 0) AS retrying,
    coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8 AS oldest_age_s,
    (SELECT count(*) FROM queued WHERE due > statement_timestamp())
    - (SELECT count(*) FROM queued WHERE due > statement_timestamp() AND attempts > 0) AS scheduled,
    (
        SELECT count(*) FROM (
            (SELECT id FROM hold WHERE expires_at <= statement_timestamp() LIMIT 1000)
            UNION
            (SELECT id FROM hold WHERE capture_at <= statement_timestamp() LIMIT 1000)
        ) AS due
    ) AS holds_due
FROM waiting;

-- name: add_ledger
-- Nothing returned: the name was taken. A row is a ledger.
INSERT INTO ledger (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING id, name, ctime;

-- name: list_ledgers
-- All of them, by name: a row is a ledger.
SELECT id, name, ctime FROM ledger ORDER BY name;

-- name: get_ledger
-- By primary key: a row is a ledger.
SELECT id, name, ctime FROM ledger WHERE id = $1;

-- name: find_ledger
-- By its name, which is unique: a row is a ledger.
SELECT id, name, ctime FROM ledger WHERE name = $1;

-- name: lock_ledger
-- By primary key: who revokes the keys of a ledger waits here, and then sees which are left. A row is a ledger.
SELECT id FROM ledger WHERE id = $1 FOR NO KEY UPDATE;

-- name: rename_ledger
-- Every process hears of it when it is committed: the name is in its memory of callers. A row is a ledger.
WITH renamed AS (
    UPDATE ledger SET name = $2 WHERE id = $1 RETURNING id, name, ctime
)
SELECT id, name, ctime, pg_notify('koshel_api_key', '')::text FROM renamed;

-- name: add_api_key
-- Every process hears of its digest when it is committed, and forgets that it did not know it. $5: seconds, or for ever.
WITH made AS (
    INSERT INTO api_key (ledger_id, id, name, scope, digest, ctime, expires_at)
    VALUES (
        $1, nextval('api_key_id'), $2, $3, $4, statement_timestamp(),
        statement_timestamp() + make_interval(secs => $5::float8)
    )
    RETURNING *
)
SELECT id, name, scope, ctime, expires_at, revoked_at, last_used_at, 'active' AS status,
    pg_notify('koshel_api_key', encode(digest, 'hex'))::text
FROM made;

-- name: list_api_keys
-- The newest first, before the id $2, by primary key.
SELECT id, name, scope, ctime, expires_at, revoked_at, last_used_at, CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= statement_timestamp() THEN 'expired'
        ELSE 'active'
    END AS status
FROM api_key WHERE ledger_id = $1 AND ROW(id) < ROW($2::bigint) ORDER BY id DESC LIMIT $3;

-- name: get_api_key
-- By primary key, and locked, so that it is revoked or rotated by one at a time.
SELECT id, name, scope, ctime, expires_at, revoked_at, last_used_at, CASE
        WHEN revoked_at IS NOT NULL THEN 'revoked'
        WHEN expires_at <= statement_timestamp() THEN 'expired'
        ELSE 'active'
    END AS status
FROM api_key WHERE ledger_id = $1 AND id = $2 FOR NO KEY UPDATE;

-- name: find_ledger_of_account
-- For the command line, which names an account by its id alone: it is unique over all ledgers.
SELECT ledger_id FROM account WHERE id = $1;

-- name: erase_account
-- By a function of the owner's: receipts are nothing that the service may change. It names its ledger in $1.
SELECT FROM erase_account($1, $2);

-- name: find_ledger_of_api_key
-- For the command line, which names a key by its id alone: it is unique over all ledgers.
SELECT ledger_id FROM api_key WHERE id = $1;

-- name: find_api_keys
-- Reads all ledgers, by the digest: a key is what says which ledger is meant.
SELECT k.digest, k.ledger_id, l.name AS ledger, k.id, k.scope, k.revoked_at IS NOT NULL AS is_revoked,
    extract(epoch FROM k.expires_at - clock_timestamp())::float8 AS remaining_s
FROM api_key AS k INNER JOIN ledger AS l ON l.id = k.ledger_id
WHERE k.digest = ANY($1::bytea []);

-- name: has_api_keys
-- Whether there is any, revoked or not. Reads all ledgers: it says whether the service asks for keys.
SELECT EXISTS (SELECT FROM api_key) AS found;

-- name: has_other_admin_key
-- Whether the ledger, which is locked, has another key than $2 that may make keys, and not for less long: to $3, which is to
-- come, or for ever. By primary key.
SELECT EXISTS (
    SELECT FROM api_key WHERE ledger_id = $1 AND id <> $2 AND scope = 'admin' AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at >= $3::timestamptz)
) AS found;

-- name: revoke_api_key
-- By primary key. Every process hears of its digest when it is committed.
WITH revoked AS (
    UPDATE api_key SET revoked_at = statement_timestamp() WHERE ledger_id = $1 AND id = $2 AND revoked_at IS NULL
    RETURNING digest
)
SELECT pg_notify('koshel_api_key', encode(digest, 'hex'))::text FROM revoked;

-- name: end_api_key
-- By primary key: it expires in $3 seconds, unless it does so before. Every process hears of its digest.
WITH ended AS (
    UPDATE api_key SET expires_at = least(expires_at, statement_timestamp() + make_interval(secs => $3::float8))
    WHERE ledger_id = $1 AND id = $2
    RETURNING digest, expires_at
)
SELECT expires_at, pg_notify('koshel_api_key', encode(digest, 'hex'))::text FROM ended;

-- name: note_api_keys_used
-- At most once a minute each; those that another process notes just now are passed over. Each carries its ledger_id in $1.
WITH free AS MATERIALIZED (
    SELECT k.ledger_id, k.id
    FROM unnest($1::bigint [], $2::bigint []) AS used (ledger_id, id)
    INNER JOIN api_key AS k ON k.ledger_id = used.ledger_id AND k.id = used.id
    WHERE k.last_used_at IS NULL OR k.last_used_at < statement_timestamp() - interval '1 minute'
    FOR NO KEY UPDATE OF k SKIP LOCKED
)
UPDATE api_key SET last_used_at = statement_timestamp()
FROM free WHERE api_key.ledger_id = free.ledger_id AND api_key.id = free.id;

-- name: set_for_session
-- The settings of a new connection, rather than in its start-up message, where PgBouncer refuses all but a few.
-- Touches no table, so no ledger.
SELECT count(set_config(name, setting, false)) FROM unnest($1::text [], $2::text []) AS wanted (name, setting);

-- name: see_ledgers
-- Whose rows the rest of the database transaction sees and writes, where row-level security confines it: $1 is an array
-- of ledgers as text, or `all`, to read only. Touches no table, so no ledger.
SELECT set_config('koshel.ledgers', $1, true);

-- name: see_all_ledgers
-- Likewise, for a whole session: one that only looks up whose key a digest is. Touches no table, so no ledger.
SELECT set_config('koshel.ledgers', 'all', false);

-- name: set_savepoint
-- In the caller's own transaction, however that was begun; a driver's own would begin one where there is none. One of
-- the same name inside another hides it, and gives it back. Touches no table, so no ledger.
SAVEPOINT koshel;

-- name: release_savepoint
-- What was done since is kept, if the transaction is. Touches no table, so no ledger.
RELEASE SAVEPOINT koshel;

-- name: roll_back_to_savepoint
-- What was done since is not, and the transaction can go on. Touches no table, so no ledger.
ROLLBACK TO SAVEPOINT koshel;
RELEASE SAVEPOINT koshel;

-- name: measure_partitions
-- For how many ids of transactions there are partitions: from the last that was given to the end of the last partition. $1
-- is the schema, which belongs to all ledgers.
SELECT coalesce(max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO [^0-9]*([0-9]+)')::bigint), 0)
    - coalesce(pg_sequence_last_value('transaction_id'), 0) AS ids_ahead
FROM pg_inherits AS i
INNER JOIN pg_class AS c ON c.oid = i.inhrelid
INNER JOIN pg_class AS t ON t.oid = i.inhparent AND t.relname = 'transaction'
INNER JOIN pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = $1::text;

-- name: make_partitions
-- By a function of the owner's, as the service may make no table: for how many ids there is room now. Ids are of all ledgers.
SELECT ids_ahead FROM make_partitions() AS made (ids_ahead);

-- name: find_schema
-- Where Koshel's tables are: in a schema of their own, or where a session finds them that names none, as those that
-- 0.2 has made. All of these names together are nobody else's. The schema belongs to all ledgers.
SELECT n.nspname::text AS schema
FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY('{ledger,currency,account,transaction,receipt,batch,account_id,transaction_id}')
    AND c.relkind = ANY('{r,p,S}') AND (n.nspname = 'koshel' OR pg_table_is_visible(c.oid))
GROUP BY n.nspname HAVING count(*) = 8
ORDER BY n.nspname <> 'koshel' LIMIT 1;

-- name: is_confined
-- Whether row-level security confines the service's role to the ledgers that it names. $1 is the schema, which
-- belongs to all ledgers.
SELECT EXISTS (
    SELECT FROM pg_policy AS p
    INNER JOIN pg_class AS c ON c.oid = p.polrelid
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND p.polname = 'koshel_service_confined'
);

-- name: read_server
-- What the start wants to know of a database before it trusts it with money. Of connections, the server's own reserve is
-- nobody's, and the role that logged in and the database may have limits of their own. Touches no table, so no ledger.
SELECT
    current_database()::text AS database, current_user::text AS role, current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS version_number, pg_is_in_recovery() AS is_standby,
    pg_encoding_to_char(d.encoding) AS encoding, pg_backend_pid() AS pid,
    least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
        nullif(r.rolconnlimit, -1), nullif(d.datconnlimit, -1)
    ) AS room
FROM pg_database AS d, pg_roles AS r
WHERE d.datname = current_database() AND r.rolname = session_user;

-- name: read_durability
-- The settings that what was acknowledged lives on, as this session has them: a role's and a database's own count too.
-- `local` and `remote_write` wait for this server's disk as `on` does. Touches no table, so no ledger.
SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) AS wanted (name)
WHERE current_setting(name) = 'off';

-- name: read_speed_settings
-- The settings of the server that say how much WAL a change of a page makes. Touches no table, so no ledger.
SELECT name, setting FROM pg_settings
WHERE name IN ('wal_compression', 'max_wal_size', 'checkpoint_timeout', 'shared_buffers');

-- name: read_backend
-- Which server process answers: if another one does the next time, somebody in between deals them out.
-- Touches no table, so no ledger.
SELECT pg_backend_pid();

-- name: missing_rights
-- What grant_service grants and the role $2 lacks, of the tables, columns and sequences that are there; null: the role of
-- this session. $1 is the schema, to which rights belong, and not to a ledger.
WITH wanted (relation, privilege, columns) AS (
    SELECT unnest(ARRAY['ledger', 'currency', 'account', 'transaction', 'receipt', 'batch', 'hold', 'queued',
        'declined', 'cancelled', 'turnover', 'split', 'exchange', 'transaction_change', 'account_change', 'api_key',
        '_yoyo_migration']), 'SELECT', NULL::text []
    UNION ALL
    SELECT unnest(ARRAY['account', 'transaction', 'receipt', 'batch', 'hold', 'queued', 'declined', 'cancelled', 'turnover', 'split',
        'exchange', 'transaction_change', 'account_change', 'ledger', 'api_key']), 'INSERT', NULL
    UNION ALL
    SELECT unnest(ARRAY['hold', 'queued', 'turnover']), 'DELETE', NULL
    UNION ALL
    SELECT unnest(ARRAY['account_id', 'transaction_id', 'group_id', 'api_key_id']), 'USAGE', NULL
    UNION ALL
    VALUES
    ('account', 'UPDATE', ARRAY['balance', 'held', 'version', 'revision', 'min_balance', 'max_balance', 'status',
        'email', 'metadata', 'limits']),
    ('hold', 'UPDATE', ARRAY['amount', 'capture_at']),
    ('turnover', 'UPDATE', ARRAY['limits_version', 'counted_at', 'windows']),
    ('queued', 'UPDATE', ARRAY['due', 'attempts', 'error']),
    ('ledger', 'UPDATE', ARRAY['name']),
    ('api_key', 'UPDATE', ARRAY['expires_at', 'revoked_at', 'last_used_at'])
),

found AS (
    SELECT wanted.*, row_number() OVER () AS place, (
        SELECT c.oid FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = $1::text AND c.relname = relation
    ) AS oid
    FROM wanted
),

asked AS (SELECT coalesce($2::text, current_user)::name AS role)

SELECT 'USAGE ON SCHEMA ' || nspname AS missing, 0 AS place
FROM pg_namespace, asked WHERE nspname = $1::text AND NOT has_schema_privilege(role, oid, 'USAGE')
UNION ALL
SELECT privilege || ' ON ' || relation, place
FROM found, asked
WHERE oid IS NOT NULL AND columns IS NULL AND NOT CASE privilege
    WHEN 'USAGE' THEN has_sequence_privilege(role, oid, privilege)
    ELSE has_table_privilege(role, oid, privilege)
END
UNION ALL
SELECT privilege || ' (' || string_agg(attname, ', ' ORDER BY attnum) || ') ON ' || relation, place
FROM found
INNER JOIN pg_attribute ON attrelid = oid AND attname = ANY(columns)
CROSS JOIN asked
WHERE NOT has_column_privilege(role, oid, attnum, 'UPDATE')
GROUP BY privilege, relation, place
UNION ALL
SELECT 'EXECUTE ON FUNCTION ' || proname, 100
FROM pg_proc, asked
WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND proname = ANY('{erase_account,make_partitions}')
    AND NOT has_function_privilege(role, oid, 'EXECUTE')
ORDER BY place;

-- name: make_role
-- How to make the role $1, which belongs to no ledger; nothing if it is there.
SELECT format('CREATE ROLE %I LOGIN PASSWORD ''…''', $1::text) AS statement
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1::text);

-- name: find_unconfined
-- Why row-level security does not hold the role of this session, in words; nothing: it does, in every table that has a
-- ledger_id and that it was given rights to. $1 is the schema, which belongs to all ledgers.
WITH tables AS (
    SELECT c.oid, c.relname, c.relowner
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relkind = ANY('{r,p}') AND EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'ledger_id' AND NOT a.attisdropped
    ) AND EXISTS (
        SELECT FROM aclexplode(c.relacl) AS granted
        WHERE granted.grantee <> 0 AND pg_has_role(current_user, granted.grantee, 'USAGE')
    )
), policies AS (
    SELECT p.polrelid, p.polname FROM pg_policy AS p
    WHERE p.polpermissive AND EXISTS (
        SELECT FROM unnest(p.polroles) AS one (role)
        WHERE role = 0 OR pg_has_role(current_user, nullif(role, 0), 'USAGE')
    )
)
SELECT 'is a superuser' AS reason, 1 AS place FROM pg_roles WHERE rolname = current_user AND rolsuper
UNION ALL
SELECT 'has BYPASSRLS', 2 FROM pg_roles WHERE rolname = current_user AND rolbypassrls AND NOT rolsuper
UNION ALL
SELECT DISTINCT 'is, or is a member of, ' || rolname || ', who owns the tables', 3
FROM tables INNER JOIN pg_roles AS owner ON owner.oid = relowner
WHERE pg_has_role(current_user, relowner, 'MEMBER')
    AND NOT EXISTS (SELECT FROM pg_roles AS own WHERE own.rolname = current_user AND own.rolsuper)
UNION ALL
SELECT 'has no policy of its own on ' || string_agg(relname, ', ' ORDER BY relname), 4
FROM tables
WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = tables.oid AND c.relrowsecurity)
    OR NOT EXISTS (SELECT FROM policies WHERE polrelid = oid AND polname = 'koshel_service_confined')
HAVING count(*) > 0
UNION ALL
SELECT 'may see more by the policy ' || string_agg(polname || ' on ' || relname, ', ' ORDER BY relname, polname), 5
FROM tables INNER JOIN policies ON polrelid = oid AND polname <> 'koshel_service_confined'
HAVING count(*) > 0
ORDER BY place;

-- name: applied_migrations
-- The schema belongs to all ledgers.
SELECT migration_id FROM _yoyo_migration;

-- name: lock_migrations
-- One process migrates at a time; the number is "koshel" in ASCII. The schema belongs to all ledgers.
SELECT pg_advisory_lock(118126421763436);

-- name: find_holders
-- Who holds locks on tables of this database, the oldest transaction first; how long it has been open, in seconds.
-- What a role may not see of another's session is null. Touches no ledger's table.
SELECT activity.pid, activity.usename, nullif(activity.application_name, '') AS name,
    extract(epoch FROM clock_timestamp() - activity.xact_start)::float8 AS age_s,
    string_agg(DISTINCT class.relname, ', ' ORDER BY class.relname) AS tables
FROM pg_locks AS held
INNER JOIN pg_stat_activity AS activity ON activity.pid = held.pid
INNER JOIN pg_class AS class ON class.oid = held.relation
WHERE held.granted AND held.locktype = 'relation' AND class.relkind = ANY('{r,p}') AND class.relnamespace <> 'pg_catalog'::regnamespace
    AND NOT class.relispartition AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND held.pid <> pg_backend_pid()
GROUP BY activity.pid, activity.usename, activity.application_name, activity.xact_start
ORDER BY activity.xact_start;

-- name: create_schema
-- The statement that makes the schema $1, unless it is there: who may not make one may still use what somebody has
-- made for them. It belongs to all ledgers.
SELECT format('CREATE SCHEMA %I', $1::text) AS statement
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1::text);

-- name: search_schema
-- For the session: what the migrations name without a schema is in $1, to which all of it belongs, and not to a ledger.
SELECT set_config('search_path', quote_ident($1::text), false);

-- name: read_search_path
-- As a start-up option takes it: $1, to which all tables of all ledgers belong, before what this session searches.
-- Nothing: it is searched already.
SELECT regexp_replace(quote_ident($1::text) || ',' || current_setting('search_path'), '([\\ ])', '\\\1', 'g')
WHERE $1::text <> ALL(current_schemas(false));

-- name: lift_statement_timeout
-- For the transaction, if $1, or else for the session. Touches no table, so no ledger.
SELECT set_config('statement_timeout', '0', $1::boolean);

-- name: lift_time_limits
-- Likewise, the others that this server knows; but a lock is waited for $1 milliseconds. Touches no ledger's table.
SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN $1::text ELSE '0' END, $2::boolean)
FROM pg_settings WHERE name IN ('lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout');

-- name: create_service_role
-- For the embedded PostgreSQL, whose socket only its owner can reach. A role belongs to no ledger.
-- unique_violation: two processes may make it at the same moment.
DO $$
BEGIN
    CREATE ROLE koshel_service LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- name: add_currency
-- Registered currencies belong to all ledgers. Nothing returned: the code was taken.
INSERT INTO currency (code, scale) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING code;

-- name: list_currencies
-- Registered currencies belong to all ledgers.
SELECT code, scale FROM currency ORDER BY code;

-- name: grant_service
-- What the service may do and nothing else, as statements for the role $1: it adds transactions,
-- receipts and batches but never changes or deletes one. Grants belong to the schema, which is $2, and not to a ledger.
-- Who may enter the schema already, as everybody may `public`, is granted nothing there: it may be somebody else's.
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', $2::text, $1::text) AS statement
WHERE NOT has_schema_privilege($1::text, $2::text, 'USAGE')
UNION ALL
SELECT format(statement, $1::text) AS statement
FROM (VALUES
    ('GRANT SELECT ON ledger, currency, account, transaction, receipt, batch, hold, queued, declined,'
     ' cancelled, turnover, split, exchange, transaction_change, account_change, api_key, _yoyo_migration TO %I'),
    ('GRANT INSERT ON account, transaction, receipt, batch, hold, queued, declined, cancelled, turnover, split, exchange,'
     ' transaction_change, account_change, ledger, api_key TO %I'),
    ('GRANT UPDATE (balance, held, version, revision, min_balance, max_balance, status, email, metadata, limits)'
     ' ON account TO %I'),
    ('GRANT UPDATE (amount, capture_at), DELETE ON hold TO %I'),
    ('GRANT UPDATE (limits_version, counted_at, windows), DELETE ON turnover TO %I'),
    ('GRANT UPDATE (due, attempts, error), DELETE ON queued TO %I'),
    ('GRANT UPDATE (name) ON ledger TO %I'),
    ('GRANT UPDATE (expires_at, revoked_at, last_used_at) ON api_key TO %I'),
    ('GRANT EXECUTE ON FUNCTION erase_account, make_partitions TO %I'),
    ('GRANT USAGE ON SEQUENCE account_id, transaction_id, group_id, api_key_id TO %I')
) AS grants (statement);

-- name: find_policies
-- Whether the service's roles are confined, and whether any role reads a single ledger; and those roles, which are the
-- ones that may add transactions. $1 is the schema, which belongs to all ledgers.
SELECT coalesce(bool_or(p.polname = 'koshel_service_confined'), false) AS is_confined,
    coalesce(bool_or(c.relname = 'account' AND p.polname ~ '^koshel_ledger_[0-9]+$'), false) AS has_readers,
    EXISTS (
        SELECT FROM aclexplode(t.relacl) AS granted
        WHERE granted.privilege_type = 'INSERT' AND granted.grantee NOT IN (0, t.relowner)
    ) AS has_service
FROM pg_class AS t
INNER JOIN pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = $1::text
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid
LEFT JOIN pg_policy AS p ON p.polrelid = c.oid
WHERE t.relname = 'transaction'
GROUP BY t.oid, t.relacl, t.relowner;

-- name: lock_tables
-- The statement that locks the tables in the schema $1 which may have policies, `account` first, as a batch locks them.
-- All ledgers wait for it, for a moment.
SELECT format(
    'LOCK TABLE %s IN ACCESS EXCLUSIVE MODE',
    string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY c.relname <> 'account', c.relname)
) AS statement
FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1::text AND c.relkind = ANY('{r,p}') AND c.relacl IS NOT NULL
    AND (c.relname = 'ledger' OR EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'ledger_id' AND NOT a.attisdropped
    ))
HAVING count(*) > 0;

-- name: secure_rows
-- The statements after which row-level security is as it should be in the schema $1, in order; nothing: it is. $2:
-- whether the service is confined to the ledgers that it names; $3: whether there is row-level security at all. The
-- policies are those of the service's roles, which may add transactions, and those of the roles that read a single
-- ledger, which `account` tells. Each table with a ledger_id that one of these may use is covered, whichever migration has
-- made it, and `ledger`, where a row is one. A table of somebody else's in the same schema is not.
-- An API key is nothing that a reader of a ledger sees.
-- The setting is asked for once in each statement, not for each row: that is what the subqueries are for. Without a
-- setting it raises, and so it does when a database transaction that had one is over: nothing is hidden by mistake.
WITH served AS (
    SELECT DISTINCT granted.grantee AS role
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(c.relacl) AS granted
    WHERE n.nspname = $1::text AND c.relname = 'transaction' AND granted.privilege_type = 'INSERT'
        AND granted.grantee NOT IN (0, c.relowner)
), service AS (
    SELECT string_agg(quote_ident(pg_get_userbyid(role)), ', ' ORDER BY quote_ident(pg_get_userbyid(role))) AS roles
    FROM served
), concerned AS (
    SELECT role FROM served
    UNION
    SELECT unnest(p.polroles)
    FROM pg_policy AS p
    INNER JOIN pg_class AS c ON c.oid = p.polrelid AND c.relname = 'account'
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $1::text
    WHERE p.polname ~ '^koshel_ledger_[0-9]+$'
), tables AS (
    SELECT c.oid, c.relname, c.relrowsecurity, CASE c.relname WHEN 'ledger' THEN 'id' ELSE 'ledger_id' END AS key
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relkind = ANY('{r,p}') AND (c.relname = 'ledger' OR EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'ledger_id' AND NOT a.attisdropped
    )) AND (
        EXISTS (SELECT FROM aclexplode(c.relacl) AS granted INNER JOIN concerned ON concerned.role = granted.grantee)
        OR EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname ~ '^koshel_')
    )
), present AS (
    SELECT t.oid, t.relname, p.polname, (
        SELECT string_agg(quote_ident(pg_get_userbyid(role)), ', ' ORDER BY quote_ident(pg_get_userbyid(role)))
        FROM unnest(p.polroles) AS one (role)
    ) AS roles
    FROM tables AS t INNER JOIN pg_policy AS p ON p.polrelid = t.oid
    WHERE p.polname ~ '^koshel_(service|service_confined|ledger_[0-9]+)$'
), confined (definition) AS (VALUES (
    'USING ((SELECT current_setting(''koshel.ledgers'') = ''all'') OR ledger_id = ANY ((SELECT'
    ' CASE WHEN current_setting(''koshel.ledgers'') <> ''all'' THEN current_setting(''koshel.ledgers'')::bigint[] END'
    ')::bigint[])) WITH CHECK (ledger_id = ANY ((SELECT'
    ' CASE WHEN current_setting(''koshel.ledgers'') <> ''all'' THEN current_setting(''koshel.ledgers'')::bigint[] END'
    ')::bigint[]))'
)), wanted AS (
    SELECT t.oid, t.relname, 'koshel_service_confined' AS polname, s.roles,
        format('FOR ALL TO %s %s', s.roles, (SELECT definition FROM confined)) AS definition
    FROM tables AS t CROSS JOIN service AS s
    WHERE $3::boolean AND $2::boolean AND t.relname <> 'ledger' AND s.roles IS NOT NULL
    UNION ALL
    SELECT t.oid, t.relname, 'koshel_service', s.roles, format('FOR ALL TO %s USING (true)', s.roles)
    FROM tables AS t CROSS JOIN service AS s
    WHERE $3 AND (NOT $2 OR t.relname = 'ledger') AND s.roles IS NOT NULL
    UNION ALL
    SELECT t.oid, t.relname, p.polname, p.roles, format(
        'FOR SELECT TO %s USING (%I = %s)', p.roles, t.key, substr(p.polname::text, 15)
    )
    FROM tables AS t CROSS JOIN present AS p
    WHERE p.relname = 'account' AND p.polname ~ '^koshel_ledger_' AND t.relname <> 'api_key'
)
SELECT statement FROM (
    SELECT 1 AS place, relname, NULL AS polname,
        format('ALTER TABLE %I.%I DISABLE ROW LEVEL SECURITY', $1::text, relname) AS statement
    FROM tables WHERE relrowsecurity AND NOT $3 AND oid IN (SELECT oid FROM present)
    UNION ALL
    SELECT 2, relname, polname, format('DROP POLICY %I ON %I.%I', polname, $1::text, relname)
    FROM present WHERE (oid, polname, roles) NOT IN (SELECT oid, polname, roles FROM wanted)
    UNION ALL
    SELECT 3, relname, polname, format('CREATE POLICY %I ON %I.%I %s', polname, $1::text, relname, definition)
    FROM wanted WHERE (oid, polname, roles) NOT IN (SELECT oid, polname, roles FROM present)
    UNION ALL
    SELECT 4, relname, NULL, format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', $1::text, relname)
    FROM tables WHERE NOT relrowsecurity AND $3
) AS changes
ORDER BY place, relname, polname;

-- name: find_unfit_reader
-- Why the role $2 must not read a single ledger of the schema $1: what it may besides, in words. A role belongs to no ledger.
-- Who is a member of a role may become that role.
SELECT CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'has BYPASSRLS'
    WHEN pg_has_role(r.oid, t.relowner, 'MEMBER') THEN 'is a member of the owner of the tables'
    WHEN EXISTS (
        SELECT FROM aclexplode(t.relacl) AS granted
        WHERE granted.privilege_type = 'INSERT' AND granted.grantee <> 0 AND pg_has_role(r.oid, granted.grantee, 'MEMBER')
    ) THEN 'is a role of the service'
    WHEN EXISTS (
        SELECT FROM pg_roles AS strong
        WHERE (strong.rolsuper OR strong.rolbypassrls) AND pg_has_role(r.oid, strong.oid, 'MEMBER')
    ) THEN 'is a member of a role that sees all'
END AS reason
FROM pg_roles AS r, pg_class AS t INNER JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE r.rolname = $2::text AND n.nspname = $1::text AND t.relname = 'transaction';

-- name: grant_ledger
-- What a role may do that reads a single ledger, as statements: $1 is the schema, $2 the role, $3 the ledger. The
-- policies on the other tables follow from that on `account`; see `secure_rows`.
WITH present AS (
    SELECT (
        SELECT string_agg(quote_ident(pg_get_userbyid(role)), ', ') FROM unnest(p.polroles) AS one (role)
        WHERE pg_get_userbyid(role) <> $2::text
    ) AS others
    FROM pg_policy AS p
    INNER JOIN pg_class AS c ON c.oid = p.polrelid AND c.relname = 'account'
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $1::text
    WHERE p.polname = 'koshel_ledger_' || $3::bigint
)
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', $1::text, $2::text) AS statement
UNION ALL
SELECT format('GRANT SELECT ON %I.%I TO %I', $1::text, name, $2::text)
FROM unnest('{ledger,currency,account,transaction,receipt,batch,hold,queued,declined,cancelled,turnover,split,exchange,transaction_change,account_change}'::text []) AS tables (name)
UNION ALL
SELECT format('ALTER POLICY %I ON %I.account TO %s', 'koshel_ledger_' || $3::bigint, $1::text, concat_ws(', ', others, quote_ident($2::text)))
FROM present
UNION ALL
SELECT format(
    'CREATE POLICY %I ON %I.account FOR SELECT TO %I USING (ledger_id = %s)',
    'koshel_ledger_' || $3::bigint, $1::text, $2::text, $3::bigint
)
WHERE NOT EXISTS (SELECT FROM present);

-- name: revoke_ledger
-- The reverse of `grant_ledger`, as statements: $1 is the schema, $2 the role, $3 the ledger. Who still reads another one
-- keeps its rights to the tables. Nothing: it did not read this ledger.
WITH present AS (
    SELECT p.polname, pg_get_userbyid(role) AS reader
    FROM pg_policy AS p
    INNER JOIN pg_class AS c ON c.oid = p.polrelid AND c.relname = 'account'
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = $1::text
    CROSS JOIN LATERAL unnest(p.polroles) AS one (role)
    WHERE p.polname ~ '^koshel_ledger_[0-9]+$'
), mine AS (
    SELECT polname FROM present WHERE polname = 'koshel_ledger_' || $3::bigint AND reader = $2::text
), others AS (
    SELECT string_agg(quote_ident(reader), ', ') AS roles FROM present
    WHERE polname = 'koshel_ledger_' || $3::bigint AND reader <> $2::text
)
SELECT CASE WHEN roles IS NULL THEN format('DROP POLICY %I ON %I.account', polname, $1::text)
        ELSE format('ALTER POLICY %I ON %I.account TO %s', polname, $1::text, roles)
    END AS statement
FROM mine CROSS JOIN others
UNION ALL
SELECT format(statement, $1::text, $2::text)
FROM mine CROSS JOIN (VALUES
    ('REVOKE SELECT ON ALL TABLES IN SCHEMA %I FROM %I'), ('REVOKE USAGE ON SCHEMA %I FROM %I')
) AS revoked (statement)
WHERE NOT EXISTS (SELECT FROM present WHERE reader = $2::text AND polname <> 'koshel_ledger_' || $3::bigint);

-- name: plan_for_whole_tables
-- For this transaction only. Where the statistics are older than the rows, a nested loop over a window's
-- rows took minutes for what a hash takes a second for. To compile each statement took longer than it saved, and so did
-- workers of each statement's own beside several connections. What does not fit in 64 MB goes to disk. Touches no table,
-- so no ledger.
SELECT set_config(name, setting, true) FROM (VALUES
    ('enable_nestloop', 'off'), ('enable_seqscan', 'on'), ('jit', 'off'), ('work_mem', '64MB'), ('timezone', 'UTC'),
    ('max_parallel_workers_per_gather', '0'), ('row_security', 'off')
) AS wanted (name, setting);

-- name: plan_for_look_ups
-- For this transaction only: some rows of large tables are looked up by their keys, a thousand at a time.
-- Touches no table, so no ledger.
SELECT set_config('enable_nestloop', 'on', true), set_config('enable_seqscan', 'off', true);

-- name: export_snapshot
-- For a second connection that has to see the same. Touches no table, so no ledger.
SELECT pg_export_snapshot() AS snapshot;

-- name: read_last_ids
-- The last that each sequence has given; the highest number of all, if it has given none since it was made or set
-- anew. A sequence has no ledger. A statement of its own, since it cannot run in parallel.
SELECT coalesce(pg_sequence_last_value('account_id'), 9223372036854775807) AS account_id,
    coalesce(pg_sequence_last_value('transaction_id'), 9223372036854775807) AS transaction_id,
    coalesce(pg_sequence_last_value('group_id'), 9223372036854775807) AS group_id;

-- name: count_proved
-- What a proof is of. Reads all ledgers: verification is of the whole database.
SELECT
    (SELECT count(*) FROM account) AS accounts, (SELECT count(*) FROM transaction) AS transactions,
    (SELECT count(*) FROM batch) AS batches;

-- name: survey_lines
-- How many accounts' histories do not lead, step by step, from nothing to what the account has. A line takes its account
-- from one state (version, balance, held) to the next. Each state that is left, but the first, is one that is reached,
-- so that only what the account has remains: sums of hashes say so, without sorting four million lines. $1 is random;
-- the hashes are without their lowest bits, so that each line's sum has room. Versions are hashed first, as PostgreSQL
-- gives for a zero nothing but the seed.
-- Sources and targets each on their own, so that most lines need no window. What ends a hold also frees what is left of
-- it. Reads all ledgers: verification is of the whole database.
WITH ending AS (
    SELECT t.ledger_id, t.source_account_id AS account_id, t.source_version AS version, t.source_balance AS balance,
        CASE t.kind WHEN 'capture' THEN t.source_balance + t.amount ELSE t.source_balance END AS balance_before,
        t.source_held AS held,
        nullif(coalesce(t.source_held, 0) + CASE
            WHEN h.id IS NOT NULL AND hold.id IS NULL AND row_number() OVER latest = 1
                THEN h.amount - sum(t.amount) OVER (PARTITION BY t.ledger_id, t.parent_id) + t.amount
            ELSE t.amount
        END, 0) AS held_before
    FROM transaction AS t
    LEFT JOIN transaction AS h ON h.ledger_id = t.ledger_id AND h.id = t.parent_id AND h.kind = 'hold'
    LEFT JOIN hold ON hold.ledger_id = t.ledger_id AND hold.id = t.parent_id
    WHERE t.parent_id IS NOT NULL AND t.kind IN ('capture', 'void', 'expiry')
    WINDOW latest AS (PARTITION BY t.ledger_id, t.parent_id ORDER BY t.source_version DESC, t.id DESC)
), summed AS (
    SELECT ledger_id, source_account_id AS account_id, sum(
        (hash_numeric_extended(source_balance, hashint8extended(source_version, $1::bigint)) >> 3)
        - (hash_numeric_extended(
            CASE kind WHEN 'hold' THEN source_balance ELSE source_balance + amount END,
            hashint8extended(source_version - 1, $1)
        ) >> 3)
        + CASE WHEN source_held IS NULL AND kind <> 'hold' THEN 0 ELSE
            coalesce(hash_numeric_extended(source_held, hashint8extended(source_version, ~$1)) >> 3, 0)
            - coalesce(hash_numeric_extended(
                CASE kind WHEN 'hold' THEN nullif(coalesce(source_held, 0) - amount, 0) ELSE source_held END,
                hashint8extended(source_version - 1, ~$1)
            ) >> 3, 0)
        END
    ) AS change
    FROM transaction WHERE source_version IS NOT NULL AND kind NOT IN ('capture', 'void', 'expiry')
    GROUP BY ledger_id, source_account_id
    UNION ALL
    SELECT ledger_id, target_account_id, sum(
        (hash_numeric_extended(target_balance, hashint8extended(target_version, $1)) >> 3)
        - (hash_numeric_extended(target_balance - amount, hashint8extended(target_version - 1, $1)) >> 3)
        + CASE WHEN target_held IS NULL THEN 0 ELSE
            (hash_numeric_extended(target_held, hashint8extended(target_version, ~$1)) >> 3)
            - (hash_numeric_extended(target_held, hashint8extended(target_version - 1, ~$1)) >> 3)
        END
    )
    FROM transaction WHERE target_version IS NOT NULL
    GROUP BY ledger_id, target_account_id
    UNION ALL
    SELECT ledger_id, account_id, sum(
        (hash_numeric_extended(balance, hashint8extended(version, $1)) >> 3)
        - (hash_numeric_extended(balance_before, hashint8extended(version - 1, $1)) >> 3)
        + coalesce(hash_numeric_extended(held, hashint8extended(version, ~$1)) >> 3, 0)
        - coalesce(hash_numeric_extended(held_before, hashint8extended(version - 1, ~$1)) >> 3, 0)
    )
    FROM ending GROUP BY ledger_id, account_id
), told AS (
    SELECT ledger_id, account_id, sum(change) AS change FROM summed GROUP BY ledger_id, account_id
)
SELECT count(*) AS suspects
FROM account AS a FULL JOIN told ON told.ledger_id = a.ledger_id AND told.account_id = a.id
WHERE a.id IS NULL OR coalesce(told.change, 0)
    <> (hash_numeric_extended(a.balance, hashint8extended(a.version, $1)) >> 3)
    - (hash_numeric_extended(0, hashint8extended(0, $1)) >> 3)
    + coalesce(hash_numeric_extended(nullif(a.held, 0), hashint8extended(a.version, ~$1)) >> 3, 0);

-- name: verify_currencies
-- Per currency and ledger: what the accounts have is what came in less what went out. A hold, a void and an
-- expiry move no money. Reads all ledgers: verification is of the whole database.
WITH kept AS (
    SELECT ledger_id, currency, sum(balance) AS balance FROM account GROUP BY ledger_id, currency
), flows AS (
    SELECT t.ledger_id, a.currency,
        coalesce(sum(t.amount) FILTER (WHERE t.source_account_id IS NULL), 0) AS paid_in,
        coalesce(sum(t.amount) FILTER (WHERE t.target_account_id IS NULL), 0) AS paid_out
    FROM transaction AS t
    INNER JOIN account AS a
        ON a.ledger_id = t.ledger_id AND a.id = coalesce(t.source_account_id, t.target_account_id)
    WHERE (t.source_account_id IS NULL OR t.target_account_id IS NULL) AND t.kind NOT IN ('hold', 'void', 'expiry')
    GROUP BY t.ledger_id, a.currency
)
SELECT kept.ledger_id, kept.currency, kept.balance, coalesce(paid_in, 0) AS paid_in, coalesce(paid_out, 0) AS paid_out
FROM kept LEFT JOIN flows ON flows.ledger_id = kept.ledger_id AND flows.currency = kept.currency
WHERE kept.balance <> coalesce(paid_in, 0) - coalesce(paid_out, 0)
ORDER BY kept.ledger_id, kept.currency LIMIT $1::bigint;

-- name: verify_accounts
-- Every account's balance and version equal what its transactions say: their signed sum and their
-- number, where they touched it. Reads all ledgers: verification is of the whole database.
WITH line AS (
    SELECT ledger_id, source_account_id AS account_id,
        CASE WHEN kind IN ('hold', 'void', 'expiry') THEN 0 ELSE -amount END AS change
    FROM transaction WHERE source_version IS NOT NULL
    UNION ALL
    SELECT ledger_id, target_account_id, amount
    FROM transaction WHERE target_version IS NOT NULL
), told AS (
    SELECT ledger_id, account_id, sum(change) AS balance, count(*) AS version
    FROM line GROUP BY ledger_id, account_id
)
SELECT a.ledger_id, a.id, a.balance, a.version, coalesce(told.balance, 0) AS told_balance,
    coalesce(told.version, 0) AS told_version
FROM account AS a LEFT JOIN told ON told.ledger_id = a.ledger_id AND told.account_id = a.id
WHERE a.balance <> coalesce(told.balance, 0) OR a.version <> coalesce(told.version, 0)
ORDER BY a.id LIMIT $1::bigint;

-- name: verify_lines
-- Along each account's history: versions run 1, 2, 3 ... without a gap, and each balance, and what is held,
-- is the one before it plus the change. What ends a hold also frees what is left of it.
-- Reads all ledgers: verification is of the whole database.
WITH freed AS (
    SELECT f.ledger_id, (array_agg(f.id ORDER BY f.source_version DESC))[1] AS id, h.amount - sum(f.amount) AS amount
    FROM transaction AS f
    INNER JOIN transaction AS h ON h.ledger_id = f.ledger_id AND h.id = f.parent_id AND h.kind = 'hold'
    WHERE f.parent_id IS NOT NULL AND f.kind IN ('capture', 'void', 'expiry')
        AND NOT EXISTS (SELECT FROM hold WHERE hold.ledger_id = f.ledger_id AND hold.id = f.parent_id)
    GROUP BY f.ledger_id, f.parent_id, h.amount
    HAVING h.amount <> sum(f.amount)
), line AS (
    SELECT t.ledger_id, t.id, t.source_account_id AS account_id, t.source_version AS version,
        t.source_balance AS balance, coalesce(t.source_held, 0) AS held,
        CASE WHEN t.kind IN ('hold', 'void', 'expiry') THEN 0 ELSE -t.amount END AS change,
        CASE WHEN t.kind = 'hold' THEN t.amount
            WHEN t.kind IN ('capture', 'void', 'expiry') THEN -t.amount - coalesce(freed.amount, 0)
            ELSE 0
        END AS held_change
    FROM transaction AS t
    LEFT JOIN freed ON freed.ledger_id = t.ledger_id AND freed.id = t.id
    WHERE t.source_version IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, target_account_id, target_version, target_balance, coalesce(target_held, 0), amount, 0
    FROM transaction WHERE target_version IS NOT NULL
), told AS (
    SELECT ledger_id, id, account_id, version, balance, held,
        coalesce(lag(version) OVER history, 0) + 1 AS told_version,
        coalesce(lag(balance) OVER history, 0) + change AS told_balance,
        coalesce(lag(held) OVER history, 0) + held_change AS told_held
    FROM line
    WINDOW history AS (PARTITION BY ledger_id, account_id ORDER BY version, id)
)
SELECT ledger_id, id, account_id, version, told_version, balance, told_balance, held, told_held
FROM told WHERE version <> told_version OR balance <> told_balance OR held <> told_held
ORDER BY account_id, version LIMIT $1::bigint;

-- name: verify_sides
-- Each transaction names accounts that exist, in one currency; its money has that currency's decimals; it is not older
-- than its accounts, nor ahead of the clock; and its id ($2 is the last that was given) and its group's ($3) were given.
-- Reads all ledgers: verification is of the whole database.
SELECT t.ledger_id, t.id, t.kind, t.group_id, t.source_account_id, t.target_account_id,
    t.source_account_id IS NOT NULL AND s.id IS NULL AS lacks_source,
    t.target_account_id IS NOT NULL AND d.id IS NULL AS lacks_target,
    s.currency AS source_currency, d.currency AS target_currency, coalesce(s.scale, d.scale) AS scale,
    scale(t.amount) <> coalesce(s.scale, d.scale) OR scale(t.source_balance) <> s.scale OR scale(t.target_balance) <> d.scale
    OR scale(t.source_held) <> s.scale OR scale(t.target_held) <> d.scale AS has_other_scale,
    (t.ctime AT TIME ZONE 'UTC')::text AS ctime, (greatest(s.ctime, d.ctime) AT TIME ZONE 'UTC')::text AS opened,
    t.ctime < greatest(s.ctime, d.ctime) AS is_early, t.ctime > now() AS is_ahead,
    t.id > $2::bigint AS has_new_id, t.group_id > $3::bigint AS has_new_group,
    jsonb_typeof(t.metadata) <> 'object' AS has_no_metadata
FROM transaction AS t
LEFT JOIN account AS s ON s.ledger_id = t.ledger_id AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = t.ledger_id AND d.id = t.target_account_id
WHERE (t.source_account_id IS NOT NULL AND s.id IS NULL) OR (t.target_account_id IS NOT NULL AND d.id IS NULL)
    OR s.currency <> d.currency OR s.scale <> d.scale OR scale(t.amount) <> coalesce(s.scale, d.scale)
    OR scale(t.source_balance) <> s.scale OR scale(t.target_balance) <> d.scale
    OR scale(t.source_held) <> s.scale OR scale(t.target_held) <> d.scale
    OR t.ctime < s.ctime OR t.ctime < d.ctime OR t.ctime > now() OR t.id > $2 OR t.group_id > $3
    OR jsonb_typeof(t.metadata) <> 'object'
ORDER BY t.id LIMIT $1::bigint;

-- name: survey_times
-- How often time falls from one version of an account to the next. Account and version as one number are sorted in half
-- the time; where that number has no room, nothing is sorted, and verify_times will tell. That versions run without a gap
-- is survey_lines' to say: here the line before one that is not an account's first is taken for that account's.
-- Reads all ledgers: verification is of the whole database.
WITH room AS MATERIALIZED (
    SELECT max(version) + 2 AS versions,
        (max(id) + 1)::numeric * (max(version) + 2) < 9223372036854775807 AS is_enough
    FROM account
), line AS (
    SELECT source_account_id * (SELECT versions FROM room) + source_version AS place, ctime
    FROM transaction WHERE source_version IS NOT NULL AND (SELECT is_enough FROM room)
    UNION ALL
    SELECT target_account_id * (SELECT versions FROM room) + target_version, ctime
    FROM transaction WHERE target_version IS NOT NULL AND (SELECT is_enough FROM room)
), told AS (
    SELECT place, ctime, lag(ctime) OVER history AS ctime_before
    FROM line WINDOW history AS (ORDER BY place)
)
SELECT count(*) + (SELECT count(*) FROM room WHERE NOT is_enough) AS suspects
FROM told WHERE ctime < ctime_before AND place % (SELECT versions FROM room) <> 1;

-- name: verify_times
-- Along each account's versions, time does not fall. Reads all ledgers: verification is of the whole database.
WITH line AS (
    SELECT ledger_id, id, source_account_id AS account_id, source_version AS version, ctime
    FROM transaction WHERE source_version IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, target_account_id, target_version, ctime
    FROM transaction WHERE target_version IS NOT NULL
), told AS (
    SELECT ledger_id, id, account_id, version, ctime, lag(ctime) OVER history AS ctime_before
    FROM line WINDOW history AS (PARTITION BY ledger_id, account_id ORDER BY version, id)
)
SELECT ledger_id, id, account_id, version, (ctime AT TIME ZONE 'UTC')::text AS ctime,
    (ctime_before AT TIME ZONE 'UTC')::text AS ctime_before
FROM told WHERE ctime < ctime_before
ORDER BY account_id, version LIMIT $1::bigint;

-- name: verify_ledgers
-- Every ledger that a row names exists; that of a transaction is its accounts'.
-- Reads all ledgers: verification is of the whole database.
SELECT named.ledger_id, named.relation, named.rows
FROM (
    SELECT ledger_id, 'account' AS relation, count(*) AS rows FROM account GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'batch', count(*) FROM batch GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'receipt', count(*) FROM receipt GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'hold', count(*) FROM hold GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'queued', count(*) FROM queued GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'declined', count(*) FROM declined GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'cancelled', count(*) FROM cancelled GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'turnover', count(*) FROM turnover GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'exchange', count(*) FROM exchange GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'transaction_change', count(*) FROM transaction_change GROUP BY ledger_id
    UNION ALL
    SELECT ledger_id, 'account_change', count(*) FROM account_change GROUP BY ledger_id
) AS named
LEFT JOIN ledger ON ledger.id = named.ledger_id
WHERE ledger.id IS NULL
ORDER BY 1, 2 LIMIT $1::bigint;

-- name: verify_registered
-- No ledger and no currency was made at a time that is still to come; a currency has no ledger.
-- Reads all ledgers: verification is of the whole database.
SELECT id AS ledger_id, 'it' AS what, (ctime AT TIME ZONE 'UTC')::text AS ctime FROM ledger WHERE ctime > now()
UNION ALL
SELECT NULL, 'the currency ' || code, (ctime AT TIME ZONE 'UTC')::text FROM currency WHERE ctime > now()
ORDER BY 1, 2 LIMIT $1::bigint;

-- name: verify_openings
-- Each account has a currency that is known (ISO 4217's are $3, with $4 decimals) and its decimals, a time that is not
-- ahead of the clock, and an id that was given ($2 is the last); one that was never changed is open. Reads all ledgers: verification is of the whole database.
SELECT a.ledger_id, a.id, a.currency, a.scale, known.scale AS known_scale, a.status,
    a.revision = 0 AND a.status <> 'open' AS is_unchanged, (a.ctime AT TIME ZONE 'UTC')::text AS ctime,
    a.ctime > now() AS is_ahead, a.id > $2::bigint AS has_new_id, jsonb_typeof(a.metadata) <> 'object' AS has_no_metadata
FROM account AS a
LEFT JOIN (
    SELECT code, scale FROM unnest($3::text [], $4::smallint []) AS iso (code, scale)
    UNION ALL
    SELECT code, scale FROM currency WHERE code <> ALL($3)
) AS known ON known.code = a.currency
WHERE a.scale IS DISTINCT FROM known.scale OR (a.revision = 0 AND a.status <> 'open')
    OR a.ctime > now() OR a.id > $2 OR jsonb_typeof(a.metadata) <> 'object'
ORDER BY a.id LIMIT $1::bigint;

-- name: verify_names
-- A name is 1 to 100 of the characters that it may have, and one account's only.
-- Reads all ledgers: verification is of the whole database.
SELECT ledger_id, id, name, is_formed, first_id
FROM (
    SELECT ledger_id, id, name, name ~ '^[A-Za-z0-9_.:-]{1,100}$' AS is_formed,
        min(id) OVER (PARTITION BY ledger_id, name) AS first_id
    FROM account WHERE name IS NOT NULL
) AS named
WHERE NOT is_formed OR first_id <> id
ORDER BY id LIMIT $1::bigint;

-- name: verify_opened
-- An account that was opened with a key has the receipt of that key, which says this account; and the other way round.
-- Ids in a receipt are compared as text: what has been changed there may be none.
-- Reads all ledgers: verification is of the whole database.
SELECT coalesce(a.ledger_id, r.ledger_id) AS ledger_id, a.id, r.account_id,
    coalesce(a.idempotency_key, r.idempotency_key) AS idempotency_key
FROM (SELECT ledger_id, id, idempotency_key FROM account WHERE idempotency_key IS NOT NULL) AS a
FULL JOIN (
    SELECT ledger_id, answer #>> '{account,id}' AS account_id, idempotency_key
    FROM receipt WHERE answer ->> 'type' = 'opened'
) AS r ON r.ledger_id = a.ledger_id AND r.idempotency_key = a.idempotency_key AND r.account_id = a.id::text
WHERE a.id IS NULL OR r.idempotency_key IS NULL
ORDER BY 1, 4, 2 LIMIT $1::bigint;

-- name: verify_closed
-- A closed account is empty. Reads all ledgers: verification is of the whole database.
SELECT ledger_id, id, balance, held FROM account
WHERE status = 'closed' AND (balance <> 0 OR held <> 0)
ORDER BY id LIMIT $1::bigint;

-- name: verify_held
-- What an account has held is what its open holds reserve.
-- Reads all ledgers: verification is of the whole database.
WITH reserved AS (
    SELECT t.ledger_id, t.source_account_id AS account_id, sum(hold.amount) AS amount
    FROM hold INNER JOIN transaction AS t ON t.ledger_id = hold.ledger_id AND t.id = hold.id
    GROUP BY t.ledger_id, t.source_account_id
)
SELECT a.ledger_id, a.id, a.held, coalesce(reserved.amount, 0) AS reserved
FROM account AS a LEFT JOIN reserved ON reserved.ledger_id = a.ledger_id AND reserved.account_id = a.id
WHERE a.held <> coalesce(reserved.amount, 0)
ORDER BY a.id LIMIT $1::bigint;

-- name: verify_holds
-- The row of a hold says what is left of it, until when, and when it is to be captured, which may have been put off; a
-- hold without a row has something that ended it.
-- Reads all ledgers: verification is of the whole database.
WITH followed AS (
    SELECT ledger_id, parent_id, sum(amount) AS amount FROM transaction
    WHERE parent_id IS NOT NULL AND kind IN ('capture', 'void', 'expiry')
    GROUP BY ledger_id, parent_id
), told AS (
    SELECT t.ledger_id, t.id, t.amount - coalesce(f.amount, 0) AS rest, t.expires_at, t.capture_at,
        f.amount AS followed, t.expires_at < t.ctime AS is_backward
    FROM transaction AS t LEFT JOIN followed AS f ON f.ledger_id = t.ledger_id AND f.parent_id = t.id
    WHERE t.kind = 'hold'
)
SELECT coalesce(hold.ledger_id, told.ledger_id) AS ledger_id, coalesce(hold.id, told.id) AS id,
    hold.amount AS reserved, told.rest, (hold.expires_at AT TIME ZONE 'UTC')::text AS expires_at,
    (told.expires_at AT TIME ZONE 'UTC')::text AS told_expires_at, coalesce(told.is_backward, false) AS is_backward,
    (hold.capture_at AT TIME ZONE 'UTC')::text AS capture_at,
    (told.capture_at AT TIME ZONE 'UTC')::text AS told_capture_at
FROM told FULL JOIN hold ON hold.ledger_id = told.ledger_id AND hold.id = told.id
WHERE told.id IS NULL OR (hold.id IS NULL AND told.followed IS NULL) OR told.is_backward
    OR hold.amount <> told.rest OR scale(hold.amount) <> scale(told.rest) OR hold.expires_at <> told.expires_at
    OR (hold.id IS NOT NULL AND CASE
        WHEN told.capture_at IS NULL THEN hold.capture_at IS NOT NULL
        ELSE coalesce(hold.capture_at < told.capture_at, true)
    END)
ORDER BY 2 LIMIT $1::bigint;

-- name: verify_endings
-- No capture takes more than is left of its hold, a void and an expiry release exactly that, and the time of a
-- hold is up when it expires and not before. A capture that was asked for as the final one ends its hold, and another
-- one does only if it takes all, as one does that was asked for without an amount. What was asked for is known of those
-- with a key.
-- Reads all ledgers: verification is of the whole database.
WITH following AS (
    SELECT f.ledger_id, f.id, f.kind, f.parent_id, f.amount, f.ctime, f.idempotency_key, h.expires_at,
        h.amount - coalesce(sum(f.amount) OVER earlier, 0) AS rest,
        hold.id IS NULL AND lead(f.id) OVER later IS NULL AS is_end
    FROM transaction AS f
    INNER JOIN transaction AS h ON h.ledger_id = f.ledger_id AND h.id = f.parent_id AND h.kind = 'hold'
    LEFT JOIN hold ON hold.ledger_id = f.ledger_id AND hold.id = f.parent_id
    WHERE f.parent_id IS NOT NULL AND f.kind IN ('capture', 'void', 'expiry')
    WINDOW earlier AS (
        PARTITION BY f.ledger_id, f.parent_id ORDER BY f.source_version, f.id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), later AS (PARTITION BY f.ledger_id, f.parent_id ORDER BY f.source_version, f.id)
), asked AS (
    SELECT f.*, CASE WHEN coalesce(r.request, r.answer) IS NOT NULL
            THEN coalesce(r.request ->> 'final', r.answer #>> '{command,command,final}', 'true')
        END AS final,
        coalesce(r.request, r.answer) IS NOT NULL
        AND coalesce(r.request ->> 'amount', r.answer #>> '{command,command,amount}') IS NULL AS is_of_all
    FROM following AS f
    LEFT JOIN receipt AS r ON r.ledger_id = f.ledger_id AND r.idempotency_key = f.idempotency_key
    -- One that takes all may have been asked for either way, and nearly all of them do.
    WHERE NOT (f.kind = 'capture' AND f.is_end AND f.amount = f.rest AND f.ctime < f.expires_at)
)
SELECT ledger_id, id, kind, parent_id, amount, rest, (ctime AT TIME ZONE 'UTC')::text AS ctime,
    (expires_at AT TIME ZONE 'UTC')::text AS expires_at, is_end,
    CASE WHEN kind = 'capture' THEN amount <= rest ELSE amount = rest END AS is_covered,
    (kind = 'expiry') = (ctime >= expires_at) AS is_timely, kind = 'capture' AND is_of_all AS is_of_all
FROM asked
WHERE (kind = 'expiry') <> (ctime >= expires_at)
    OR CASE WHEN kind = 'capture' THEN amount > rest ELSE amount <> rest END
    OR (final = 'true' AND NOT is_end) OR (final = 'false' AND is_end AND amount <> rest)
    OR (kind = 'capture' AND is_of_all AND amount <> rest)
ORDER BY id LIMIT $1::bigint;

-- name: survey_parents
-- How many transactions do not follow what they may, as verify_parents says of each. An inner join, so that those are
-- hashed and not all transactions; who follows nothing is missing in it. Reads all ledgers: verification is of the whole
-- database.
SELECT (SELECT count(*) FROM transaction WHERE parent_id IS NOT NULL) - count(*) AS suspects
FROM transaction AS t INNER JOIN transaction AS p ON p.ledger_id = t.ledger_id AND p.id = t.parent_id
WHERE t.parent_id IS NOT NULL AND CASE WHEN t.kind = 'refund'
    THEN p.kind IN ('payment', 'withdrawal', 'transfer', 'capture')
        AND (t.source_account_id, t.target_account_id)
        IS NOT DISTINCT FROM (p.target_account_id, p.source_account_id)
        AND coalesce(t.source_version > p.target_version, true) AND coalesce(t.target_version > p.source_version, true)
    ELSE p.kind = 'hold'
        AND (t.source_account_id, t.target_account_id)
        IS NOT DISTINCT FROM (p.source_account_id, p.target_account_id)
        AND t.source_version > p.source_version
        AND (t.kind <> 'expiry' OR t.reference IS NOT DISTINCT FROM p.reference)
END;

-- name: verify_parents
-- What follows a transaction follows one that can be followed so, after it, between the same accounts; a refund goes
-- the other way round. An expiry, of which nobody says anything, has its hold's reference. Reads all ledgers: verification is of the whole database.
SELECT t.ledger_id, t.id, t.kind, t.parent_id, p.kind AS parent_kind, t.source_account_id, t.target_account_id,
    p.source_account_id AS parent_source_account_id, p.target_account_id AS parent_target_account_id,
    CASE WHEN t.kind = 'refund' THEN p.kind IN ('payment', 'withdrawal', 'transfer', 'capture')
        ELSE p.kind = 'hold'
    END AS is_suitable,
    CASE WHEN t.kind = 'refund'
        THEN (t.source_account_id, t.target_account_id)
            IS NOT DISTINCT FROM (p.target_account_id, p.source_account_id)
        ELSE (t.source_account_id, t.target_account_id)
            IS NOT DISTINCT FROM (p.source_account_id, p.target_account_id)
    END AS is_straight, t.kind = 'expiry' AND t.reference IS DISTINCT FROM p.reference AS is_of_another
FROM transaction AS t LEFT JOIN transaction AS p ON p.ledger_id = t.ledger_id AND p.id = t.parent_id
WHERE t.parent_id IS NOT NULL AND (p.id IS NULL OR CASE WHEN t.kind = 'refund'
    THEN p.kind NOT IN ('payment', 'withdrawal', 'transfer', 'capture')
        OR (t.source_account_id, t.target_account_id)
        IS DISTINCT FROM (p.target_account_id, p.source_account_id)
        OR t.source_version <= p.target_version OR t.target_version <= p.source_version
    ELSE p.kind <> 'hold'
        OR (t.source_account_id, t.target_account_id)
        IS DISTINCT FROM (p.source_account_id, p.target_account_id)
        OR t.source_version <= p.source_version
        OR (t.kind = 'expiry' AND t.reference IS DISTINCT FROM p.reference)
END)
ORDER BY t.id LIMIT $1::bigint;

-- name: verify_refunds
-- The refunds of a transaction do not add up to more than it.
-- Reads all ledgers: verification is of the whole database.
WITH refunded AS (
    SELECT ledger_id, parent_id, sum(amount) AS amount FROM transaction
    WHERE parent_id IS NOT NULL AND kind = 'refund'
    GROUP BY ledger_id, parent_id
)
SELECT t.ledger_id, t.id, t.amount, r.amount AS refunded
FROM refunded AS r INNER JOIN transaction AS t ON t.ledger_id = r.ledger_id AND t.id = r.parent_id
WHERE r.amount > t.amount
ORDER BY t.id LIMIT $1::bigint;

-- name: verify_refunds_of_all
-- A refund that was asked for without an amount, if it has a key to tell, is of all that was left.
-- Reads all ledgers: verification is of the whole database.
WITH following AS (
    SELECT f.ledger_id, f.id, f.amount, f.parent_id, f.idempotency_key,
        p.amount - coalesce(sum(f.amount) OVER earlier, 0) AS rest
    FROM transaction AS f
    INNER JOIN transaction AS p ON p.ledger_id = f.ledger_id AND p.id = f.parent_id
    WHERE f.parent_id IS NOT NULL AND f.kind = 'refund'
    WINDOW earlier AS (
        PARTITION BY f.ledger_id, f.parent_id ORDER BY coalesce(f.source_version, f.target_version), f.id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
SELECT f.ledger_id, f.id, f.amount, f.parent_id, f.rest
FROM following AS f
INNER JOIN receipt AS r ON r.ledger_id = f.ledger_id AND r.idempotency_key = f.idempotency_key
WHERE f.amount <> f.rest AND coalesce(r.request, r.answer) IS NOT NULL
    AND coalesce(r.request ->> 'amount', r.answer #>> '{command,command,amount}') IS NULL
ORDER BY f.id LIMIT $1::bigint;

-- name: verify_queued
-- What was enqueued is posted, queued, declined or cancelled, and only one of these.
-- Reads all ledgers: verification is of the whole database.
SELECT q.ledger_id, q.id, 'queued' AS one, 'posted' AS other
FROM queued AS q INNER JOIN transaction AS t ON t.ledger_id = q.ledger_id AND t.id = q.id
UNION ALL
SELECT d.ledger_id, d.id, 'declined', 'posted'
FROM declined AS d INNER JOIN transaction AS t ON t.ledger_id = d.ledger_id AND t.id = d.id
UNION ALL
SELECT d.ledger_id, d.id, 'declined', 'queued'
FROM declined AS d INNER JOIN queued AS q ON q.ledger_id = d.ledger_id AND q.id = d.id
UNION ALL
SELECT c.ledger_id, c.id, 'cancelled', 'posted'
FROM cancelled AS c INNER JOIN transaction AS t ON t.ledger_id = c.ledger_id AND t.id = c.id
UNION ALL
SELECT c.ledger_id, c.id, 'cancelled', 'queued'
FROM cancelled AS c INNER JOIN queued AS q ON q.ledger_id = c.ledger_id AND q.id = c.id
UNION ALL
SELECT c.ledger_id, c.id, 'cancelled', 'declined'
FROM cancelled AS c INNER JOIN declined AS d ON d.ledger_id = c.ledger_id AND d.id = c.id
ORDER BY 2, 3, 4 LIMIT $1::bigint;

-- name: verify_limits
-- An account with limits by time, and no other, has a turnover, with a window for each of them. What has been changed in
-- JSON may be of any type. Reads all ledgers: verification is of the whole database.
WITH limited AS (
    SELECT ledger_id, id, version, ARRAY(
        SELECT one ->> 'per' FROM jsonb_path_query(limits, '$[*]') AS one ORDER BY 1
    ) AS told, NOT EXISTS (
        SELECT FROM jsonb_path_query(limits, '$[*]') AS one
        WHERE NOT coalesce(one ->> 'out', one ->> 'in', '') ~ '^[0-9]' OR concat(one ->> 'out', one ->> 'in') ~ '[^0-9.]'
    ) AS are_amounts
    FROM account WHERE limits IS NOT NULL
)
SELECT coalesce(a.ledger_id, t.ledger_id) AS ledger_id, coalesce(a.id, t.account_id) AS id,
    a.id IS NOT NULL AS is_limited, t.account_id IS NOT NULL AS is_counted
FROM limited AS a
FULL JOIN (
    SELECT ledger_id, account_id, limits_version, ARRAY(
        SELECT one ->> 'per' FROM jsonb_path_query(windows, '$[*]') AS one ORDER BY 1
    ) AS told, NOT EXISTS (
        SELECT FROM jsonb_path_query(windows, '$[*]') AS one
        WHERE concat(jsonb_typeof(one -> 'since'), jsonb_typeof(one -> 'buckets')) <> 'numberarray'
    ) AS are_windows
    FROM turnover
) AS t ON t.ledger_id = a.ledger_id AND t.account_id = a.id
WHERE a.id IS NULL OR t.account_id IS NULL OR a.told <> t.told OR NOT a.are_amounts OR NOT t.are_windows
    OR t.limits_version > a.version
    OR NOT a.told <@ '{1h,1d,7d,30d,365d}' OR a.told = '{}'
ORDER BY 1, 2 LIMIT $1::bigint;

-- name: verify_turnovers
-- What is counted in each bucket of a window is what the transactions of then have moved; the buckets that were past
-- when it was counted last may be gone. Reads all ledgers: verification is of the whole database.
WITH counted AS (
    SELECT t.ledger_id, t.account_id, one ->> 'per' AS per, l.seconds, one AS its,
        floor(extract(epoch FROM t.counted_at) / l.seconds) - 60 AS oldest,
        CASE WHEN jsonb_typeof(one -> 'since') = 'number' THEN (one ->> 'since')::numeric ELSE 0 END AS since
    FROM turnover AS t
    CROSS JOIN LATERAL jsonb_path_query(t.windows, '$[*]') AS one
    INNER JOIN (VALUES ('1h', 60), ('1d', 1440), ('7d', 10080), ('30d', 43200), ('365d', 525600)) AS l (per, seconds)
        ON l.per = one ->> 'per'
), told AS (
    SELECT c.ledger_id, c.account_id, c.per, c.oldest, one ->> 0 AS number,
        CASE WHEN one ->> 1 ~ '^[0-9]+([.][0-9]+)?$' THEN (one ->> 1)::numeric END AS paid_out,
        CASE WHEN one ->> 2 ~ '^[0-9]+([.][0-9]+)?$' THEN (one ->> 2)::numeric END AS paid_in
    FROM counted AS c CROSS JOIN LATERAL jsonb_path_query(c.its, '$.buckets[*]') AS one
), booked AS (
    SELECT m.ledger_id, m.account_id, m.per, m.number, sum(m.paid_out) AS paid_out, sum(m.paid_in) AS paid_in
    FROM (
        SELECT c.ledger_id, c.account_id, c.per, c.oldest, floor(extract(epoch FROM s.ctime) / c.seconds) AS number,
            s.amount AS paid_out, 0 AS paid_in
        FROM counted AS c
        INNER JOIN transaction AS s ON s.ledger_id = c.ledger_id AND s.source_account_id = c.account_id
        WHERE s.source_version > c.since AND s.kind = ANY('{withdrawal,transfer,capture,refund}')
        UNION ALL
        SELECT c.ledger_id, c.account_id, c.per, c.oldest, floor(extract(epoch FROM d.ctime) / c.seconds), 0, d.amount
        FROM counted AS c
        INNER JOIN transaction AS d ON d.ledger_id = c.ledger_id AND d.target_account_id = c.account_id
        WHERE d.target_version > c.since
    ) AS m
    WHERE m.number >= m.oldest
    GROUP BY m.ledger_id, m.account_id, m.per, m.number
)
SELECT coalesce(t.ledger_id, b.ledger_id) AS ledger_id, coalesce(t.account_id, b.account_id) AS id,
    coalesce(t.per, b.per) AS per, coalesce(t.number, b.number::text) AS number,
    t.paid_out, t.paid_in, coalesce(b.paid_out, 0) AS booked_out, coalesce(b.paid_in, 0) AS booked_in
FROM told AS t
FULL JOIN booked AS b
    ON b.ledger_id = t.ledger_id AND b.account_id = t.account_id AND b.per = t.per AND b.number::text = t.number
WHERE (t.paid_out IS DISTINCT FROM b.paid_out OR t.paid_in IS DISTINCT FROM b.paid_in)
    AND (t.oldest IS NULL OR b.number IS NOT NULL OR NOT coalesce(t.number, '') ~ '^[0-9]{1,18}$' OR CASE
        WHEN t.number ~ '^[0-9]{1,18}$' THEN t.number::bigint >= t.oldest
    END)
ORDER BY 1, 2, 3, 4 LIMIT $1::bigint;

-- name: verify_windows
-- Of all that moved since an account was given its limits, nothing has taken it past the one of the length $2, by what
-- moved in the time $3 up to then. Reads all ledgers: verification is of the whole database.
WITH limited AS (
    SELECT a.ledger_id, a.id AS account_id, t.limits_version,
        CASE WHEN one ->> 'out' ~ '^[0-9]+([.][0-9]+)?$' THEN (one ->> 'out')::numeric END AS most_out,
        CASE WHEN one ->> 'in' ~ '^[0-9]+([.][0-9]+)?$' THEN (one ->> 'in')::numeric END AS most_in,
        CASE WHEN jsonb_typeof(w -> 'since') = 'number' THEN (w ->> 'since')::numeric ELSE 0 END AS since
    FROM account AS a
    INNER JOIN turnover AS t ON t.ledger_id = a.ledger_id AND t.account_id = a.id
    CROSS JOIN LATERAL jsonb_path_query(a.limits, '$[*]') AS one
    CROSS JOIN LATERAL jsonb_path_query(t.windows, '$[*]') AS w
    WHERE a.limits IS NOT NULL AND one ->> 'per' = $2::text AND w ->> 'per' = $2::text
), moved AS (
    SELECT l.*, s.id, s.source_version AS version, s.ctime, s.amount AS paid_out, 0 AS paid_in
    FROM limited AS l
    INNER JOIN transaction AS s ON s.ledger_id = l.ledger_id AND s.source_account_id = l.account_id
    WHERE s.source_version > l.since AND s.kind = ANY('{withdrawal,transfer,capture,refund}') AND isfinite(s.ctime)
    UNION ALL
    SELECT l.*, d.id, d.target_version, d.ctime, 0, d.amount
    FROM limited AS l
    INNER JOIN transaction AS d ON d.ledger_id = l.ledger_id AND d.target_account_id = l.account_id
    WHERE d.target_version > l.since AND isfinite(d.ctime)
), summed AS (
    SELECT moved.*, sum(paid_out) OVER its_window AS sum_out, sum(paid_in) OVER its_window AS sum_in
    FROM moved
    WINDOW its_window AS (
        PARTITION BY ledger_id, account_id ORDER BY ctime RANGE BETWEEN $3::interval PRECEDING AND CURRENT ROW
    )
)
SELECT ledger_id, id, account_id, $2::text AS per, paid_out > 0 AS is_out,
    CASE WHEN paid_out > 0 THEN sum_out ELSE sum_in END AS moved,
    CASE WHEN paid_out > 0 THEN most_out ELSE most_in END AS most
FROM summed
WHERE version > limits_version AND ((paid_out > 0 AND sum_out > most_out) OR (paid_in > 0 AND sum_in > most_in))
ORDER BY account_id, version LIMIT $1::bigint;

-- name: verify_enqueued
-- A transaction that was enqueued and is not posted is what its key has answered.
-- Reads all ledgers: verification is of the whole database.
SELECT p.ledger_id, p.id, r.idempotency_key
FROM (
    SELECT ledger_id, id, promise FROM queued
    UNION ALL
    SELECT ledger_id, id, promise FROM declined
    UNION ALL
    SELECT ledger_id, id, promise FROM cancelled
) AS p
INNER JOIN receipt AS r ON r.ledger_id = p.ledger_id AND r.transaction_id = p.id
WHERE r.answer IS DISTINCT FROM p.promise
ORDER BY p.id, r.idempotency_key LIMIT $1::bigint;

-- name: survey_receipts
-- Of how many ledgers the transactions with their keys, posted or enqueued, are not the receipts with theirs: sums of
-- hashes say so. $1 is random. Reads all ledgers: verification is of the whole database.
WITH keyed AS (
    SELECT ledger_id, id, idempotency_key FROM transaction WHERE idempotency_key IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM queued WHERE promise -> 'command' ->> 'key' IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM declined WHERE promise -> 'command' ->> 'key' IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM cancelled WHERE promise -> 'command' ->> 'key' IS NOT NULL
)
SELECT count(*) AS suspects
FROM (
    SELECT ledger_id, sum(hashtextextended(idempotency_key, id # $1::bigint)) AS keys FROM keyed GROUP BY ledger_id
) AS t
FULL JOIN (
    SELECT ledger_id, sum(hashtextextended(idempotency_key, transaction_id # $1)) AS keys
    FROM receipt WHERE transaction_id IS NOT NULL GROUP BY ledger_id
) AS r ON r.ledger_id = t.ledger_id
WHERE t.keys IS DISTINCT FROM r.keys;

-- name: verify_receipts
-- A transaction with a key, posted or enqueued, has the receipt of that key, and a receipt's transaction is
-- there, or queued, or declined, or cancelled, and has its key. Reads all ledgers: verification is of the whole database.
WITH keyed AS (
    SELECT ledger_id, id, idempotency_key FROM transaction WHERE idempotency_key IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM queued WHERE promise -> 'command' ->> 'key' IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM declined WHERE promise -> 'command' ->> 'key' IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, promise -> 'command' ->> 'key' FROM cancelled WHERE promise -> 'command' ->> 'key' IS NOT NULL
)
SELECT coalesce(t.ledger_id, r.ledger_id) AS ledger_id, t.id, r.transaction_id, r.answer IS NOT NULL AS is_enqueue,
    coalesce(t.idempotency_key, r.idempotency_key) AS idempotency_key, (
        EXISTS (SELECT FROM transaction AS x WHERE x.ledger_id = r.ledger_id AND x.id = r.transaction_id)
        OR EXISTS (SELECT FROM queued AS x WHERE x.ledger_id = r.ledger_id AND x.id = r.transaction_id)
        OR EXISTS (SELECT FROM declined AS x WHERE x.ledger_id = r.ledger_id AND x.id = r.transaction_id)
        OR EXISTS (SELECT FROM cancelled AS x WHERE x.ledger_id = r.ledger_id AND x.id = r.transaction_id)
    ) AS is_there
FROM keyed AS t
FULL JOIN (
    SELECT ledger_id, transaction_id, idempotency_key, answer FROM receipt WHERE transaction_id IS NOT NULL
) AS r
    ON r.ledger_id = t.ledger_id AND r.transaction_id = t.id AND r.idempotency_key = t.idempotency_key
WHERE t.id IS NULL OR r.transaction_id IS NULL
ORDER BY 1, 2 LIMIT $1::bigint;

-- name: survey_batches
-- At how many moments the transactions are not those of the batches of that moment, which the first transaction of each
-- batch tells: sums of hashes say so. So each transaction is in one batch, and those of a batch have one time. A batch
-- whose first transaction is missing counts too. An inner join, so that the batches are hashed and not the transactions.
-- $1 is random, and carries the upper half of the id, as PostgreSQL folds the two halves into one.
-- Reads all ledgers: verification is of the whole database.
WITH settled AS MATERIALIZED (
    SELECT ledger_id, transaction_ids[1] AS first_id,
        (SELECT sum(hashint8extended(one, $1::bigint + (one >> 32))) FROM unnest(transaction_ids) AS each (one)) AS ids
    FROM batch WHERE cardinality(transaction_ids) > 0
), moment AS (
    SELECT t.ledger_id, t.ctime, sum(b.ids) AS ids, count(*) AS batches
    FROM settled AS b INNER JOIN transaction AS t ON t.ledger_id = b.ledger_id AND t.id = b.first_id
    GROUP BY t.ledger_id, t.ctime
)
SELECT count(*) FILTER (WHERE t.ids IS DISTINCT FROM m.ids) + (SELECT count(*) FROM settled) - coalesce(sum(m.batches), 0)
    AS suspects
FROM (
    SELECT ledger_id, ctime, sum(hashint8extended(id, $1 + (id >> 32))) AS ids FROM transaction GROUP BY ledger_id, ctime
) AS t
FULL JOIN moment AS m ON m.ledger_id = t.ledger_id AND m.ctime = t.ctime;

-- name: verify_batches
-- Every transaction is in exactly one batch, and every batch's transactions are there.
-- Reads all ledgers: verification is of the whole database.
SELECT coalesce(t.ledger_id, b.ledger_id) AS ledger_id, coalesce(t.id, b.transaction_id) AS id, b.times
FROM transaction AS t
FULL JOIN (
    SELECT ledger_id, unnest(transaction_ids) AS transaction_id, count(*) AS times
    FROM batch GROUP BY ledger_id, 2
) AS b ON b.ledger_id = t.ledger_id AND b.transaction_id = t.id
WHERE t.id IS NULL OR b.transaction_id IS NULL OR b.times <> 1
ORDER BY 2 LIMIT $1::bigint;

-- name: verify_moments
-- All transactions of a batch have one time. Reads all ledgers: verification is of the whole database.
SELECT b.ledger_id, min(t.id) AS id, count(DISTINCT t.ctime) AS times
FROM (SELECT ledger_id, id, unnest(transaction_ids) AS transaction_id FROM batch) AS b
INNER JOIN transaction AS t ON t.ledger_id = b.ledger_id AND t.id = b.transaction_id
GROUP BY b.ledger_id, b.id
HAVING min(t.ctime) <> max(t.ctime)
ORDER BY b.ledger_id, min(t.id) LIMIT $1::bigint;

-- name: verify_account_changes
-- Each account has its changes from its opening on, or from how a migration found it: numbered without a gap, up to its
-- revision, and what the last one left is the account. Their times do not go back. The opening has the account's time and
-- key. A change with a key has the receipt of that key, which says this change, and the other way round, as far back as the changes go: ids
-- in a receipt are compared as text, as what has been changed there may be none. Reads all ledgers: verification is of the whole database.
WITH numbered AS (
    SELECT c.*, row_number() OVER its_changes AS place, first_value(c.revision) OVER its_changes AS first_revision,
        lag(c.ctime) OVER its_changes AS ctime_before,
        c.revision = max(c.revision) OVER (PARTITION BY c.ledger_id, c.account_id) AS is_last
    FROM account_change AS c
    WINDOW its_changes AS (PARTITION BY c.ledger_id, c.account_id ORDER BY c.revision)
), told AS (
    SELECT ledger_id, idempotency_key, answer #>> '{account,id}' AS account_id,
        coalesce(answer #>> '{account,revision}', '0') AS revision
    FROM receipt WHERE answer ->> 'type' IN ('opened', 'changed')
), compared AS (
    SELECT coalesce(a.ledger_id, c.ledger_id, r.ledger_id) AS ledger_id,
        coalesce(a.id::text, c.account_id::text, r.account_id) AS id, coalesce(c.revision::text, r.revision) AS revision,
        coalesce(c.idempotency_key, r.idempotency_key) AS idempotency_key, c.ctime,
        c.ledger_id IS NULL AND r.ledger_id IS NULL AS lacks_changes,
        c.ledger_id IS NULL AND r.ledger_id IS NOT NULL AS lacks_change,
        c.ledger_id IS NOT NULL AND a.id IS NULL AS lacks_account,
        c.revision <> c.first_revision + c.place - 1
        OR (c.place = 1 AND (c.revision > 0) <> c.is_found) OR (c.place > 1 AND c.is_found) AS is_misnumbered,
        c.ctime < coalesce(c.ctime_before, a.ctime) OR c.ctime > now()
        OR (c.revision = 0 AND c.ctime <> a.ctime) AS is_untimely,
        a.id IS NOT NULL AND c.is_last AND (
            a.revision, a.email, a.min_balance, a.max_balance, a.status, a.metadata, a.limits
        ) IS DISTINCT FROM (
            c.revision, c.email, c.min_balance, c.max_balance, c.status, c.metadata, c.limits
        ) AS is_other,
        c.ledger_id IS NOT NULL AND (
            (c.idempotency_key IS NOT NULL AND r.idempotency_key IS NULL)
            OR (c.revision = 0 AND a.idempotency_key IS DISTINCT FROM c.idempotency_key)
        ) AS lacks_receipt
    FROM account AS a
    FULL JOIN numbered AS c ON c.ledger_id = a.ledger_id AND c.account_id = a.id
    FULL JOIN told AS r ON r.ledger_id = c.ledger_id AND r.idempotency_key = c.idempotency_key
        AND r.account_id = c.account_id::text AND r.revision = c.revision::text
)
SELECT c.*, (c.ctime AT TIME ZONE 'UTC')::text AS moment
FROM compared AS c
LEFT JOIN account_change AS f ON f.ledger_id = c.ledger_id AND f.account_id::text = c.id AND f.is_found
WHERE lacks_changes OR lacks_account OR is_misnumbered OR is_untimely OR is_other OR lacks_receipt
    OR (lacks_change AND NOT coalesce(c.revision ~ '^[0-9]{1,18}$' AND c.revision::numeric <= f.revision, false))
ORDER BY 1, 2, 3, 4 LIMIT $1::bigint;

-- name: find_changes_of_accounts
-- How accounts were left by changes: of each (ledger, account, revision). Each carries its ledger_id in $1.
SELECT c.ledger_id, c.account_id, c.revision, c.email, c.min_balance, c.max_balance, c.status, c.metadata::text,
    c.limits::text
FROM unnest($1::text::bigint [], $2::text::bigint [], $3::text::bigint []) AS wanted (ledger_id, account_id, revision)
INNER JOIN account_change AS c ON c.ledger_id = wanted.ledger_id AND c.account_id = wanted.account_id
    AND c.revision = wanted.revision;

-- name: verify_notes
-- The changes of a transaction's notes are numbered 1, 2, 3 and so on; the transaction is there; their times do not go back,
-- and begin with the transaction's. A change with a key has the receipt of that key, which says this change, and the other
-- way round: ids in a receipt are compared as text, as what has been changed there may be none. Reads all ledgers: verification is of the whole database.
WITH numbered AS (
    SELECT c.ledger_id, c.transaction_id, c.revision, c.idempotency_key, c.ctime, t.id IS NULL AS lacks_transaction,
        row_number() OVER its_changes AS place,
        c.ctime < coalesce(lag(c.ctime) OVER its_changes, t.ctime) OR c.ctime > now() AS is_untimely
    FROM transaction_change AS c
    LEFT JOIN transaction AS t ON t.ledger_id = c.ledger_id AND t.id = c.transaction_id
    WINDOW its_changes AS (PARTITION BY c.ledger_id, c.transaction_id ORDER BY c.revision)
), told AS (
    SELECT ledger_id, idempotency_key, answer #>> '{command,transaction_id}' AS transaction_id,
        answer ->> 'revision' AS revision
    FROM receipt WHERE answer ->> 'type' = 'annotated'
)
SELECT coalesce(n.ledger_id, r.ledger_id) AS ledger_id, coalesce(n.transaction_id::text, r.transaction_id) AS id,
    coalesce(n.revision::text, r.revision) AS revision, n.place, n.lacks_transaction, n.is_untimely,
    (n.ctime AT TIME ZONE 'UTC')::text AS ctime, r.idempotency_key AS told_key,
    coalesce(n.idempotency_key, r.idempotency_key) AS idempotency_key
FROM numbered AS n
FULL JOIN told AS r ON r.ledger_id = n.ledger_id AND r.idempotency_key = n.idempotency_key
    AND r.transaction_id = n.transaction_id::text AND r.revision = n.revision::text
WHERE n.ledger_id IS NULL OR n.revision <> n.place OR n.lacks_transaction OR n.is_untimely
    OR (n.idempotency_key IS NOT NULL AND r.idempotency_key IS NULL)
ORDER BY 1, n.transaction_id, n.revision, 9 LIMIT $1::bigint;

-- name: find_changes_of_notes
-- What the notes on transactions were left with: of each (ledger, transaction, revision). Each carries its ledger_id in $1.
SELECT c.ledger_id, c.transaction_id, c.revision, c.metadata::text, c.description, c.ctime
FROM unnest($1::text::bigint [], $2::text::bigint [], $3::text::bigint []) AS wanted (ledger_id, transaction_id, revision)
INNER JOIN transaction_change AS c ON c.ledger_id = wanted.ledger_id AND c.transaction_id = wanted.transaction_id
    AND c.revision = wanted.revision;

-- name: verify_rules
-- A batch was settled by rules that there are. Reads all ledgers: verification is of the whole database.
SELECT ledger_id, id, rules FROM batch WHERE rules NOT IN (1, 2) ORDER BY ledger_id, id LIMIT $1::bigint;

-- name: verify_groups
-- A group is whole: all its transactions are in one batch, and have one time; and if a key has answered with it, they
-- are as many as it said. Reads all ledgers: verification is of the whole database.
SELECT t.ledger_id, t.group_id AS id, count(DISTINCT b.id) AS batches, count(DISTINCT t.ctime) AS times,
    count(DISTINCT t.id) AS transactions, min(r.posted) AS told
FROM transaction AS t
LEFT JOIN (SELECT ledger_id, id, unnest(transaction_ids) AS transaction_id FROM batch) AS b
    ON b.ledger_id = t.ledger_id AND b.transaction_id = t.id
LEFT JOIN (
    SELECT ledger_id, answer ->> 'group_id' AS group_id, jsonb_array_length(jsonb_path_query_array(
        answer, '$.members[*] ? (@.type() == "number" || @.outcome.type == "posted")'
    )) AS posted
    FROM receipt WHERE answer ->> 'type' = 'grouped'
) AS r ON r.ledger_id = t.ledger_id AND r.group_id = t.group_id::text
WHERE t.group_id IS NOT NULL
GROUP BY t.ledger_id, t.group_id
HAVING count(DISTINCT b.id) > 1 OR count(DISTINCT t.ctime) > 1 OR count(DISTINCT t.id) <> min(r.posted)
ORDER BY t.group_id LIMIT $1::bigint;

-- name: verify_splits
-- The transactions of a split's group are those that its row names, and add up to its amount.
-- Reads all ledgers: verification is of the whole database.
WITH legs AS (
    SELECT t.ledger_id, t.group_id, array_agg(t.id ORDER BY t.id) AS ids, sum(t.amount) AS amount
    FROM transaction AS t WHERE t.group_id IS NOT NULL GROUP BY t.ledger_id, t.group_id
)
SELECT s.ledger_id, s.id, s.amount, l.amount AS total, s.transaction_ids = l.ids AS are_named
FROM split AS s LEFT JOIN legs AS l ON l.ledger_id = s.ledger_id AND l.group_id = s.id
WHERE l.ids IS DISTINCT FROM s.transaction_ids OR l.amount IS DISTINCT FROM s.amount
ORDER BY s.id LIMIT $1::bigint;

-- name: verify_ends
-- Who captures or voids a split names its transactions; and what was queued for that, and is done, is a transaction of this
-- kind for each of them, in one group. Reads all ledgers: verification is of the whole database.
WITH asked AS (
    SELECT ledger_id, transaction_id, CASE answer ->> 'type'
            WHEN 'grouped' THEN answer -> 'ending'
            WHEN 'queued' THEN answer #> '{command,command}'
            ELSE answer -> 'command'
        END AS command
    FROM receipt WHERE answer IS NOT NULL
    UNION ALL
    SELECT ledger_id, NULL, promise #> '{command,command}' FROM queued
    UNION ALL
    SELECT ledger_id, NULL, promise #> '{command,command}' FROM declined
    UNION ALL
    SELECT ledger_id, NULL, promise #> '{command,command}' FROM cancelled
)
SELECT a.ledger_id, a.command ->> 'split_id' AS id, a.command ->> 'kind' AS kind, count(f.id) AS transactions,
    cardinality(s.transaction_ids) AS told, a.command -> 'holds' IS NOT DISTINCT FROM to_jsonb(s.transaction_ids) AS are_named
FROM asked AS a
LEFT JOIN split AS s ON s.ledger_id = a.ledger_id AND s.id::text = a.command ->> 'split_id'
LEFT JOIN transaction AS t ON t.ledger_id = a.ledger_id AND t.id = a.transaction_id
LEFT JOIN transaction AS f ON f.ledger_id = t.ledger_id AND f.group_id = t.group_id
WHERE a.command ->> 'type' = 'end-split'
GROUP BY a.ledger_id, a.transaction_id, a.command, s.transaction_ids, t.id
HAVING a.command -> 'holds' IS DISTINCT FROM to_jsonb(s.transaction_ids)
    OR (t.id IS NOT NULL AND (
        count(f.id) <> cardinality(s.transaction_ids)
        OR array_agg(f.parent_id ORDER BY f.parent_id) FILTER (WHERE f.kind = a.command ->> 'kind')
        IS DISTINCT FROM (SELECT array_agg(id ORDER BY id) FROM unnest(s.transaction_ids) AS leg (id))
    ))
ORDER BY 2, 3 LIMIT $1::bigint;

-- name: verify_exchanges
-- An exchange is two transfers of one group, with the same labels: one into the exchange account of its currency, one out of that of another. If
-- a rate was given, the second is what the first comes to at this rate, rounded half to even. `up` and `down` are the two
-- amounts that the product lies between; where it lies in the middle, they differ by one of the last decimal, and
-- the even one is right. Reads all ledgers: verification is of the whole database.
SELECT e.ledger_id, e.source_transaction_id AS id, e.target_transaction_id, e.rate,
    s.id IS NULL AS lacks_source, t.id IS NULL AS lacks_target, s.amount AS source_amount, t.amount AS target_amount,
    s.kind = 'transfer' AND t.kind = 'transfer' AND s.group_id = t.group_id AND e.source_transaction_id < e.target_transaction_id
        AND (s.metadata, s.reference, s.description, s.effective_on)
        IS NOT DISTINCT FROM (t.metadata, t.reference, t.description, t.effective_on)
        AND into_.name = 'exchange:' || into_.currency AND out_of.name = 'exchange:' || out_of.currency
        AND into_.currency <> out_of.currency AS is_pair,
    e.rate IS NULL OR t.amount = r.told AS is_at_rate, r.told
FROM exchange AS e
LEFT JOIN transaction AS s ON s.ledger_id = e.ledger_id AND s.id = e.source_transaction_id
LEFT JOIN transaction AS t ON t.ledger_id = e.ledger_id AND t.id = e.target_transaction_id
LEFT JOIN account AS into_ ON into_.ledger_id = s.ledger_id AND into_.id = s.target_account_id
LEFT JOIN account AS out_of ON out_of.ledger_id = t.ledger_id AND out_of.id = t.source_account_id
CROSS JOIN LATERAL (SELECT s.amount * e.rate AS amount) AS p
CROSS JOIN LATERAL (SELECT round(p.amount, scale(t.amount)) AS up, trunc(p.amount, scale(t.amount)) AS down) AS b
CROSS JOIN LATERAL (
    SELECT CASE WHEN b.up > b.down AND b.up - p.amount = p.amount - b.down AND mod(b.down, 2 * (b.up - b.down)) = 0
        THEN b.down ELSE b.up
    END AS told
) AS r
WHERE (
    s.kind = 'transfer' AND t.kind = 'transfer' AND s.group_id = t.group_id AND e.source_transaction_id < e.target_transaction_id
    AND (s.metadata, s.reference, s.description, s.effective_on)
    IS NOT DISTINCT FROM (t.metadata, t.reference, t.description, t.effective_on)
    AND into_.name = 'exchange:' || into_.currency AND out_of.name = 'exchange:' || out_of.currency
    AND into_.currency <> out_of.currency AND (e.rate IS NULL OR t.amount = r.told)
) IS NOT TRUE
ORDER BY e.source_transaction_id LIMIT $1::bigint;

-- name: verify_group_counts
-- A batch says how many splits and exchanges it has, if it has any: so many rows have a transaction of it. So one that is
-- missing is seen: its transactions alone could be a group of a caller's own.
-- Reads all ledgers: verification is of the whole database.
WITH batched AS (
    SELECT ledger_id, id, unnest(transaction_ids) AS transaction_id FROM batch
), kept AS (
    SELECT b.ledger_id, b.id, 'splits' AS what, count(*) AS number
    FROM split AS s
    INNER JOIN batched AS b ON b.ledger_id = s.ledger_id AND b.transaction_id = s.transaction_ids[1]
    GROUP BY b.ledger_id, b.id
    UNION ALL
    SELECT b.ledger_id, b.id, 'exchanges' AS what, count(*) AS number
    FROM exchange AS e
    INNER JOIN batched AS b ON b.ledger_id = e.ledger_id AND b.transaction_id = e.source_transaction_id
    GROUP BY b.ledger_id, b.id
), told AS (
    SELECT ledger_id, id, 'splits' AS what, splits AS number FROM batch WHERE splits IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, 'exchanges' AS what, exchanges AS number FROM batch WHERE exchanges IS NOT NULL
)
SELECT coalesce(t.ledger_id, k.ledger_id) AS ledger_id, coalesce(t.id, k.id) AS id, coalesce(t.what, k.what) AS what,
    coalesce(t.number, 0) AS told, coalesce(k.number, 0) AS found
FROM told AS t
FULL JOIN kept AS k ON k.ledger_id = t.ledger_id AND k.id = t.id AND k.what = t.what
WHERE coalesce(t.number, 0) <> coalesce(k.number, 0)
ORDER BY 2, 3 LIMIT $1::bigint;

-- name: verify_requests
-- Of what is no plain move, the receipt of its key keeps what was asked for, or what was enqueued.
-- Reads all ledgers: verification is of the whole database.
SELECT t.ledger_id, t.id, t.kind, t.idempotency_key
FROM transaction AS t
INNER JOIN receipt AS r ON r.ledger_id = t.ledger_id AND r.idempotency_key = t.idempotency_key
WHERE t.idempotency_key IS NOT NULL AND t.kind IN ('hold', 'capture', 'void', 'refund')
    AND r.request IS NULL AND r.answer IS NULL
ORDER BY t.id LIMIT $1::bigint;

-- name: read_receipts
-- What keys have answered that is more than a transaction: it is decoded, and compared with the transaction that it
-- names or enqueued. Times take long to read, and come where they are needed. An account that 0.1 has opened does not say its revision: it was 0.
-- Reads all ledgers: verification is of the whole database.
SELECT r.ledger_id, r.idempotency_key AS key, r.transaction_id, r.request::text,
    CASE jsonb_typeof(r.answer)
        WHEN 'object' THEN jsonb_set(r.answer, '{account,revision}', coalesce(r.answer #> '{account,revision}', '0'))
        ELSE r.answer
    END::text AS answer,
    t.id, t.kind, t.source_account_id, t.target_account_id, t.amount, t.parent_id, t.idempotency_key,
    t.metadata::text, t.reference, t.description, t.effective_on, p.reference AS parent_reference,
    t.capture_at, CASE WHEN r.answer IS NOT NULL THEN t.ctime END AS ctime,
    CASE WHEN isfinite(t.expires_at) AND isfinite(t.ctime) THEN extract(epoch FROM t.expires_at - t.ctime) END AS lifetime_s,
    coalesce(s.currency, d.currency) AS currency, s.name AS source_name, d.name AS target_name
FROM receipt AS r
LEFT JOIN transaction AS t ON t.ledger_id = r.ledger_id AND t.id = r.transaction_id
LEFT JOIN transaction AS p ON p.ledger_id = t.ledger_id AND p.id = t.parent_id
LEFT JOIN account AS s ON s.ledger_id = t.ledger_id AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = t.ledger_id AND d.id = t.target_account_id
WHERE r.answer IS NOT NULL OR r.request IS NOT NULL;

-- name: read_queued
-- What is queued, or was declined or cancelled then: decoded, and compared with itself. One that is due, and not decided
-- yet, is late and not wrong. Reads all ledgers: verification is of the whole database.
SELECT ledger_id, id, promise::text, NULL AS answer, execute_at, false AS is_over, ctime, ctime > now() AS is_ahead,
    due >= greatest(ctime, execute_at) AS is_due_later, (attempts > 0) = (error IS NOT NULL) AS is_explained,
    id > $1::bigint AS has_new_id
FROM queued
UNION ALL
SELECT ledger_id, id, promise::text, answer::text, NULL, true, ctime, ctime > now(), true, true, id > $1
FROM declined
UNION ALL
SELECT ledger_id, id, promise::text, NULL, NULL, true, ctime, ctime > now(), true, true, id > $1
FROM cancelled;

-- name: find_states
-- What the account was left with at a version: of each (ledger, account, version). Each carries its ledger_id in $1.
SELECT wanted.ledger_id, wanted.account_id, wanted.version, t.balance, t.held
FROM unnest($1::text::bigint [], $2::text::bigint [], $3::text::bigint []) AS wanted (ledger_id, account_id, version)
CROSS JOIN LATERAL (
    SELECT source_balance AS balance, source_held AS held FROM transaction AS s
    WHERE s.ledger_id = wanted.ledger_id AND s.source_account_id = wanted.account_id
        AND s.source_version = wanted.version
    UNION ALL
    SELECT target_balance, target_held FROM transaction AS d
    WHERE d.ledger_id = wanted.ledger_id AND d.target_account_id = wanted.account_id
        AND d.target_version = wanted.version
) AS t;

-- name: plan_for_export
-- For this transaction only. Rows come in the order of an index, and the accounts beside them are looked up and
-- remembered, up to twice `work_mem` for each side, which is some 1,400,000 accounts: if one more is asked for in turn than
-- fit, none is found again. Whatever size the ledger has, the first row comes at once and nothing goes to disk. To compile a
-- statement takes longer than it saves. Touches no table, so no ledger.
SELECT set_config(name, setting, true) FROM (VALUES
    ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_sort', 'off'), ('enable_seqscan', 'off'),
    ('enable_bitmapscan', 'off'), ('jit', 'off'), ('work_mem', '96MB'), ('timezone', 'UTC'),
    ('max_parallel_workers_per_gather', '0'), ('row_security', 'off')
) AS wanted (name, setting);

-- name: read_first_and_last
-- The ids between which a ledger's accounts and transactions are, by their primary keys: two probes each.
SELECT
    (SELECT min(a.id) FROM account AS a WHERE a.ledger_id = $1) AS first_account,
    (SELECT max(a.id) FROM account AS a WHERE a.ledger_id = $1) AS last_account,
    (SELECT min(t.id) FROM transaction AS t WHERE t.ledger_id = $1) AS first_transaction,
    (SELECT max(t.id) FROM transaction AS t WHERE t.ledger_id = $1) AS last_transaction;

-- name: export_accounts
-- An object of JSON for each account of a ledger, by primary key. PostgreSQL writes them, as it does so several times
-- faster than Python; what can hold no character that JSON escapes stands between quotes as it is. Times are those of the
-- API, six digits and Z: the session is in UTC. A limit by time leaves out what it does not say.
SELECT concat(
    '{"id":', a.id, ',"name":"' || a.name || '"', ',"email":', to_json(a.email), ',"currency":"', a.currency,
    '","balance":"', a.balance, '","held":"', a.held, '","min_balance":"', a.min_balance,
    '","max_balance":', coalesce('"' || a.max_balance || '"', 'null'), ',"status":"', a.status,
    '","metadata":', a.metadata, ',"limits":' || jsonb_strip_nulls(a.limits)::text, ',"version":', a.version,
    ',"revision":', a.revision, ',"idempotency_key":' || to_json(a.idempotency_key),
    ',"ctime":"', to_char(a.ctime, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"}'
) AS line
FROM account AS a WHERE a.ledger_id = $1 ORDER BY a.ledger_id, a.id;

-- name: export_transactions
-- An object of JSON for each posted transaction of a ledger, by primary key, with its latest notes, and the names and the
-- currency of its accounts. Whether any notes were changed is looked at once: most ledgers have none.
SELECT concat(
    '{"id":', t.id, ',"kind":"', t.kind, '"', ',"source_account_id":' || t.source_account_id,
    ',"source":"' || s.name || '"', ',"target_account_id":' || t.target_account_id, ',"target":"' || d.name || '"',
    ',"amount":"', t.amount, '","currency":"', coalesce(s.currency, d.currency), '"',
    ',"source_balance":"' || t.source_balance || '"', ',"target_balance":"' || t.target_balance || '"',
    ',"parent_id":' || t.parent_id, ',"group_id":' || t.group_id,
    ',"idempotency_key":' || to_json(t.idempotency_key), ',"reference":' || to_json(t.reference),
    ',"description":' || to_json(CASE WHEN n.revision IS NULL THEN t.description ELSE n.description END),
    ',"effective_on":"', coalesce(t.effective_on, t.ctime::date), '","metadata":', coalesce(n.metadata, t.metadata),
    ',"expires_at":"' || to_char(t.expires_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"',
    ',"capture_at":"' || to_char(t.capture_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"',
    ',"ctime":"', to_char(t.ctime, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"}'
) AS line
FROM transaction AS t
LEFT JOIN account AS s ON s.ledger_id = $1 AND s.id = t.source_account_id
LEFT JOIN account AS d ON d.ledger_id = $1 AND d.id = t.target_account_id
LEFT JOIN LATERAL (
    SELECT c.revision, c.metadata, c.description FROM transaction_change AS c
    WHERE (SELECT EXISTS (SELECT FROM transaction_change AS any_ WHERE any_.ledger_id = $1))
        AND c.ledger_id = $1 AND c.transaction_id = t.id
    ORDER BY c.revision DESC LIMIT 1
) AS n ON true
WHERE t.ledger_id = $1 ORDER BY t.ledger_id, t.id;

-- name: export_lines
-- An object of JSON for each line of each account of a ledger: what a transaction did to one of its sides. In the order
-- of the transactions, by primary key, the source's first; otherwise as export_transactions.
SELECT concat(
    '{"transaction_id":', t.id, ',"account_id":', side.account_id, ',"account":"' || a.name || '"',
    ',"version":', side.version, ',"kind":"', t.kind, '","change":"', side.change, '","balance":"', side.balance,
    '","held":"', coalesce(side.held, t.amount * 0), '","currency":"', a.currency, '"',
    ',"parent_id":' || t.parent_id, ',"group_id":' || t.group_id,
    ',"reference":' || to_json(t.reference), ',"effective_on":"', coalesce(t.effective_on, t.ctime::date),
    '","ctime":"', to_char(t.ctime, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '"}'
) AS line
FROM transaction AS t
CROSS JOIN LATERAL (VALUES
    (
        1, t.source_account_id, t.source_version, t.source_balance, t.source_held,
        CASE WHEN t.kind = ANY('{hold,void,expiry}') THEN t.amount * 0 ELSE -t.amount END
    ),
    (2, t.target_account_id, t.target_version, t.target_balance, t.target_held, t.amount)
) AS side (place, account_id, version, balance, held, change)
INNER JOIN account AS a ON a.ledger_id = $1 AND a.id = side.account_id
WHERE t.ledger_id = $1 AND side.version IS NOT NULL ORDER BY t.ledger_id, t.id, side.place;

-- name: find_accounts_to_import_to
-- The currencies of accounts that the lines of a file ask for, by id or by name, and whether money may go in and out:
-- index probes.
SELECT a.id, a.name, a.currency, a.status FROM account AS a WHERE a.ledger_id = $1 AND a.id = ANY($2::bigint [])
UNION ALL
SELECT a.id, a.name, a.currency, a.status
FROM unnest($3::text []) AS wanted (name)
INNER JOIN account AS a ON a.ledger_id = $1 AND a.name = wanted.name;

-- name: find_keys
-- Which of these keys have answered something: index probes.
SELECT r.idempotency_key FROM receipt AS r WHERE r.ledger_id = $1 AND r.idempotency_key = ANY($2::text []);
