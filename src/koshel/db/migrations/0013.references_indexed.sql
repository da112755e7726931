-- Transactions are found by their reference. A transaction without one has no entry.
-- depends: 0012.references

-- The rows that are there are read through, under a lock that stops payments for as long, but no reads.
CREATE INDEX transaction_reference ON transaction (ledger_id, reference) WHERE reference IS NOT NULL;
