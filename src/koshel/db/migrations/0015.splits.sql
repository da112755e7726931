-- Splits: one amount in several transactions.
-- depends: 0014.limits

-- What was split, and into which transactions; its id is their group's. A row for each split, and never changed: so `koshel
-- verify` can prove that the legs add up to the amount, and the holds of a split are found by its id.
CREATE TABLE split (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL,
    amount numeric NOT NULL,
    transaction_ids bigint [] NOT NULL,
    PRIMARY KEY (ledger_id, id),
    CONSTRAINT split_check CHECK (
        id > 0 AND amount > 0 AND amount < 'Infinity' AND cardinality(transaction_ids) > 0
    )
);
