-- Every statement that Koshel sends. Each filters on ledger_id, or says why it reads all ledgers.

-- name: lock_accounts
-- The one lock statement of a batch. Ids never change and are unique over all ledgers, so ascending
-- id is one total order and two batches cannot deadlock. NO KEY: nothing but a batch waits for it.
-- Flat arrays rather than a join, since Citus refuses a locking join; so it may lock too much only
-- if an id is asked for in another account's ledger, and then that account is in the batch anyway.
-- $3 is the highest id asked for: the clock is read once, with the last row, when all the others are
-- locked; and again if that row changes while it is waited for, so that times along an account never
-- go back. Once for each row took a tenth of a transfer.
SELECT ledger_id, id, currency, scale, balance, held, version, min_balance, max_balance, status,
    CASE WHEN id = $3::bigint THEN clock_timestamp() END AS now
FROM account
WHERE ledger_id = ANY($1::bigint []) AND id = ANY($2::bigint [])
ORDER BY id
FOR NO KEY UPDATE;

-- name: read_clock
-- For a batch that locks no account, or not the last one it asked for. Reads no table, so no ledger.
SELECT clock_timestamp();

-- name: find_receipts
-- Read after the locks, at READ COMMITTED: the twin of a command waited on the same rows, and now
-- sees what the first one left. One index probe a key; the rest is joined for keys that are known.
-- Arrays come as text, as in `post`.
SELECT r.ledger_id AS receipt_ledger_id, r.idempotency_key AS receipt_key, r.answer,
    t.ledger_id, t.kind, t.source_account_id, t.target_account_id, t.amount, a.currency,
    t.source_balance, t.target_balance, t.source_version, t.target_version, t.metadata,
    t.idempotency_key, t.ctime, t.id
FROM unnest($1::text::bigint [], $2::text::text []) AS wanted (ledger_id, idempotency_key)
INNER JOIN receipt AS r ON r.ledger_id = wanted.ledger_id AND r.idempotency_key = wanted.idempotency_key
LEFT JOIN transaction AS t ON t.ledger_id = r.ledger_id AND t.id = r.transaction_id
LEFT JOIN account AS a
    ON a.ledger_id = t.ledger_id AND a.id = coalesce(t.source_account_id, t.target_account_id);

-- name: find_scales
-- Registered currencies are few and belong to all ledgers.
SELECT code, scale FROM currency WHERE code = ANY($1::text []);

-- name: post
-- One statement writes all that a batch posts: ids in the commands' order, both sides' last balance,
-- the transactions, their receipts, and one batch row a ledger ($13 is the batch, $12 the time).
-- MATERIALIZED, since nextval must be asked once a row. The rows it updates are locked already.
-- Arrays come as text, '{1,2}': the driver's own encoder asks each element for its class.
-- Each row carries its ledger_id in $1; the accounts theirs in $14.
WITH posting AS MATERIALIZED (
    SELECT nextval('transaction_id') AS id, p.*
    FROM unnest(
        $1::text::bigint [], $2::text::text [], $3::text::bigint [], $4::text::bigint [], $5::text::numeric [],
        $6::text::numeric [], $7::text::numeric [], $8::text::bigint [], $9::text::bigint [], $10::text::text [],
        $11::text::jsonb []
    ) WITH ORDINALITY AS p (
        ledger_id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
        source_version, target_version, idempotency_key, metadata, place
    )
), moved AS (
    UPDATE account SET balance = m.balance, version = m.version
    FROM unnest($14::text::bigint [], $15::text::bigint [], $16::text::numeric [], $17::text::bigint [])
        AS m (ledger_id, id, balance, version)
    WHERE account.ledger_id = m.ledger_id AND account.id = m.id
), posted AS (
    INSERT INTO transaction (
        ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
        source_version, target_version, idempotency_key, metadata, ctime
    )
    SELECT ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
        source_version, target_version, idempotency_key, metadata, $12::timestamptz
    FROM posting
), receipted AS (
    INSERT INTO receipt (ledger_id, idempotency_key, transaction_id)
    SELECT ledger_id, idempotency_key, id FROM posting WHERE idempotency_key IS NOT NULL
    ORDER BY ledger_id, idempotency_key
), batched AS (
    INSERT INTO batch (ledger_id, id, transaction_ids)
    SELECT ledger_id, $13::uuid, array_agg(id ORDER BY place) FROM posting GROUP BY ledger_id
)
SELECT id FROM posting ORDER BY place;

