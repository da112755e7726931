"""Where a batch's transaction comes from: the store's own, one that is only for looking, or the caller's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from koshel.core.model import Outcome
from koshel.db import queries
from koshel.db.batch import Batch
from koshel.db.errors import translated
from koshel.db.lease import lease, undo
from koshel.db.reads import Reads

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection, Pool

T = TypeVar("T")


class Impatient(Struct, frozen=True):
    """A store's batches, each of which waits so long for a lock."""

    make: Callable[[int], AbstractAsyncContextManager[Batch]]
    wait_ms: int

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """A transaction for one batch. Raises StoreError."""
        return self.make(self.wait_ms)


class _Rehearsal(Batch):
    """A batch that locks nothing and writes nothing."""

    async def write(self, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes as they are: nothing is written, nothing gets an id."""
        return outcomes


class Rehearsals:
    """Batches that only find out what would happen: one snapshot, no lock, no write."""

    def __init__(self, pool: "Pool", acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._queries = queries.load()

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """A transaction that reads. Raises StoreError."""
        batch = _Rehearsal(self._queries, locks=False)
        with translated():
            async with lease(self._pool, self._acquire_timeout_s) as connection:
                transaction = connection.transaction(isolation="repeatable_read", readonly=True)
                await transaction.start()
                batch.connection = connection
                try:
                    yield batch
                except BaseException as error:
                    await undo(connection, transaction, error)
                    raise
                await transaction.rollback()


class Borrowed(Reads):
    """Batches in a transaction that the caller has opened, and will commit or roll back."""

    def __init__(self, connection: "AnyConnection", *, rehearses: bool = False) -> None:
        self._connection = connection
        self._queries = queries.load()
        self._rehearses = rehearses
        self.rehearsals = self if rehearses else Borrowed(connection, rehearses=True)

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """A savepoint in the caller's transaction, which stays usable whatever happens here. Raises StoreError.

        Without it somebody who catches an exception in the middle, and commits, would keep half of a batch. If the
        caller's task is cancelled, the statement under way is, and the savepoint is rolled back all the same.
        """
        batch = _Rehearsal(self._queries, locks=False) if self._rehearses else Batch(self._queries)
        batch.connection = self._connection
        savepoint = self._connection.transaction()
        with translated():
            await _to_its_end(savepoint.start())
            try:
                yield batch
            except BaseException:
                await _to_its_end(savepoint.rollback())
                raise
            await _to_its_end(savepoint.commit())

    async def _read(self, look: "Callable[[AnyConnection], Awaitable[T]]", *, weight: int = 1) -> T:  # noqa: ARG002
        with translated():
            return await look(self._connection)


async def _to_its_end(statement: Coroutine[Any, Any, None]) -> None:
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
