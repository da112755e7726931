"""The table of transactions that there was becomes the first partition, with all rights and policies."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from koshel.db import queries
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import migrate, policies, schema
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again
from tests.support.bookkeeping import execute, keep_books
from tests.support.database import Database
from tests.support.partitioned import BOUNDS
from tests.support.settled import query, refusals
from tests.support.wallets import payment

COLUMNS = (
    "SELECT attname, attacl::text FROM pg_attribute WHERE attrelid = '{}'::regclass AND attacl IS NOT NULL ORDER BY 1"
)
READER = "test_partitions_reader"


@pytest.fixture
def unpartitioned(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """As the version before it was partitioned leaves a database, with rights of the service and of a reader."""
    name = f"unpartitioned_{os.getpid()}"
    for each in migrate.known():
        if each < "0020":
            shutil.copy(schema.DIRECTORY / f"{each}.sql", tmp_path)
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"CREATE ROLE {READER} LOGIN")
        database = Database(cluster.url(database=name), cluster.url(embedded.SERVICE, name))
        with monkeypatch.context() as then:
            then.setattr(schema, "DIRECTORY", tmp_path)
            migrate.migrate(database.owner_url)
        # Rights on what there is not yet are the later version's.
        execute(database.owner_url, "CREATE FUNCTION make_partitions() RETURNS bigint LANGUAGE sql AS 'SELECT 1'")
        with psycopg.connect(database.owner_url, autocommit=True, cursor_factory=psycopg.RawCursor) as owner:
            for (statement,) in owner.execute(queries.load().grant_service, (embedded.SERVICE, "koshel")).fetchall():
                owner.execute(statement)
        execute(database.owner_url, "DROP FUNCTION make_partitions")
        write_as_then(monkeypatch)
        yield database
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP ROLE {READER}")


def write_as_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch did not say yet how many splits and exchanges it has."""
    load = queries.load

    def loaded(namespace: str = queries.SCHEMA) -> queries.Queries:
        now, then = load(namespace), dict[str, str]()
        for name in ("post", "post_plain"):
            text = getattr(now, name).replace(", rules, splits, exchanges)", ", rules)")
            then[name] = text.replace(", sum(splits)::bigint, sum(exchanges)::bigint", "")
            assert text.count("splits") < getattr(now, name).count("splits")
        return replace(now, **then)

    monkeypatch.setattr(queries, "load", loaded)


def rights(database: Database, table: str) -> list[tuple[Any, ...]]:
    return query(
        database,
        f"SELECT grantee::regrole::text, privilege_type FROM pg_class, aclexplode(relacl)"
        f" WHERE oid = '{table}'::regclass AND grantee <> relowner ORDER BY 1, 2",
    )


def seen_by(database: Database, table: str) -> list[tuple[Any, ...]]:
    return query(
        database,
        "SELECT polname, polroles::regrole[]::text, polcmd, polpermissive, pg_get_expr(polqual, polrelid),"
        " pg_get_expr(polwithcheck, polrelid), relrowsecurity"
        " FROM pg_policy INNER JOIN pg_class AS c ON c.oid = polrelid"
        f" WHERE polrelid = '{table}'::regclass ORDER BY 1",
    )


@pytest.mark.parametrize("wish", [None, "on"])
async def test_the_table_that_was_there_becomes_the_first_partition(unpartitioned: Database, wish: Any) -> None:
    url = unpartitioned.owner_url
    with psycopg.connect(url, autocommit=True) as connection:
        policies.secure(connection, "koshel", wish)
    policies.grant(url, None, READER, 1)
    async with open_store(StoreConfig(unpartitioned.service_url)) as store:
        await keep_books(store)
    execute(url, "SELECT setval('transaction_id', 12345678)")
    execute(url, f"GRANT SELECT (ledger_id, id) ON transaction TO {READER}")
    of_columns = query(unpartitioned, COLUMNS.format("transaction"))
    assert of_columns
    granted, visible = rights(unpartitioned, "transaction"), seen_by(unpartitioned, "transaction")
    assert granted
    assert visible
    before = query(unpartitioned, "SELECT * FROM transaction ORDER BY id")
    assert migrate.migrate(url) == [name for name in migrate.known() if name >= "0020"]
    assert rights(unpartitioned, "transaction") == granted
    assert seen_by(unpartitioned, "transaction") == visible
    assert query(unpartitioned, COLUMNS.format("transaction")) == of_columns
    assert query(unpartitioned, COLUMNS.format("transaction_p000000")) == []
    assert rights(unpartitioned, "transaction_p000000") == seen_by(unpartitioned, "transaction_p000000") == []
    assert query(unpartitioned, "SELECT * FROM transaction ORDER BY id") == before
    assert query(unpartitioned, BOUNDS) == [
        ("transaction_p000000", "FOR VALUES FROM (MINVALUE) TO ('14000000')"),
        ("transaction_p000014", "FOR VALUES FROM ('14000000') TO ('15000000')"),
    ]
    migrate.migrate(url, service_role=embedded.SERVICE)
    async with open_store(StoreConfig(unpartitioned.service_url)) as store:
        assert refusals(await settle_again(store, [payment(4, "1")])) == [None]
    assert verify(url) == []
