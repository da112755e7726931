"""Proof of the books from the rows alone: nothing here trusts what wrote them.

A few connections see one snapshot, and take the checks in turn, the longest first. Neither here nor in PostgreSQL does
memory grow with the tables: there each step has its `work_mem`, and goes to disk beyond it; here rows come by the
thousand, and findings are no more than FINDINGS_MAX of a kind.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from msgspec import Struct
from psycopg.rows import dict_row
from psycopg.types.datetime import DateLoader, TimestamptzLoader

from koshel.db import namespace, queries
from koshel.db.patience import be_patient
from koshel.db.queries import Queries
from koshel.db.verifying.checks import Check, checks

LOCK_TIMEOUT_MS = 60_000
CONNECTIONS = 4
TICK_S = 0.2

Connection: TypeAlias = "psycopg.Connection[Mapping[str, Any]]"
Progress: TypeAlias = Callable[[float], None]  # is told, several times a second, which part of the work is done: 0 to 1


class Proof(Struct, frozen=True):
    """What was looked at, in how many seconds, and what is wrong: a sentence each, none if the books are right."""

    right: bool
    wrong: list[str]
    accounts: int
    transactions: int
    batches: int
    seconds: float


def verify(url: str, schema: str | None = None) -> list[str]:
    """What is wrong, a sentence each; empty if the books are right. `schema`: of the tables; None: where they are."""
    return prove(url, schema).wrong


def prove(url: str, schema: str | None = None, progress: Progress = lambda _: None) -> Proof:
    """The proof of all books, from one snapshot; it takes the time that it takes."""
    start = time.monotonic()
    with _snapshot(url) as connections:
        q = _queries(connections[0], schema)
        counted = connections[0].execute(q.count_proved).fetchone()
        assert counted is not None, "an aggregate has a row"
        wrong = _run(connections, _checks(connections[0], q), progress)
    return Proof(right=not wrong, wrong=wrong, seconds=round(time.monotonic() - start, 3), **counted)


def find(connection: Connection, schema: str | None = None) -> Iterator[str]:
    """What is wrong, as the open transaction of one connection sees it; looked for as far as one asks."""
    for check in _checks(connection, _queries(connection, schema)):
        yield from check.run(connection)


def _queries(connection: Connection, schema: str | None) -> Queries:
    return queries.load(namespace.of_owner(connection, schema))


def _checks(connection: Connection, q: Queries) -> list[Check]:
    last = connection.execute(q.read_last_ids).fetchone()
    assert last is not None, "it reads no table"
    # Seeds for hashes, so that nobody can know beforehand which changes they would not see.
    return checks(q, last, secrets.randbits(62))


@contextmanager
def _snapshot(url: str) -> Iterator[list[Connection]]:
    """Connections with one snapshot; if this is broken off, what they are doing ends too."""
    connections: list[Connection] = []
    try:
        snapshot = None
        for _ in range(CONNECTIONS):
            connections.append(connect(url))
            if snapshot is not None:
                # Before anything else, and as a literal: hexadecimal digits and hyphens.
                connections[-1].execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'".encode())
            be_patient(connections[-1], LOCK_TIMEOUT_MS, in_transaction=True)
            snapshot = snapshot or exported(connections[0])
        yield connections
    except BaseException:
        for one in connections:
            one.cancel_safe()
        raise
    finally:
        for one in connections:
            one.close()


def connect(url: str) -> Connection:
    """To look at everything from one snapshot."""
    connection = psycopg.connect(url, row_factory=dict_row, cursor_factory=psycopg.RawCursor)
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    connection.adapters.register_loader("timestamptz", _Moment)
    connection.adapters.register_loader("date", _Day)
    return connection


class _Moment(TimestamptzLoader):
    """A time, or the text of one that Python knows none for: what is in a row may be anything."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


class _Day(DateLoader):
    """A date, or the text of one that Python knows none for."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)
        except psycopg.DataError:
            return bytes(data).decode()


def exported(connection: Connection) -> str:
    """The name under which other connections find what this one sees."""
    row = connection.execute(queries.load().export_snapshot.encode()).fetchone()
    assert row is not None, "it reads no table"
    return str(row["snapshot"])


def _run(connections: list[Connection], wanted: list[Check], progress: Progress) -> list[str]:
    """What all the checks find, in their order, whichever is done first."""
    waiting = deque(sorted(range(len(wanted)), key=lambda place: -wanted[place].weight))
    found: dict[int, list[str]] = {}

    def work(connection: Connection) -> None:
        while waiting:
            place = waiting.popleft()
            found[place] = wanted[place].run(connection)

    with ThreadPoolExecutor(len(connections)) as threads:
        running: set[Future[None]] = {threads.submit(work, one) for one in connections}
        try:
            while running:
                done, running = wait(running, TICK_S)
                progress(sum(wanted[place].weight for place in found) / sum(one.weight for one in wanted))
                for one in done:
                    one.result()
        except BaseException:
            waiting.clear()
            for connection in connections:
                connection.cancel_safe()
            raise
    return [sentence for place in sorted(found) for sentence in found[place]]
