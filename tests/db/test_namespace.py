"""The tables are where they were made, and whatever else a database has of the same names is never meant."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from koshel.core.model import Posted
from koshel.db.pools import TimeLimits
from koshel.db.qualifying import qualified
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.settling import currencies
from koshel.db.starting import migrate, proof
from koshel.db.starting.migrate import MigrationError
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support import command
from tests.support.bookkeeping import execute, keep_books, move
from tests.support.database import Database

TABLES = (
    *("ledger", "currency", "account", "transaction", "receipt", "batch", "hold"),
    *("queued", "declined", "cancelled", "split"),
)


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[Database]:
    """A database without any of Koshel's tables."""
    name = f"schemas_{os.getpid()}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield Database(cluster.url(database=name), cluster.url(embedded.SERVICE, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def schemas(database: Database) -> set[str]:
    """Where there are accounts."""
    with psycopg.connect(database.owner_url) as connection:
        return {name for (name,) in connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'account'")}


async def work(database: Database, schema: str | None) -> None:
    """Books are kept and right; every way in finds the same tables."""
    async with open_store(StoreConfig(database.service_url, schema=schema)) as store:
        await keep_books(store)
        (paid,) = await settle(store, [move(None, 1, "1", key="again")])
        assert isinstance(paid, Posted)
        assert await store.get_transaction(1, paid.id) is not None
        assert await store.applied_migrations() == set(migrate.known())
        assert [claim.ledger_id for claim in await store.due()] == [1]
    assert verify(database.owner_url, schema) == []
    currencies.add(database.owner_url, "POINTS", 0, schema)
    assert ("POINTS", 0) in currencies.registered(database.service_url, schema)
    found = await proof.inspect(database.service_url, TimeLimits(), frozenset(), schema=schema)
    assert found.due == migrate.due(database.owner_url, schema) == []
    assert migrate.migrate(database.owner_url, schema=schema, service_role=embedded.SERVICE) == []


async def test_a_new_database_has_them_in_a_schema_of_their_own(empty: Database) -> None:
    assert migrate.migrate(empty.owner_url, service_role=embedded.SERVICE) == migrate.known()
    assert schemas(empty) == {"koshel"}
    await work(empty, None)


async def test_a_database_that_has_them_in_public_keeps_them_there(empty: Database) -> None:
    migrate.migrate(empty.owner_url, schema="public", service_role=embedded.SERVICE)
    await work(empty, None)
    assert schemas(empty) == {"public"}


async def test_they_may_be_in_any_schema(empty: Database) -> None:
    migrate.migrate(empty.owner_url, schema="wallet", service_role=embedded.SERVICE)
    await work(empty, "wallet")
    assert schemas(empty) == {"wallet"}


async def test_where_a_session_finds_them_they_need_not_be_named(empty: Database) -> None:
    """As 0.2 could have them, by a role's own search_path."""
    migrate.migrate(empty.owner_url, schema='of "mine"', service_role=embedded.SERVICE)
    name = empty.owner_url.partition("@/")[2].partition("?")[0]
    execute(empty.owner_url, f"""ALTER DATABASE {name} SET search_path = 'of "mine"', public""")
    await work(empty, None)
    assert schemas(empty) == {'of "mine"'}


async def test_two_wallets_in_one_database_know_nothing_of_each_other(empty: Database) -> None:
    for schema in ("one", "other"):
        migrate.migrate(empty.owner_url, schema=schema, service_role=embedded.SERVICE)
        await work(empty, schema)


@pytest.mark.parametrize("path", ["public, koshel", "", "nowhere"])
async def test_tables_of_somebody_else_that_have_the_same_names_are_not_meant(empty: Database, path: str) -> None:
    execute(empty.owner_url, *(f"CREATE TABLE public.{name} (mine text)" for name in (*TABLES, "_yoyo_migration")))
    execute(empty.owner_url, *(f"CREATE SEQUENCE public.{name}" for name in ("account_id", "group_id")))
    name = empty.owner_url.partition("@/")[2].partition("?")[0]
    execute(empty.owner_url, f"ALTER DATABASE {name} SET search_path = {path or repr('')}")
    assert migrate.migrate(empty.owner_url, service_role=embedded.SERVICE) == migrate.known()
    await work(empty, None)
    with psycopg.connect(empty.owner_url) as connection:
        for table in TABLES:
            assert connection.execute(f"SELECT * FROM public.{table}").fetchall() == []


async def test_tables_in_koshel_go_before_others_that_a_session_finds(empty: Database) -> None:
    migrate.migrate(empty.owner_url, schema="public")
    migrate.migrate(empty.owner_url, schema="koshel", service_role=embedded.SERVICE)
    await work(empty, None)
    with psycopg.connect(empty.owner_url) as connection:
        assert connection.execute("SELECT count(*) FROM public.account").fetchone() == (0,)


def test_who_may_make_no_schema_may_use_one_that_was_made_for_them(empty: Database) -> None:
    execute(empty.owner_url, "CREATE ROLE tenant LOGIN")
    try:
        tenant = empty.owner_url.replace("koshel@", "tenant@")
        with pytest.raises(MigrationError, match="the role tenant may not do this"):
            migrate.migrate(tenant)
        execute(empty.owner_url, "CREATE SCHEMA koshel AUTHORIZATION tenant")
        assert migrate.migrate(tenant) == migrate.known()
        assert verify(tenant) == []
    finally:
        execute(empty.owner_url, "DROP OWNED BY tenant CASCADE", "DROP ROLE tenant")


def test_the_commands_take_the_schema(empty: Database) -> None:
    chosen = {"database_url": empty.owner_url, "schema": "wallet"}
    assert command.run("migrate", "--check", **chosen).returncode == 1
    assert command.run("migrate", **chosen).returncode == 0
    assert command.run("migrate", "--check", **chosen).returncode == 0
    assert command.run("currency", "add", "POINTS", "--scale", "0", **chosen).returncode == 0
    assert command.run("currency", "list", **chosen).stdout == "POINTS\t0\n"
    assert command.run("verify", **chosen).returncode == 0
    shell = command.run("psql", "-X", "-A", "-t", "-c", "SELECT code FROM currency", **chosen)
    assert (shell.returncode, shell.stdout) == (0, "POINTS\n")
    assert schemas(empty) == {"wallet"}
    refused = command.run("migrate", database_url=empty.owner_url, schema="pg_wallet")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "KOSHEL_SCHEMA takes a name" in refused.stderr


def test_each_name_of_a_table_or_a_sequence_gets_its_schema_and_nothing_else_does() -> None:
    statement = "INSERT INTO hold SELECT account.id, nextval('account_id') FROM account JOIN holding USING (hold)"
    assert qualified(statement, "it's") == (
        """INSERT INTO "it's".hold SELECT account.id, nextval('"it''s".account_id') FROM "it's".account """
        "JOIN holding USING (hold)"
    )
