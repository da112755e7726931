-- API keys: who may use which ledger, and for what.
-- depends: 0005.kinds_valid

CREATE SEQUENCE api_key_id;

-- Of a key only its SHA-256 is kept, by which it is found: the key itself has 256 random bits, so nobody finds one that has
-- this digest. Rows stay for ever: that a key is known, and was revoked, is said as long as somebody sends it.
-- On Citus a reference table, as ledger is: a digest is looked up before its ledger is known.
CREATE TABLE api_key (
    ledger_id bigint NOT NULL,
    id bigint NOT NULL,
    name text NOT NULL,
    scope text NOT NULL,
    digest bytea NOT NULL,
    ctime timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (ledger_id, id),
    CONSTRAINT api_key_check CHECK (
        id > 0 AND length(name) <= 100 AND scope IN ('read', 'write', 'admin') AND length(digest) = 32
    )
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX api_key_digest ON api_key (digest);
