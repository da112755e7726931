"""The databases: one cluster, a template with funded accounts, and a fresh copy of it for every comparison."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from msgspec import Struct
from psycopg import sql
from psycopg.rows import tuple_row

from koshel.core.commands import Command, Kind, Move, OpenAccount
from koshel.core.model import Opened, Posted
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting.migrate import migrate
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.checks import MORE
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again

ACCOUNTS = 10_000
FUNDS = Decimal(1_000_000_000)  # an account's: no transfer is ever refused
BATCH = 500
MAIN = 1  # the first migration's ledger
TEMPLATE = "template_bench"
SETTINGS = (
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "wal_level",
    "wal_sync_method",
    "wal_compression",
    "wal_buffers",
    "max_wal_size",
    "checkpoint_timeout",
    "shared_buffers",
    "autovacuum",
    "jit",
)


class BooksWrong(Exception):
    """The money does not add up: nothing that was measured counts."""


class Databases(Struct, frozen=True):
    """The cluster, with the template ready. Open it with `open_databases`."""

    cluster: Cluster

    @property
    def postmaster(self) -> int:
        """The process id of the server's first process, whose children are all the others."""
        return int((self.cluster.directory / "postmaster.pid").read_text().split()[0])

    def settings(self) -> list[tuple[str, str]]:
        """The server's settings that the numbers depend on."""
        with psycopg.connect(self.cluster.url(), row_factory=tuple_row) as connection:
            rows = [connection.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in SETTINGS]
        return [(name, row[0]) for name, row in zip(SETTINGS, rows, strict=True) if row is not None]

    @contextmanager
    def fresh(self, *names: str, template: str = TEMPLATE) -> Iterator[list[str]]:
        """URLs of copies of a template, dropped at the end. All that is dirty is written out before."""
        for name in names:
            self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        self._run("CHECKPOINT")
        try:
            yield [self.cluster.url(database=name) for name in names]
        finally:
            for name in names:
                self._run("DROP DATABASE {} WITH (FORCE)", name)

    def make_template(self) -> None:
        """The schema, and ACCOUNTS accounts of the ledger `main` with ids from 1, each with FUNDS."""
        url = self.create(TEMPLATE)
        migrate(url)
        (ids,) = uvloop.run(open_accounts(url, [MAIN], ACCOUNTS))
        assert ids == list(range(1, ACCOUNTS + 1)), "the load generator counts on it"
        analyze(url)

    def create(self, name: str) -> str:
        """The URL of a new database with nothing in it."""
        self._run("CREATE DATABASE {} TEMPLATE {}", name, "template0")
        return self.cluster.url(database=name)

    def has(self, name: str) -> bool:
        """Whether there is a database of that name."""
        with psycopg.connect(self.cluster.url()) as connection:
            return bool(connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchall())

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def open_databases(directory: Path) -> Iterator[Databases]:
    """A new embedded PostgreSQL in `directory`, stopped at the end."""
    with embedded.running(directory) as cluster:
        databases = Databases(cluster)
        databases.make_template()
        yield databases


async def open_accounts(url: str, ledger_ids: Sequence[int], count: int) -> list[list[int]]:
    """Open and fund so many accounts in each ledger; their ids by ledger."""
    opening: list[Command] = [
        OpenAccount(ledger_id, "bench@example.com", max_balance=None) for ledger_id in ledger_ids for _ in range(count)
    ]
    async with open_store(StoreConfig(url)) as store:
        ids = []
        for start in range(0, len(opening), BATCH):
            opened = await settle_again(store, opening[start : start + BATCH])
            accounts = [outcome.account for outcome in opened if isinstance(outcome, Opened)]
            ids += [account.id for account in accounts]
            payments = [Move(a.ledger_id, Kind.PAYMENT, None, a.id, FUNDS) for a in accounts]
            posted = await settle_again(store, payments)
            assert all(isinstance(outcome, Posted) for outcome in posted)
    assert len(ids) == len(opening)
    return [ids[start : start + count] for start in range(0, len(ids), count)]


def analyze(url: str) -> None:
    """What autovacuum does soon after accounts were opened. It leaves empty tables alone, and so does this.

    The planner takes a table that was vacuumed when it was empty for one that will be.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE account, transaction")


def transactions(url: str) -> int:
    """How many transactions have been posted."""
    return int(_value(url, "SELECT count(*) FROM transaction"))


def enqueued(url: str) -> int:
    """How many transactions have been posted, or were enqueued and are queued or declined."""
    counts = (f"(SELECT count(*) FROM {table})" for table in ("transaction", "queued", "declined"))
    return int(_value(url, f"SELECT {' + '.join(counts)}"))


def declined(url: str) -> int:
    """How many queued transactions have been declined."""
    return int(_value(url, "SELECT count(*) FROM declined"))


def last_id(url: str) -> int:
    """The highest id of a transaction."""
    return int(_value(url, "SELECT max(id) FROM transaction"))


def posted_after(url: str, transaction_id: int) -> int:
    """How many transactions with higher ids have been posted."""
    return int(_value(url, f"SELECT count(*) FROM transaction WHERE id > {transaction_id}"))


def first_after(url: str, transaction_id: int) -> datetime:
    """When the first of the transactions with higher ids was decided."""
    moment = _value(url, f"SELECT min(ctime) FROM transaction WHERE id > {transaction_id}")
    assert isinstance(moment, datetime)
    return moment


def last_after(url: str, transaction_id: int) -> datetime:
    """When the last of the transactions with higher ids was decided."""
    moment = _value(url, f"SELECT max(ctime) FROM transaction WHERE id > {transaction_id}")
    assert isinstance(moment, datetime)
    return moment


def _value(url: str, query: str) -> Any:
    with psycopg.connect(url, row_factory=tuple_row) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def prove(url: str, *, batches: bool = True) -> None:
    """Verify the books of a database. Without batches: the baseline's, which keeps none. Raises BooksWrong."""
    wrong = [sentence for sentence in verify(url) if batches or not sentence.endswith((" is in no batch", MORE))]
    if wrong:
        raise BooksWrong(f"{len(wrong)} findings, the first: {'; '.join(wrong[:3])}")
