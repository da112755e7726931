"""Batches in a transaction that the caller has opened, over a connection of the caller's own, of either driver."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

import asyncpg

from koshel.db.errors import MISUSES, translated
from koshel.db.namespace import Namespace
from koshel.db.reads import Reads, Work
from koshel.db.row_security import confine
from koshel.db.settling.batch import Batch
from koshel.db.settling.batches import Rehearsal
from koshel.errors import Misuse

if TYPE_CHECKING:
    import psycopg

    from koshel.db.pools import AnyConnection

    Borrowable = AnyConnection | psycopg.AsyncConnection[Any]

T = TypeVar("T")


class Borrowed(Reads):
    """Made by `borrow`."""

    owns_connections = False

    def __init__(self, connection: "AnyConnection", namespace: Namespace, *, rehearses: bool = False) -> None:
        self._connection = connection
        self.namespace = namespace
        self._rehearses = rehearses
        self.rehearsals = self if rehearses else Borrowed(connection, namespace, rehearses=True)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """A savepoint in the caller's transaction, which stays usable whatever happens here. Raises StoreError, Misuse.

        Without it somebody who catches an exception in the middle, and commits, would keep half of a batch. If the
        caller's task is cancelled, the statement under way is, and the savepoint is rolled back all the same.
        """
        batch = Rehearsal(self.namespace, locks=False) if self._rehearses else Batch(self.namespace)
        batch.connection = self._connection
        async with self._savepoint():
            yield batch

    async def transact(self, ledger_ids: Collection[int], work: "Work[T]") -> T:
        """What the work returns; it is kept if the caller's transaction is. Raises StoreError, Misuse."""
        async with self._savepoint():
            await confine(self._connection, self.namespace, ledger_ids)
            return await work(self._connection, self._queries)

    @asynccontextmanager
    async def _savepoint(self) -> AsyncIterator[None]:
        connection, q = self._connection, self._queries
        with _understood(connection):
            await _to_its_end(connection.execute(q.set_savepoint))
            try:
                yield
            except BaseException:
                await _to_its_end(connection.execute(q.roll_back_to_savepoint))
                raise
            await _to_its_end(connection.execute(q.release_savepoint))

    async def _read(
        self,
        ledger_id: int | None,
        look: "Callable[[AnyConnection], Awaitable[T]]",
        *,
        weight: int = 1,  # noqa: ARG002
    ) -> T:
        with _understood(self._connection):
            _check_transaction(self._connection)
            await confine(self._connection, self.namespace, None if ledger_id is None else [ledger_id])
            return await look(self._connection)


def borrow(connection: "Borrowable", namespace: Namespace, *, rehearses: bool) -> Borrowed:
    """Batches in the transaction that the connection is in. Raises Misuse if it is in none."""
    if isinstance(connection, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
        try:
            if connection.is_closed() or not connection.is_in_transaction():
                raise Misuse("the connection is not in a transaction")
        except asyncpg.InterfaceError as error:
            raise Misuse(str(error)) from error
        return Borrowed(connection, namespace, rehearses=rehearses)
    from koshel.db.psycopg_connection import adapted  # noqa: PLC0415  who has one has loaded that driver already

    return Borrowed(cast("AnyConnection", adapted(connection)), namespace, rehearses=rehearses)


@contextmanager
def _understood(connection: "AnyConnection") -> Iterator[None]:
    """Raise the driver's exceptions as Koshel's, and as Misuse what only the caller can mend."""
    with translated():
        try:
            yield
        except asyncpg.PostgresError as error:
            if error.sqlstate in MISUSES:
                message = f"{MISUSES[error.sqlstate]} ({error})"
                raise Misuse(message) from error
            raise
        except asyncpg.InterfaceError as error:
            # A connection that can still be spoken to was given back, or is in the middle of another call.
            if isinstance(error, ValueError) or not _is_open(connection):
                raise
            raise Misuse(str(error)) from error


def _check_transaction(connection: "AnyConnection") -> None:
    """Raise Misuse if the transaction has ended: a read would see another state of the books, and not say so."""
    if not isinstance(connection, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy):
        return  # the other driver begins the next one by itself
    if not connection.is_closed() and not connection.is_in_transaction():
        raise Misuse(MISUSES["25P01"])


def _is_open(connection: "AnyConnection") -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # it was given back to its pool
        return True


async def _to_its_end(statement: Coroutine[Any, Any, object]) -> None:
    """Wait for a short statement however often the task is cancelled meanwhile; then that is raised.

    Were SAVEPOINT, RELEASE or ROLLBACK TO cancelled themselves, the caller's transaction could only be given up,
    or might keep half of a batch.
    """
    task = asyncio.ensure_future(statement)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
