-- Which names there may be, and that each is one account's. Accounts are read through, under a lock that stops payments for
-- as long, but no reads.
-- depends: 0008.names

ALTER DOMAIN account_name ADD CONSTRAINT account_name_check CHECK (VALUE ~ '^[A-Za-z0-9_.:-]{1,100}$');

CREATE UNIQUE INDEX account_by_name ON account (ledger_id, name) WHERE name IS NOT NULL;