-- name: take_account_ids
-- Ids before rows, since a receipt of an opening holds the whole account. A sequence has no ledger.
SELECT nextval('account_id') AS id FROM generate_series(1, $1::integer);

-- name: open_accounts
-- Each row carries its ledger_id in $1.
INSERT INTO account (
    ledger_id, id, email, currency, scale, balance, held, version, min_balance, max_balance, status, metadata,
    idempotency_key, ctime
)
SELECT ledger_id, id, email, currency, scale, balance, balance, 0, min_balance, max_balance, 'open', metadata,
    idempotency_key, $11::timestamptz
FROM unnest(
    $1::bigint [], $2::bigint [], $3::text [], $4::text [], $5::smallint [], $6::numeric [], $7::numeric [],
    $8::numeric [], $9::jsonb [], $10::text []
) AS o (ledger_id, id, email, currency, scale, balance, min_balance, max_balance, metadata, idempotency_key);

-- name: keep_answers
-- Receipts that are not a transaction: accounts as they were opened, and refusals. In one order, as in
-- `post`: two workers with the same keys then wait for each other, but not in a circle.
-- Each row carries its ledger_id in $1.
INSERT INTO receipt (ledger_id, idempotency_key, answer)
SELECT ledger_id, idempotency_key, answer
FROM unnest($1::bigint [], $2::text [], $3::jsonb []) AS k (ledger_id, idempotency_key, answer)
ORDER BY ledger_id, idempotency_key;

-- name: record_batch
-- For a batch that posts nothing but still writes. Each row carries its ledger_id in $1.
INSERT INTO batch (ledger_id, id, transaction_ids)
SELECT ledger_id, $2::uuid, '{}' FROM unnest($1::bigint []) AS b (ledger_id);

-- name: fence_batch
-- Settles whether a commit happened: if the batch's own row is there, or still being committed, this
-- waits for it and then does nothing; if not, the batch can never commit any more.
INSERT INTO batch (ledger_id, id) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: find_batch
-- Read after the fence: null transaction_ids are the fence itself.
SELECT transaction_ids IS NOT NULL AS committed FROM batch WHERE ledger_id = $1 AND id = $2;

-- name: get_account
-- By primary key.
SELECT ledger_id, id, currency, scale, balance, held, version, min_balance, max_balance, status, email,
    metadata, ctime
FROM account WHERE ledger_id = $1 AND id = $2;

-- name: get_transaction
-- By primary key; its currency is its accounts'.
SELECT t.ledger_id, t.kind, t.source_account_id, t.target_account_id, t.amount, a.currency,
    t.source_balance, t.target_balance, t.source_version, t.target_version, t.metadata, t.idempotency_key,
    t.ctime, t.id
FROM transaction AS t
INNER JOIN account AS a
    ON a.ledger_id = t.ledger_id AND a.id = coalesce(t.source_account_id, t.target_account_id)
WHERE t.ledger_id = $1 AND t.id = $2;

-- name: applied_migrations
-- The schema belongs to all ledgers.
SELECT migration_id FROM _yoyo_migration;

-- name: lock_migrations
-- One process migrates at a time; the number is "koshel" in ASCII. The schema belongs to all ledgers.
SELECT pg_advisory_lock(118126421763436);

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
-- receipts and batches but never changes or deletes one. Grants belong to the schema, not to a ledger.
SELECT format(statement, $1::text) AS statement
FROM (VALUES
    ('GRANT SELECT ON ledger, currency, account, transaction, receipt, batch, _yoyo_migration TO %I'),
    ('GRANT INSERT ON account, transaction, receipt, batch TO %I'),
    ('GRANT UPDATE (balance, version) ON account TO %I'),
    ('GRANT USAGE ON SEQUENCE account_id, transaction_id TO %I')
) AS grants (statement);

