-- What was changed of an account, and when, is kept: its opening, and every change, each as a row.
-- depends: 0017.notes

-- A row has what may change of an account as the change has left it: what it was before is in the row before. `is_found` says that
-- this is how the account was found by this migration, after changes that nobody has kept. No CHECK: a batch that opens accounts would look at it
-- for each of them, and those of `account` have just been looked at. No foreign key, as from `transaction` to `account`.
CREATE TABLE account_change (
    ledger_id bigint NOT NULL,
    account_id bigint NOT NULL,
    revision bigint NOT NULL,
    email text NOT NULL,
    min_balance numeric NOT NULL,
    max_balance numeric,
    status text NOT NULL,
    metadata jsonb NOT NULL,
    limits jsonb,
    idempotency_key text COLLATE "C",
    is_found boolean DEFAULT false NOT NULL,
    ctime timestamptz NOT NULL,
    CONSTRAINT account_change_pkey PRIMARY KEY (ledger_id, account_id, revision)
);

-- The accounts that are there get their first row: a million in about five seconds, and 180 MB. Meanwhile
-- they are read, but nothing is paid, opened or changed. One that was never changed is as it was opened.
LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE;

INSERT INTO account_change (
    ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, idempotency_key, is_found, ctime
)
SELECT ledger_id, id, revision, email, min_balance, max_balance, status, metadata, limits,
    CASE WHEN revision = 0 THEN idempotency_key END, revision > 0, CASE WHEN revision = 0 THEN ctime ELSE clock_timestamp() END
FROM account;

-- As it was, and now of the changes too. That the personal data was erased is a change itself, of the owner's.
CREATE OR REPLACE FUNCTION erase_account(of_ledger bigint, of_account bigint) RETURNS void LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
    UPDATE receipt SET answer = jsonb_set(
        jsonb_set(
            jsonb_set(
                jsonb_set(
                    jsonb_set(answer, '{command,email}', '"erased@erased.invalid"'), '{command,metadata}', '{}', false
                ),
                '{command,metadata_patch}', '{}', false
            ),
            '{account,email}', '"erased@erased.invalid"', false
        ),
        '{account,metadata}', '{}', false
    )
    WHERE receipt.ledger_id = of_ledger
        AND coalesce(answer #>> '{account,id}', answer #>> '{command,account_id}', answer #>> '{command,email}') IN (
            of_account::text, (SELECT email FROM account WHERE account.ledger_id = of_ledger AND account.id = of_account)
        )
        AND EXISTS (
            SELECT FROM account
            WHERE account.ledger_id = of_ledger AND account.id = of_account AND account.status = 'closed'
        );
    UPDATE account_change SET email = 'erased@erased.invalid', metadata = '{}'
    WHERE account_change.ledger_id = of_ledger AND account_change.account_id = of_account
        AND (account_change.email <> 'erased@erased.invalid' OR account_change.metadata <> '{}')
        AND EXISTS (
            SELECT FROM account
            WHERE account.ledger_id = of_ledger AND account.id = of_account AND account.status = 'closed'
        );
    WITH erased AS (
        UPDATE account SET email = 'erased@erased.invalid', metadata = '{}', revision = account.revision + 1
        WHERE account.ledger_id = of_ledger AND account.id = of_account AND account.status = 'closed'
            AND (account.email <> 'erased@erased.invalid' OR account.metadata <> '{}')
        RETURNING ledger_id, id, revision, email, min_balance, max_balance, status, metadata, limits
    )
    INSERT INTO account_change (
        ledger_id, account_id, revision, email, min_balance, max_balance, status, metadata, limits, ctime
    )
    SELECT ledger_id, id, revision, email, min_balance, max_balance, status, metadata, limits, statement_timestamp()
    FROM erased;
END;
