-- Notes on a posted transaction can be changed. Each change is a row beside the transaction, whose own row stays as it is.
-- depends: 0016.exchanges

-- A row has the notes as the change has left them: what they were before is in the row before, or in the transaction's own. No foreign
-- key, as from `transaction` to `account`.
CREATE TABLE transaction_change (
    ledger_id bigint NOT NULL,
    transaction_id bigint NOT NULL,
    revision bigint NOT NULL,
    metadata jsonb NOT NULL,
    description text,
    idempotency_key text COLLATE "C",
    ctime timestamptz NOT NULL,
    CONSTRAINT transaction_change_pkey PRIMARY KEY (ledger_id, transaction_id, revision),
    CONSTRAINT transaction_change_check CHECK (revision > 0 AND jsonb_typeof(metadata) = 'object')
);
