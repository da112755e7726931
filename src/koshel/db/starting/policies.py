"""Row-level security, made and lifted by the owner: for the service, and for roles that read a single ledger.

All tables are locked before the first is changed, for the moment that it takes: so whoever changes policies at the same
time waits, and what is read of them is still true. Batches wait behind who waits for such a lock. So a command gives up
soon while somebody reads for long, lets them pass, and tries again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

import psycopg
from psycopg.rows import tuple_row

from koshel.db import namespace, queries
from koshel.db.errors import Unfit
from koshel.db.namespace import Wish
from koshel.db.patience import be_patient

LOCK_TIMEOUT_MS = 200  # of an attempt
ATTEMPTS = 20
PAUSE_S = 0.3

Connection: TypeAlias = "psycopg.Connection[Any]"
Cursor: TypeAlias = "psycopg.RawCursor[tuple[Any, ...]]"

T = TypeVar("T")


def secure(connection: Connection, schema: str, wish: Wish) -> None:
    """The policies on every table, as they should be; no lock is taken if they are. Raises Unfit, psycopg.Error."""

    def work(cursor: Cursor) -> None:
        if _changes(cursor, schema, wish):
            _lock(cursor, schema)
            _run(cursor, _changes(cursor, schema, wish))

    _done(connection, work, psycopg.errors.DeadlockDetected)


def grant(url: str, schema: str | None, role: str, ledger_id: int) -> None:
    """Let a role read the rows of one ledger, and no others. Raises Unfit, psycopg.Error."""

    def work(cursor: Cursor) -> None:
        row = cursor.execute(queries.load().find_unfit_reader, (found, role)).fetchone()
        if row is None:
            raise Unfit(f"there is no database role {role!r}; make it first")
        if row[0] is not None:
            raise Unfit(f"the database role {role!r} {row[0]}, so PostgreSQL cannot confine it to one ledger")
        _change(cursor, queries.load().grant_ledger, found, role, ledger_id)

    with _opened(url, schema) as (connection, found):
        _soon(connection, work)


def revoke(url: str, schema: str | None, role: str, ledger_id: int) -> bool:
    """The role reads that ledger no more; False if it did not. Raises Unfit, psycopg.Error."""
    with _opened(url, schema) as (connection, found):
        statement = queries.load().revoke_ledger
        return _soon(connection, lambda cursor: _change(cursor, statement, found, role, ledger_id))


@contextmanager
def _opened(url: str, schema: str | None) -> Iterator[tuple[Connection, str]]:
    """A connection for an attempt or several, and the schema."""
    with psycopg.connect(url, autocommit=True) as connection:
        be_patient(connection, LOCK_TIMEOUT_MS, in_transaction=False)
        yield connection, namespace.of_owner(connection, schema)


def _change(cursor: Cursor, statement: str, schema: str, role: str, ledger_id: int) -> bool:
    """What a statement says is to be done for a reader, and then on all other tables; whether that was anything."""
    _lock(cursor, schema)
    changes = _said(cursor, statement, schema, role, ledger_id)
    _run(cursor, changes)
    _run(cursor, _changes(cursor, schema, None))
    return bool(changes)


def _changes(cursor: Cursor, schema: str, wish: Wish) -> list[str]:
    """The statements after which row-level security is as it should be. Raises Unfit."""
    row = cursor.execute(queries.load().find_policies, (schema,)).fetchone()
    if row is None:  # there are no tables yet
        return []
    is_confined, has_readers, has_service = row
    if wish is not None:
        is_confined = wish == "on"
    if is_confined and not has_service:
        raise Unfit(
            "row-level security holds no owner of the tables: let the service log in as a role of its own, and name it"
            " by --service-role"
        )
    return _said(cursor, queries.load().secure_rows, schema, is_confined, is_confined or has_readers)


def _lock(cursor: Cursor, schema: str) -> None:
    _run(cursor, _said(cursor, queries.load().lock_tables, schema))


def _said(cursor: Cursor, statement: str, *arguments: Any) -> list[str]:
    return [change for (change,) in cursor.execute(statement, arguments).fetchall()]


def _run(cursor: Cursor, statements: list[str]) -> None:
    for one in statements:
        cursor.execute(one)


def _soon(connection: Connection, work: Callable[[Cursor], T]) -> T:
    """As `_done`, letting others pass while somebody is in the way. Raises Unfit if that takes too long."""
    try:
        return _done(connection, work, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
    except psycopg.errors.LockNotAvailable as error:
        waited_s = ATTEMPTS * (LOCK_TIMEOUT_MS / 1_000 + PAUSE_S)
        raise Unfit(
            f"another transaction has used the tables for more than {waited_s:g} s, so nothing was done; try again when"
            " it has ended"
        ) from error


def _done(connection: Connection, work: Callable[[Cursor], T], *again: type[psycopg.Error]) -> T:
    """What the work returns, once it is committed. Raises psycopg.Error, and what the work raises.

    `again`: what ends an attempt, and not yet the next one.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            with connection.transaction(), psycopg.RawCursor(connection, row_factory=tuple_row) as cursor:
                return work(cursor)
        except again:
            if not left:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError("the last attempt returns or raises")
