"""Where a batch's transaction comes from: the store's own, or one only for looking; `borrowed` has the caller's."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from koshel.core.model import Outcome
from koshel.db.batch import Batch
from koshel.db.errors import translated
from koshel.db.lease import lease, undo
from koshel.db.namespace import Namespace

if TYPE_CHECKING:
    from koshel.db.pools import Pool


class Batches(Protocol):
    """What `settle` settles in."""

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """A transaction for one batch. Raises StoreError."""


class Impatient(Struct, frozen=True):
    """A store's batches, each of which waits so long for a lock."""

    make: Callable[[int], AbstractAsyncContextManager[Batch]]
    wait_ms: int

    def batch(self) -> AbstractAsyncContextManager[Batch]:
        """A transaction for one batch. Raises StoreError."""
        return self.make(self.wait_ms)


class Rehearsal(Batch):
    """A batch that locks nothing and writes nothing."""

    async def write(self, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes as they are: nothing is written, nothing gets an id."""
        return outcomes

    async def _take_account_ids(self, count: int) -> Sequence[int]:
        return range(-1, -1 - count, -1)  # no sequence may be asked: what has such an id is shown without one


class Rehearsals:
    """Batches that only find out what would happen: one snapshot, no lock, no write."""

    def __init__(self, pool: "Pool", namespace: Namespace, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._namespace = namespace

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """A transaction that reads. Raises StoreError."""
        batch = Rehearsal(self._namespace, locks=False)
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
