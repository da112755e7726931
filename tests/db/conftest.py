"""Books that tests may put wrong, and an empty database to write single rows to."""

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from tests.support.bookkeeping import execute, keep_books
from tests.support.clone import cloned
from tests.support.copies import copying
from tests.support.database import Database
from tests.support.small_books import wrong_in
from tests.support.table_rows import Connection

TABLES = (
    *("account", "transaction", "receipt", "batch", "hold", "queued", "declined", "cancelled", "split"),
    *("transaction_change", "account_change"),
)
RULES = (
    "ALTER TABLE account DROP CONSTRAINT account_state_check",
    "ALTER DOMAIN account_name DROP CONSTRAINT account_name_check",
    "DROP INDEX account_by_name",
)


@pytest.fixture(scope="package")
def kept(cluster: Cluster) -> Iterator[Database]:
    """Books, a copy of each of their tables, and no rule in the way of what is wrong."""

    async def keep(url: str) -> None:
        async with open_store(StoreConfig(url)) as store:
            await keep_books(store)

    with cloned(cluster, "test_verify") as database:
        asyncio.run(keep(database.service_url))
        execute(database.owner_url, *copying(TABLES))
        execute(database.owner_url, *RULES)
        yield database


@pytest.fixture
def books(kept: Database) -> Iterator[str]:
    """The owner's URL of books that are right; whatever becomes of them, they are put right again."""
    yield kept.owner_url
    for name in TABLES:
        execute(kept.owner_url, f"TRUNCATE {name}", f"INSERT INTO {name} TABLE right_{name}")


@pytest.fixture(scope="package")
def owner(cluster: Cluster) -> Iterator[Connection]:
    """A connection as the owner, to an empty database."""
    with cloned(cluster, "test_schema_checks") as database, psycopg.connect(database.owner_url) as connection:
        yield connection


@pytest.fixture
def connection(owner: Connection) -> Iterator[Connection]:
    """The same, for one transaction that is rolled back."""
    yield owner
    owner.rollback()


@pytest.fixture
def proved(database: Database) -> Iterator[Database]:
    """The database; at the end its books are right."""
    yield database
    assert wrong_in(database.owner_url) == []
