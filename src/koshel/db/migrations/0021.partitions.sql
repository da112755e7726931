-- The table of transactions is partitioned by ranges of ids, a million each: the indexes of the newest stay small.
-- depends: 0020.partitions_ahead

-- Reads the table through, while payments go on: a few seconds for ten million transactions.
ALTER TABLE transaction VALIDATE CONSTRAINT transaction_range;

-- From here on it takes milliseconds. What was the table is the first partition.
ALTER TABLE transaction RENAME TO transaction_p000000;
ALTER TABLE transaction_p000000 RENAME CONSTRAINT transaction_pkey TO transaction_p000000_pkey;
ALTER INDEX transaction_source_version RENAME TO transaction_p000000_source_version;
ALTER INDEX transaction_target_version RENAME TO transaction_p000000_target_version;
ALTER INDEX transaction_kind RENAME TO transaction_p000000_kind;
ALTER INDEX transaction_group RENAME TO transaction_p000000_group;
ALTER INDEX transaction_parent RENAME TO transaction_p000000_parent;
ALTER INDEX transaction_reference RENAME TO transaction_p000000_reference;
ALTER INDEX transaction_paid_in RENAME TO transaction_p000000_paid_in;
ALTER INDEX transaction_paid_out RENAME TO transaction_p000000_paid_out;

CREATE TABLE transaction (
    LIKE transaction_p000000 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION
) PARTITION BY RANGE (id);
ALTER TABLE transaction DROP CONSTRAINT transaction_range;

-- Each partition that is attached gets these, or brings its own. No unique index but the primary key's can be on all
-- partitions together: those on versions are on each by itself. See `make_partitions`.
ALTER TABLE transaction ADD CONSTRAINT transaction_pkey PRIMARY KEY (ledger_id, id);
CREATE INDEX transaction_kind ON transaction (ledger_id, kind, ctime, id) WHERE ctime > '-infinity';
CREATE INDEX transaction_group ON transaction (ledger_id, group_id, ctime, id) WHERE group_id IS NOT NULL;
CREATE INDEX transaction_parent ON transaction (ledger_id, parent_id, ctime, id) WHERE parent_id IS NOT NULL;
CREATE INDEX transaction_reference ON transaction (ledger_id, reference, ctime, id) WHERE reference IS NOT NULL;
CREATE INDEX transaction_paid_in ON transaction (ledger_id, target_account_id) INCLUDE (amount)
WHERE source_account_id IS NULL;
CREATE INDEX transaction_paid_out ON transaction (ledger_id, source_account_id) INCLUDE (amount)
WHERE target_account_id IS NULL AND kind = ANY('{withdrawal,capture,refund}');

-- Rights and policies are the table's: whoever has them names the table, and no role but the owner has any on a partition.
DO $$
DECLARE
    bound text := (
        SELECT substring(pg_get_constraintdef(oid) FROM 'id < ''?(\d+)') FROM pg_constraint
        WHERE conrelid = 'transaction_p000000'::regclass AND conname = 'transaction_range'
    );
    statement text;
