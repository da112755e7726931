-- A batch says how many splits and exchanges it has, so that one that is missing is seen.
-- depends: 0019.books

-- Null: none.
ALTER TABLE batch ADD COLUMN splits bigint;
ALTER TABLE batch ADD COLUMN exchanges bigint;

UPDATE batch SET splits = made.splits, exchanges = made.exchanges
FROM (
    SELECT b.ledger_id, b.id, nullif(count(s.id), 0) AS splits, nullif(count(e.source_transaction_id), 0) AS exchanges
    FROM (SELECT ledger_id, id, unnest(transaction_ids) AS transaction_id FROM batch) AS b
    LEFT JOIN split AS s ON s.ledger_id = b.ledger_id AND s.transaction_ids[1] = b.transaction_id
    LEFT JOIN exchange AS e ON e.ledger_id = b.ledger_id AND e.source_transaction_id = b.transaction_id
    WHERE s.id IS NOT NULL OR e.source_transaction_id IS NOT NULL
    GROUP BY b.ledger_id, b.id
) AS made
WHERE batch.ledger_id = made.ledger_id AND batch.id = made.id;
