-- Limits by time, and the turnover that they are measured against.
-- depends: 0013.references_indexed

-- As they were given, or null. No CHECK here: PostgreSQL plans those of an account anew in every batch.
ALTER TABLE account ADD COLUMN limits jsonb;

-- A row for each account with limits, which the lock of the account guards. It is small, and kept beside the account, so
-- that the accounts without limits stay as small as they were. `windows` has, for the window of each limit, the version
-- of the account after which it is counted, and [number, out, in] of each sixtieth of it in which something moved.
CREATE TABLE turnover (
    ledger_id bigint NOT NULL,
    account_id bigint NOT NULL,
    limits_version bigint NOT NULL,
    counted_at timestamptz NOT NULL,
    windows jsonb NOT NULL,
    CONSTRAINT turnover_pkey PRIMARY KEY (ledger_id, account_id),
    CONSTRAINT turnover_check CHECK (
        limits_version >= 0 AND jsonb_typeof(windows) = 'array' AND jsonb_array_length(windows) BETWEEN 1 AND 5
    )
) WITH (fillfactor = 50);