-- name: verify_currencies
-- Per currency and ledger: what the accounts have is what came in less what went out.
-- Reads all ledgers: verification is of the whole database.
WITH kept AS (
    SELECT ledger_id, currency, sum(balance) AS balance FROM account GROUP BY ledger_id, currency
), flows AS (
    SELECT t.ledger_id, a.currency,
        coalesce(sum(t.amount) FILTER (WHERE t.source_account_id IS NULL), 0) AS paid_in,
        coalesce(sum(t.amount) FILTER (WHERE t.target_account_id IS NULL), 0) AS paid_out
    FROM transaction AS t
    INNER JOIN account AS a
        ON a.ledger_id = t.ledger_id AND a.id = coalesce(t.source_account_id, t.target_account_id)
    WHERE t.source_account_id IS NULL OR t.target_account_id IS NULL
    GROUP BY t.ledger_id, a.currency
)
SELECT kept.ledger_id, kept.currency, kept.balance, coalesce(paid_in, 0) AS paid_in, coalesce(paid_out, 0) AS paid_out
FROM kept LEFT JOIN flows ON flows.ledger_id = kept.ledger_id AND flows.currency = kept.currency
WHERE kept.balance <> coalesce(paid_in, 0) - coalesce(paid_out, 0)
ORDER BY kept.ledger_id, kept.currency;

-- name: verify_accounts
-- Every account's balance and version equal what its transactions say: their signed sum and their
-- number. Reads all ledgers: verification is of the whole database.
WITH line AS (
    SELECT ledger_id, source_account_id AS account_id, -amount AS change
    FROM transaction WHERE source_account_id IS NOT NULL
    UNION ALL
    SELECT ledger_id, target_account_id, amount
    FROM transaction WHERE target_account_id IS NOT NULL
), told AS (
    SELECT ledger_id, account_id, sum(change) AS balance, count(*) AS version
    FROM line GROUP BY ledger_id, account_id
)
SELECT a.ledger_id, a.id, a.balance, a.version, coalesce(told.balance, 0) AS told_balance,
    coalesce(told.version, 0) AS told_version
FROM account AS a LEFT JOIN told ON told.ledger_id = a.ledger_id AND told.account_id = a.id
WHERE a.balance <> coalesce(told.balance, 0) OR a.version <> coalesce(told.version, 0)
ORDER BY a.id;

-- name: verify_lines
-- Along each account's history: versions run 1, 2, 3 ... without a gap, and each balance is the one
-- before it plus the change. Reads all ledgers: verification is of the whole database.
WITH line AS (
    SELECT ledger_id, id, source_account_id AS account_id, source_version AS version, source_balance AS balance,
        -amount AS change
    FROM transaction WHERE source_account_id IS NOT NULL
    UNION ALL
    SELECT ledger_id, id, target_account_id, target_version, target_balance, amount
    FROM transaction WHERE target_account_id IS NOT NULL
), told AS (
    SELECT ledger_id, id, account_id, version, balance, change,
        coalesce(lag(version) OVER history, 0) + 1 AS told_version,
        coalesce(lag(balance) OVER history, 0) + change AS told_balance
    FROM line
    WINDOW history AS (PARTITION BY ledger_id, account_id ORDER BY version, id)
)
SELECT ledger_id, id, account_id, version, told_version, balance, told_balance
FROM told WHERE version <> told_version OR balance <> told_balance
ORDER BY account_id, version;

-- name: verify_references
-- No transaction names a missing account. Reads all ledgers: verification is of the whole database.
SELECT t.ledger_id, t.id, side.account_id
FROM transaction AS t
CROSS JOIN LATERAL (VALUES (t.source_account_id), (t.target_account_id)) AS side (account_id)
LEFT JOIN account AS a ON a.ledger_id = t.ledger_id AND a.id = side.account_id
WHERE side.account_id IS NOT NULL AND a.id IS NULL
ORDER BY t.id;

-- name: verify_receipts
-- A transaction with a key has the receipt of that key, and a receipt's transaction is there and has
-- its key. Reads all ledgers: verification is of the whole database.
SELECT coalesce(t.ledger_id, r.ledger_id) AS ledger_id, t.id, r.transaction_id,
    coalesce(t.idempotency_key, r.idempotency_key) AS idempotency_key
FROM (SELECT ledger_id, id, idempotency_key FROM transaction WHERE idempotency_key IS NOT NULL) AS t
FULL JOIN (SELECT ledger_id, transaction_id, idempotency_key FROM receipt WHERE transaction_id IS NOT NULL) AS r
    ON r.ledger_id = t.ledger_id AND r.transaction_id = t.id AND r.idempotency_key = t.idempotency_key
WHERE t.id IS NULL OR r.transaction_id IS NULL
ORDER BY 1, 2;

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
ORDER BY 2;
