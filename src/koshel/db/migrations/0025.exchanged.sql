-- A batch says how many exchanges it has, so that one that is missing is seen.
-- depends: 0019.books

-- Null: none.
ALTER TABLE batch ADD COLUMN exchanges bigint;

UPDATE batch SET exchanges = made.exchanges
FROM (
    SELECT b.ledger_id, b.id, count(*) AS exchanges
    FROM exchange AS e
    INNER JOIN (SELECT ledger_id, id, unnest(transaction_ids) AS transaction_id FROM batch) AS b
        ON b.ledger_id = e.ledger_id AND b.transaction_id = e.source_transaction_id
    GROUP BY b.ledger_id, b.id
) AS made
WHERE batch.ledger_id = made.ledger_id AND batch.id = made.id;