BEGIN
    EXECUTE format(
        'ALTER TABLE transaction ATTACH PARTITION transaction_p000000 FOR VALUES FROM (MINVALUE) TO (%s)', bound
    );
    FOR statement IN
        WITH first AS (
            SELECT oid, relacl, relowner, relrowsecurity FROM pg_class WHERE oid = 'transaction_p000000'::regclass
        ), right_ AS (
            SELECT NULL::name AS attname, first.relacl AS acl, first.relowner FROM first
            UNION ALL
            SELECT a.attname, a.attacl, first.relowner
            FROM first INNER JOIN pg_attribute AS a ON a.attrelid = first.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
        ), granted AS (
            SELECT DISTINCT CASE acl.grantee WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END AS role,
                acl.privilege_type || coalesce(' (' || quote_ident(right_.attname) || ')', '') AS privilege, acl.is_grantable
            FROM right_ CROSS JOIN LATERAL aclexplode(right_.acl) AS acl WHERE acl.grantee <> right_.relowner
        ), policy AS (
            SELECT p.*, ARRAY(
                SELECT CASE role WHEN 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(role)) END
                FROM unnest(p.polroles) AS one (role)
            ) AS roles
            FROM pg_policy AS p INNER JOIN first ON first.oid = p.polrelid
        )
        SELECT format('GRANT %s ON transaction TO %s%s', privilege, role, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
        FROM granted
        UNION ALL
        SELECT DISTINCT format('REVOKE ALL ON transaction_p000000 FROM %s CASCADE', role) FROM granted
        UNION ALL
        SELECT format(
            'CREATE POLICY %I ON transaction AS %s FOR %s TO %s%s%s', polname,
            CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            array_to_string(roles, ', '), ' USING (' || pg_get_expr(polqual, polrelid) || ')',
            ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')'
        )
        FROM policy
        UNION ALL
        SELECT format('DROP POLICY %I ON transaction_p000000', polname) FROM policy
        UNION ALL
        SELECT format('ALTER TABLE %s ROW LEVEL SECURITY', change)
        FROM first CROSS JOIN (VALUES ('transaction ENABLE'), ('transaction_p000000 DISABLE')) AS both_ (change)
        WHERE first.relrowsecurity
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$;

ALTER TABLE transaction_p000000 DROP CONSTRAINT transaction_range;

-- What is full is frozen soon: a row never changes, and what is new is looked at after every 200,000 rows.
ALTER TABLE transaction_p000000 SET (autovacuum_freeze_min_age = 0);
ALTER TABLE transaction_p000000 SET (autovacuum_vacuum_insert_scale_factor = 0);
ALTER TABLE transaction_p000000 SET (autovacuum_vacuum_insert_threshold = 200000);

-- Makes the partitions that are missing for the next two million ids, and says how many ids there is room for. The service, which
-- may make no table, may call this: it is the owner's, takes nothing, and looks before it makes anything. ATTACH lets
-- payments go on, unlike CREATE TABLE ... PARTITION OF. Where the sequence was set forward, the ids left out have no partition.
CREATE FUNCTION make_partitions() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    size constant bigint := 1000000;
    ahead constant bigint := 2 * size;
    given bigint;
    bound bigint;
    name text;
    statement text;
    is_locked boolean := false;
BEGIN
    LOOP
        SELECT last_value INTO given FROM transaction_id;
        SELECT coalesce(max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO [^0-9]*([0-9]+)')::bigint), 0) INTO bound
        FROM pg_inherits AS i INNER JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'transaction'::regclass;
        IF bound - given >= ahead THEN
            RETURN bound - given;
        END IF;
        IF is_locked THEN
            -- What was queued while none could be made has its id, and needs its partition too.
            bound := greatest(bound, least(given, (SELECT min(id) FROM queued WHERE id >= bound)) / size * size);
            name := 'transaction_p' || pg_catalog.lpad((bound / size)::text, 6, '0');
            EXECUTE pg_catalog.format(
                'CREATE TABLE %I (LIKE transaction INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)'
                ' WITH (autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0,'
                ' autovacuum_vacuum_insert_threshold = 200000)', name
            );
            -- Rights that are given to each new table by default would go round the policies of the partitioned one.
            FOR statement IN
                SELECT pg_catalog.format('REVOKE ALL ON %I FROM %s', name,
                    CASE acl.grantee WHEN 0 THEN 'public' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(acl.grantee)) END)
                FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
                WHERE c.oid = name::regclass AND acl.grantee <> c.relowner
            LOOP
                EXECUTE statement;
            END LOOP;
            EXECUTE pg_catalog.format(
                'CREATE UNIQUE INDEX %I ON %I (ledger_id, source_account_id, source_version) WHERE source_account_id IS NOT NULL',
                name || '_source_version', name
            );
            EXECUTE pg_catalog.format(
                'CREATE UNIQUE INDEX %I ON %I (ledger_id, target_account_id, target_version) WHERE target_account_id IS NOT NULL',
                name || '_target_version', name
            );
            EXECUTE pg_catalog.format(
                'ALTER TABLE transaction ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name, bound, bound + size
            );
        ELSE
            -- One at a time: whoever waited here looks again. As ATTACH does it, without stopping payments.
            LOCK TABLE transaction IN SHARE UPDATE EXCLUSIVE MODE;
            is_locked := true;
        END IF;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION make_partitions FROM public;

-- It finds the tables where they are made, and what somebody else has put before them it does not. A function of pg_catalog
-- that takes arguments of any type is named with its schema: one of the same name that fits better would be taken else.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION make_partitions SET search_path = %I, pg_temp', current_schema());
END
$$;
ALTER FUNCTION make_partitions SET lock_timeout = '2s';

DO $$
BEGIN
    PERFORM make_partitions();
END
$$;
