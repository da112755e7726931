-- Transactions that are decided at a time of their own, and can be cancelled until then; holds that are captured at one.
-- depends: 0009.names_unique

-- `due` moves when a transaction is put off; this is the time that was asked for, if one was. `queued_due` finds what
-- is due among any number that is not.
ALTER TABLE queued ADD COLUMN execute_at timestamptz;

-- Those that were put off wait, though they are not due: to be counted without those that are only scheduled.
CREATE INDEX queued_put_off ON queued (ledger_id, due) WHERE attempts > 0;

-- What was queued and was then cancelled: when, and by which request, if that had an id. Its key's receipt stays as it is.
CREATE TABLE cancelled (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL,
    promise jsonb NOT NULL,
    request_id text,
    ctime timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, id)
);

-- When a hold is to be captured by the background. In `hold` it moves when the capture was refused, and is tried again.
ALTER TABLE transaction ADD COLUMN capture_at timestamptz;

ALTER TABLE transaction ADD CONSTRAINT transaction_capture_check CHECK (
    capture_at IS NULL OR (expires_at IS NOT NULL AND capture_at < expires_at)
) NOT VALID;

ALTER TABLE hold ADD COLUMN capture_at timestamptz;

CREATE INDEX hold_capture ON hold (capture_at, ledger_id) WHERE capture_at IS NOT NULL;
