-- Which two transactions are an exchange, and the rate that was given.
-- depends: 0015.splits

-- A row for each exchange, which never changes. Its transactions are ordinary ones, so theirs is no other table, and
-- who exchanges nothing has no row. Without a rate both amounts were given.
CREATE TABLE exchange (
    ledger_id bigint NOT NULL,
    source_transaction_id bigint NOT NULL,
    target_transaction_id bigint NOT NULL,
    rate numeric,
    CONSTRAINT exchange_pkey PRIMARY KEY (ledger_id, source_transaction_id),
    CONSTRAINT exchange_check CHECK (source_transaction_id < target_transaction_id AND rate > 0)
);
