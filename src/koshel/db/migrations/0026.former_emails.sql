-- Erasing an account covers the emails that it has had before, too.
-- depends: 0019.books

-- As it was, but for the receipts of openings that were refused: all that name an email which the account has ever had, as its changes
-- tell. An array, and no join, so that the index receipt_person serves however little is known of the tables.
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
        AND coalesce(answer #>> '{account,id}', answer #>> '{command,account_id}', answer #>> '{command,email}') = ANY (
            ARRAY(
                SELECT of_account::text
                UNION
                SELECT email FROM account_change
                WHERE account_change.ledger_id = of_ledger AND account_change.account_id = of_account
                    AND account_change.email <> 'erased@erased.invalid'
            )
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
