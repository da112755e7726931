"""A caller's connection of psycopg, as the rest of this room knows the other driver's: the same calls, rows and errors.

Rows are tuples that also know their columns by name, numbers are Decimals and times in UTC, whatever the caller has
made of them for other statements.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import NumericLoader

from koshel.db.errors import MISUSES, Conflict, DatabaseUnavailable, Obstructed
from koshel.errors import KoshelError, Misuse

_OUTSIDE = "the connection is not in a transaction"
_STATES = {
    TransactionStatus.INERROR: MISUSES["25P02"],
    TransactionStatus.ACTIVE: "the connection is in the middle of another statement",
    TransactionStatus.UNKNOWN: "the connection is closed",
}
_CONFLICTS = {"40001", "40P01"}  # could not serialize, deadlock
_LOCK_NOT_AVAILABLE, _UNIQUE_VIOLATION = "55P03", "23505"
# By class, or in full: the connection, who may connect, resources, the system; and what cancels a statement.
_LOST = ("08", "28", "3D", "53", "57", "58", "25P03")


class Row(Sequence[Any]):
    """A row whose columns are found by place or by name."""

    __slots__ = ("_places", "_values")

    def __init__(self, values: Sequence[Any], places: Mapping[str, int]) -> None:
        self._values = tuple(one.astimezone(UTC) if isinstance(one, datetime) else one for one in values)
        self._places = places

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._places[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class PsycopgConnection:
    """The calls that a batch makes, over a connection of psycopg."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        self._cursor = psycopg.AsyncRawCursor(connection, row_factory=_row_factory)
        self._cursor.adapters.register_loader("numeric", NumericLoader)

    async def fetch(self, query: str, *arguments: Any) -> list[Row]:
        """All rows. Raises StoreError, Misuse."""
        with _understood():
            # Arrays are lists to this driver, and any collection to the other.
            sent = [list(one) if isinstance(one, set | frozenset | tuple) else one for one in arguments]
            await self._cursor.execute(query.encode(), sent or None)
            return await self._cursor.fetchall() if self._cursor.description else []

    async def fetchrow(self, query: str, *arguments: Any) -> Row | None:
        """The first row, if there is one. Raises StoreError, Misuse."""
        return next(iter(await self.fetch(query, *arguments)), None)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The first value of the first row, if there is one. Raises StoreError, Misuse."""
        row = await self.fetchrow(query, *arguments)
        return None if row is None else row[0]

    async def execute(self, query: str, *arguments: Any) -> None:
        """Whatever it says is not looked at. Raises StoreError, Misuse."""
        await self.fetch(query, *arguments)


def adapted(connection: object) -> PsycopgConnection:
    """A connection of psycopg 3 that is in a transaction, or will be by its first statement. Raises Misuse if not."""
    if not isinstance(connection, psycopg.AsyncConnection):
        kind = type(connection)
        message = (
            f"a {kind.__module__}.{kind.__qualname__} is no connection to be within; give one of asyncpg, or an"
            " AsyncConnection of psycopg 3"
        )
        raise Misuse(message)
    status = connection.info.transaction_status
    if status in _STATES:
        raise Misuse(_STATES[status])
    if status is TransactionStatus.IDLE and connection.autocommit:
        raise Misuse(_OUTSIDE)
    return PsycopgConnection(connection)


def _row_factory(cursor: "psycopg.AsyncCursor[Any]") -> Callable[[Sequence[Any]], Row]:
    return partial(Row, places={column.name: place for place, column in enumerate(cursor.description or ())})


@contextmanager
def _understood() -> Iterator[None]:
    """Raise the driver's exceptions as Koshel's, by the same rules as those of the other driver."""
    try:
        yield
    except psycopg.Error as error:
        ours = _as_ours(error)
        if ours is None:
            raise
        raise ours from error


def _as_ours(error: psycopg.Error) -> KoshelError | None:
    state, text = error.sqlstate, str(error)
    if state is None:  # the driver's own: the connection is gone, if it is not the argument that is wrong
        is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return DatabaseUnavailable(text) if is_lost else None
    if state in MISUSES:
        return Misuse(f"{MISUSES[state]} ({text})")
    # On Citus the name goes on with a shard's number.
    is_twin = state == _UNIQUE_VIOLATION and (error.diag.constraint_name or "").startswith("receipt_pkey")
    if state in _CONFLICTS or is_twin:
        return Conflict(text)
    if state == _LOCK_NOT_AVAILABLE:
        return Obstructed(text)
    return DatabaseUnavailable(text) if state.startswith(_LOST) else None
