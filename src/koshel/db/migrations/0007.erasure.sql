-- Personal data of a closed account can be erased, also from what keys have answered.
-- depends: 0006.api_keys

-- Whose personal data an answer has: the id of an account, or of an opening that was refused the email. Of transactions
-- and batches it is nothing, so nearly no receipt has an entry.
CREATE INDEX receipt_person ON receipt (
    ledger_id, coalesce(answer #>> '{account,id}', answer #>> '{command,account_id}', answer #>> '{command,email}')
) WHERE coalesce(answer #>> '{account,id}', answer #>> '{command,account_id}', answer #>> '{command,email}') IS NOT NULL;

-- The service may not change a receipt. It may call this, which runs as the owner and can do nothing else.
-- A command whose email is this one was erased: nobody can send it, since `invalid` is no domain.
CREATE FUNCTION erase_account(of_ledger bigint, of_account bigint) RETURNS void LANGUAGE sql SECURITY DEFINER
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
    UPDATE account SET email = 'erased@erased.invalid', metadata = '{}', revision = account.revision + 1
    WHERE account.ledger_id = of_ledger AND account.id = of_account AND account.status = 'closed'
        AND (account.email <> 'erased@erased.invalid' OR account.metadata <> '{}');
END;

REVOKE EXECUTE ON FUNCTION erase_account FROM public;
