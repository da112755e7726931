-- The rule of 0003 about kinds, said shorter: PostgreSQL reads and plans each CHECK anew in every batch.
-- depends: 0003.checks

-- The table is locked for a moment only: the rows that it has are read through in 0005.
ALTER TABLE transaction DROP CONSTRAINT transaction_kind_check;

-- Behind its name, three digits say what each kind has:
--   4  an account, balance and version of the source; 1: none of them. The kind itself is counted with them: so
--      there are three digits always, and a name that ends in a digit is no other name with fewer digits.
--   5  an account, balance and version of the target; 1: the account only, which is named, but not touched; 0: none
--      of them. Balance and version count twice, so that no other mixture has one of these sums.
--   1  a parent; 2: a time at which it expires; 0: neither.
-- Transfers come first, since the list is searched from its beginning; it is one constant, not one for each.
ALTER TABLE transaction ADD CONSTRAINT transaction_kind_check CHECK (
    kind || (
        num_nonnulls(kind, source_account_id, source_balance, source_version) * 100
        + num_nonnulls(target_account_id, target_balance, target_balance, target_version, target_version) * 10
        + num_nonnulls(parent_id, expires_at, expires_at)
    )::text = ANY (
        '{transfer450, payment150, withdrawal400, hold402, hold412, capture401, capture451,
        void401, void411, expiry401, expiry411, refund401, refund451, refund151}'
    )
) NOT VALID;
