-- The books are read in pages: each list has an index in the order of its pages, which is that of time.
-- depends: 0018.account_changes

-- Each is made by reading its table through, under a lock that stops payments for as long, but no reads: about a minute
-- for ten million transactions.

-- Each is partial, though what it asks for is nearly always so: only a statement that says the same is planned with the
-- index. Else one that looks for something else, planned while a table was empty, might skip through this index for ever.

-- By kind, since a list of some kinds is merged from theirs, and one of all kinds from those of all.
CREATE INDEX transaction_kind ON transaction (ledger_id, kind, ctime, id) WHERE ctime > '-infinity';

-- A plain transfer has no entry in these.
CREATE INDEX transaction_group ON transaction (ledger_id, group_id, ctime, id) WHERE group_id IS NOT NULL;
DROP INDEX transaction_parent;
CREATE INDEX transaction_parent ON transaction (ledger_id, parent_id, ctime, id) WHERE parent_id IS NOT NULL;
DROP INDEX transaction_reference;
CREATE INDEX transaction_reference ON transaction (ledger_id, reference, ctime, id) WHERE reference IS NOT NULL;

-- What has come in from outside, and what has left, by account, for the sums of a ledger.
CREATE INDEX transaction_paid_in ON transaction (ledger_id, target_account_id) INCLUDE (amount)
WHERE source_account_id IS NULL;
CREATE INDEX transaction_paid_out ON transaction (ledger_id, source_account_id) INCLUDE (amount)
WHERE target_account_id IS NULL AND kind = ANY('{withdrawal,capture,refund}');

-- What was queued, and is not posted: by time, by each of its accounts, by what it follows, and by reference. These are in
-- the promise; as columns of their own they can be looked for where row-level security is on, which lets no index see what
-- is computed from a row. Each column rewrites its table, under a lock that stops what is in the background, and reads.
ALTER TABLE queued ADD COLUMN source_account_id bigint GENERATED ALWAYS AS ((promise ->> 'source_account_id')::bigint) STORED;
ALTER TABLE queued ADD COLUMN target_account_id bigint GENERATED ALWAYS AS ((promise ->> 'target_account_id')::bigint) STORED;
ALTER TABLE queued ADD COLUMN parent_id bigint GENERATED ALWAYS AS ((promise ->> 'parent_id')::bigint) STORED;
ALTER TABLE queued ADD COLUMN reference text GENERATED ALWAYS AS (promise #>> '{command,command,reference}') STORED;
CREATE INDEX queued_time ON queued (ledger_id, ctime, id) WHERE ctime > '-infinity';
CREATE INDEX queued_source ON queued (ledger_id, source_account_id, ctime, id) WHERE source_account_id IS NOT NULL;
CREATE INDEX queued_target ON queued (ledger_id, target_account_id, ctime, id) WHERE target_account_id IS NOT NULL;
CREATE INDEX queued_parent ON queued (ledger_id, parent_id, ctime, id) WHERE parent_id IS NOT NULL;
CREATE INDEX queued_reference ON queued (ledger_id, reference, ctime, id) WHERE reference IS NOT NULL;

ALTER TABLE declined ADD COLUMN source_account_id bigint GENERATED ALWAYS AS ((promise ->> 'source_account_id')::bigint) STORED;
ALTER TABLE declined ADD COLUMN target_account_id bigint GENERATED ALWAYS AS ((promise ->> 'target_account_id')::bigint) STORED;
ALTER TABLE declined ADD COLUMN parent_id bigint GENERATED ALWAYS AS ((promise ->> 'parent_id')::bigint) STORED;
ALTER TABLE declined ADD COLUMN reference text GENERATED ALWAYS AS (promise #>> '{command,command,reference}') STORED;
CREATE INDEX declined_time ON declined (ledger_id, ctime, id) WHERE ctime > '-infinity';
CREATE INDEX declined_source ON declined (ledger_id, source_account_id, ctime, id) WHERE source_account_id IS NOT NULL;
CREATE INDEX declined_target ON declined (ledger_id, target_account_id, ctime, id) WHERE target_account_id IS NOT NULL;
CREATE INDEX declined_parent ON declined (ledger_id, parent_id, ctime, id) WHERE parent_id IS NOT NULL;
CREATE INDEX declined_reference ON declined (ledger_id, reference, ctime, id) WHERE reference IS NOT NULL;

ALTER TABLE cancelled ADD COLUMN source_account_id bigint GENERATED ALWAYS AS ((promise ->> 'source_account_id')::bigint) STORED;
ALTER TABLE cancelled ADD COLUMN target_account_id bigint GENERATED ALWAYS AS ((promise ->> 'target_account_id')::bigint) STORED;
ALTER TABLE cancelled ADD COLUMN parent_id bigint GENERATED ALWAYS AS ((promise ->> 'parent_id')::bigint) STORED;
ALTER TABLE cancelled ADD COLUMN reference text GENERATED ALWAYS AS (promise #>> '{command,command,reference}') STORED;
CREATE INDEX cancelled_time ON cancelled (ledger_id, ctime, id) WHERE ctime > '-infinity';
CREATE INDEX cancelled_source ON cancelled (ledger_id, source_account_id, ctime, id) WHERE source_account_id IS NOT NULL;
CREATE INDEX cancelled_target ON cancelled (ledger_id, target_account_id, ctime, id) WHERE target_account_id IS NOT NULL;
CREATE INDEX cancelled_parent ON cancelled (ledger_id, parent_id, ctime, id) WHERE parent_id IS NOT NULL;
CREATE INDEX cancelled_reference ON cancelled (ledger_id, reference, ctime, id) WHERE reference IS NOT NULL;

-- Accounts have the order of their ids. None of these columns is one that a transfer changes.
CREATE INDEX account_by_email ON account (ledger_id, email, id) WHERE email IS NOT NULL;
CREATE INDEX account_by_currency ON account (ledger_id, currency, id) WHERE currency IS NOT NULL;
CREATE INDEX account_by_status ON account (ledger_id, status, id) WHERE status IS NOT NULL;
