"""A role of PostgreSQL that reads a single ledger: its rows, no others, and it changes none."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from koshel.db.pools import TimeLimits
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import policies, proof
from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.confined import SHOP, TABLES, as_role, confined, count_of, two_ledgers
from tests.support.database import Database
from tests.support.settled import query

Connection = psycopg.Connection[Any]

READER, MEMBER, NOBODY = "test_reader", "test_member", "test_nobody"
READ = [name for name in TABLES if name != "api_key"]
# What a reader may try: each is refused.
REFUSED = [
    *(f"INSERT INTO {name} DEFAULT VALUES" for name in READ),
    *(f"DELETE FROM {name}" for name in READ),
    *(f"TRUNCATE {name}" for name in READ),
    *(f"LOCK {name} IN SHARE MODE" for name in READ),
    *(f"SELECT FROM {name} FOR UPDATE" for name in READ),
    *(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY" for name in READ),
    *(f"CREATE POLICY mine ON {name} USING (true)" for name in READ),
    *(f"DROP POLICY koshel_ledger_{SHOP} ON {name}" for name in READ),
    f"ALTER POLICY koshel_ledger_{SHOP} ON account USING (true)",
    "UPDATE account SET balance = 0",
    "UPDATE ledger SET name = 'mine'",
    "SELECT FROM api_key",
    "SELECT FROM _yoyo_migration",
    "SELECT erase_account(1, 1)",
    "SELECT nextval('account_id')",
    "SELECT last_value FROM transaction_id",
    *(f"SET ROLE {role}" for role in (embedded.SERVICE, embedded.OWNER)),
    *(f"SET SESSION AUTHORIZATION {role}" for role in (embedded.SERVICE, embedded.OWNER)),
    "CREATE VIEW mine AS SELECT * FROM account",
    "CREATE FUNCTION mine() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM account'",
    "SET row_security = off; SELECT FROM account",
    "SET row_security = off; COPY account TO STDOUT",
    "SELECT pg_read_file('postgresql.conf')",
    "COPY account TO PROGRAM 'cat'",
]
# What it may do, and finds nothing by: each is followed by a look at everything.
IN_VAIN = [
    "SET koshel.ledgers = 'all'",
    "SET koshel.ledgers = '{1,2}'",
    "SELECT set_config('koshel.ledgers', 'all', true)",
    "SET row_security = on",
    "RESET ALL",
    "SET enable_indexscan = off; SET enable_bitmapscan = off",
    "SET search_path = pg_temp, koshel; CREATE TEMP TABLE ledger (id bigint)",
]
# A condition that tells which rows it was asked about, and costs the planner nothing.
SPY = """
CREATE FUNCTION pg_temp.spy(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
$$BEGIN RAISE NOTICE '%', $1; RETURN true; END$$
"""


@pytest.fixture(scope="module", autouse=True)
def _roles(cluster: Cluster) -> Iterator[None]:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {READER} LOGIN",
            f"CREATE ROLE {MEMBER} LOGIN IN ROLE {READER}",
            f"CREATE ROLE {NOBODY} LOGIN",
        ):
            connection.execute(statement.encode())
        yield
        connection.execute(f"DROP ROLE {MEMBER}, {READER}, {NOBODY}".encode())


@pytest.fixture(scope="module", params=[False, True], ids=["alone", "confined"])
def books(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Two ledgers, of which one is read by a role; the service is confined, or it is not."""

    async def keep(database: Database) -> None:
        async with two_ledgers(database):
            pass

    with (confined if request.param else cloned)(cluster, "test_readers") as database:
        asyncio.run(keep(database))
        policies.grant(database.owner_url, None, READER, SHOP)
        yield database


@pytest.fixture(params=[READER, MEMBER])
def reader(books: Database, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """The role, or one that is a member of it."""
    with as_role(books, request.param) as connection:
        yield connection


def test_a_reader_sees_its_ledger_and_no_other(books: Database, reader: Connection) -> None:
    for name in READ:
        found = reader.execute(f"SELECT count(*), min(ledger_id), max(ledger_id) FROM {name}".encode()).fetchone()
        assert found == (count_of(books, name, SHOP), SHOP, SHOP)
    assert reader.execute("SELECT id, name FROM ledger").fetchall() == [(SHOP, "shop")]
    assert reader.execute("SELECT count(*) FROM currency").fetchone() == (0,)


@pytest.mark.parametrize("statement", REFUSED)
def test_it_changes_nothing_and_becomes_nobody_else(reader: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement.encode())


@pytest.mark.parametrize("statement", IN_VAIN)
def test_what_it_may_set_shows_it_no_more(books: Database, reader: Connection, statement: str) -> None:
    reader.execute(statement.encode())
    for name in READ:
        found = reader.execute(f"SELECT count(*), min(ledger_id), max(ledger_id) FROM koshel.{name}".encode())
        assert found.fetchone() == (count_of(books, name, SHOP), SHOP, SHOP)
    assert reader.execute("SELECT id FROM koshel.ledger").fetchall() == [(SHOP,)]


@pytest.mark.parametrize("table", [*READ, "ledger"])
def test_no_function_of_its_own_is_shown_a_row_of_another_ledger(reader: Connection, table: str) -> None:
    told: list[str] = []
    reader.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    reader.execute(SPY.encode())
    shown = reader.execute(f"SELECT t::text FROM {table} AS t WHERE pg_temp.spy(t::text)".encode()).fetchall()
    assert sorted(told) == sorted(text for (text,) in shown) != []


def test_the_statistics_of_the_planner_show_it_no_value(books: Database, reader: Connection) -> None:
    execute(books.owner_url, *(f"ANALYZE {name}" for name in READ))
    assert query(books, "SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'koshel'") == [(True,)]
    names = "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'koshel'"
    assert reader.execute(names.encode()).fetchall() == []


def test_a_role_without_a_ledger_sees_nothing(books: Database) -> None:
    with as_role(books, NOBODY) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT FROM koshel.account")


async def test_the_start_finds_the_service_as_it_was(books: Database) -> None:
    await proof.inspect(books.service_url, TimeLimits(), frozenset())


def test_it_proves_no_books(books: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        verify(books.service_url.replace(f"{embedded.SERVICE}@", f"{READER}@"))
    assert verify(books.owner_url) == []
