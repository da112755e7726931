"""Where a batch's transaction comes from: the store's own, one that is only for looking, or the caller's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from koshel.core.model import Outcome
from koshel.db import queries
from koshel.db.batch import Batch
from koshel.db.errors import translated
from koshel.db.reads import Reads

if TYPE_CHECKING:
    import asyncpg

    from koshel.db.pools import AnyConnection, Pool


class Batches(Protocol):
    """What `settle` settles in."""

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """A transaction for one batch. Raises StoreError."""


class _Rehearsal(Batch):
    """A batch that locks nothing and writes nothing."""

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """Forget them: nothing gets an id."""


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
            async with (
                self._pool.acquire(timeout=self._acquire_timeout_s) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                batch.connection = connection
                yield batch


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

        Without it somebody who catches an exception in the middle, and commits, would keep half of a batch.
        """
        batch = _Rehearsal(self._queries, locks=False) if self._rehearses else Batch(self._queries)
        batch.connection = self._connection
        with translated():
            async with self._connection.transaction():
                yield batch

    async def _fetchrow(self, query: str, *arguments: Any) -> "asyncpg.Record | None":
        with translated():
            return await self._connection.fetchrow(query, *arguments)
