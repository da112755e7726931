-- What an account had by value date: the lines that count for another day than their own, by account and by that day.
-- depends: 0021.partitions

-- Each is made by reading the table of transactions through, under a lock that stops payments for as long, but no reads:
-- half a minute for ten million transactions.

-- Nearly all transactions count for their own day, and have no entry in these. That a date was given is asked first, as it
-- is the cheaper question. What changes no balance, such as a hold, is not in them.
CREATE INDEX transaction_source_dated ON transaction (ledger_id, source_account_id, effective_on, source_version)
INCLUDE (amount)
WHERE effective_on IS NOT NULL AND effective_on <> (ctime AT TIME ZONE 'UTC')::date
    AND kind = ANY('{withdrawal,transfer,capture,refund}');
CREATE INDEX transaction_target_dated ON transaction (ledger_id, target_account_id, effective_on, target_version)
INCLUDE (amount)
WHERE effective_on IS NOT NULL AND effective_on <> (ctime AT TIME ZONE 'UTC')::date AND target_version IS NOT NULL;
