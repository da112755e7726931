-- Holds, refunds, batches, background transactions, and accounts that change.
-- depends: 0001.wallet

-- All at once and in the order in which reads take them, so that none of those and this wait for each other.
LOCK TABLE receipt, transaction, account, batch;

-- By which rules a batch was settled: 1 knows nothing of holds, and would write their accounts wrong. There is
-- no default, so that a process of 0.1 can write nothing any more.
ALTER TABLE batch ADD COLUMN rules smallint NOT NULL DEFAULT 1;
ALTER TABLE batch ALTER COLUMN rules DROP DEFAULT;

ALTER TABLE account
ADD COLUMN revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
DROP CONSTRAINT account_status_check,
ADD CONSTRAINT account_status_check CHECK (status IN ('open', 'frozen', 'closed')),
ADD CONSTRAINT account_closed_check CHECK (status <> 'closed' OR (balance = 0 AND held = 0));

-- What a side has held after the transaction; null: nothing, as nearly always, and then it takes no room.
ALTER TABLE transaction
ADD COLUMN source_held numeric CHECK (source_held > 0 AND source_held < 'Infinity'),
ADD COLUMN target_held numeric CHECK (target_held > 0 AND target_held < 'Infinity'),
ADD COLUMN expires_at timestamptz;

-- A hold, a void and an expiry name their target, but touch only their source.
ALTER TABLE transaction
DROP CONSTRAINT transaction_check2,
DROP CONSTRAINT transaction_check3,
ADD CONSTRAINT transaction_touched_check CHECK (
    CASE WHEN kind IN ('hold', 'void', 'expiry')
        THEN num_nulls(target_balance, target_version) = 2
        ELSE num_nulls(target_account_id, target_balance, target_version) IN (0, 3)
    END
),
ADD CONSTRAINT transaction_held_check CHECK (
    (source_held IS NULL OR source_version IS NOT NULL) AND (target_held IS NULL OR target_version IS NOT NULL)
),
ADD CONSTRAINT transaction_kind_check CHECK (CASE kind
    WHEN 'payment' THEN source_account_id IS NULL AND target_account_id IS NOT NULL AND parent_id IS NULL
    WHEN 'withdrawal' THEN source_account_id IS NOT NULL AND target_account_id IS NULL AND parent_id IS NULL
    WHEN 'transfer' THEN source_account_id IS NOT NULL AND target_account_id IS NOT NULL AND parent_id IS NULL
    WHEN 'hold' THEN source_account_id IS NOT NULL AND parent_id IS NULL
    WHEN 'capture' THEN source_account_id IS NOT NULL AND parent_id IS NOT NULL
    WHEN 'void' THEN source_account_id IS NOT NULL AND parent_id IS NOT NULL
    WHEN 'expiry' THEN source_account_id IS NOT NULL AND parent_id IS NOT NULL
    WHEN 'refund' THEN num_nulls(source_account_id, target_account_id) < 2 AND parent_id IS NOT NULL
    ELSE false
END),
ADD CONSTRAINT transaction_expires_check CHECK ((kind = 'hold') = (expires_at IS NOT NULL));

-- What became of a hold, and what was refunded. A plain transfer has no parent, and no entry here.
CREATE INDEX transaction_parent ON transaction (ledger_id, parent_id) WHERE parent_id IS NOT NULL;

CREATE SEQUENCE group_id;

-- The open holds, and no others: what each still reserves. Who locks the source's account may change them,
-- and nobody else does, so their rows need no lock of their own.
CREATE TABLE hold (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL, -- its transaction's
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 'Infinity'),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, id)
);

CREATE INDEX hold_expires ON hold (expires_at, ledger_id);

-- What a key's request was, where its transaction does not say all of it. A key may also stand for the
-- promise of a transaction: then the answer is that promise, and transaction_id what it will have.
ALTER TABLE receipt
ADD COLUMN request jsonb,
DROP CONSTRAINT receipt_check,
ADD CONSTRAINT receipt_answer_check CHECK (transaction_id IS NOT NULL OR answer IS NOT NULL),
ADD CONSTRAINT receipt_request_check CHECK (request IS NULL OR (transaction_id IS NOT NULL AND answer IS NULL));

-- Transactions that were promised and are not decided yet; a row goes when its transaction, or its
-- refusal, comes. A claim is the lock of a row, so the claims of a process that dies are gone with it.
CREATE TABLE queued (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL, -- its transaction's, once it is posted
    promise jsonb NOT NULL,
    due timestamptz NOT NULL, -- not to be tried before
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    error text, -- what stopped the last attempt
    ctime timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, id)
) WITH (fillfactor = 90);

CREATE INDEX queued_due ON queued (ledger_id, due, id);

-- Promised transactions that were refused, for ever.
CREATE TABLE declined (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL,
    promise jsonb NOT NULL,
    answer jsonb NOT NULL,
    ctime timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, id)
);
