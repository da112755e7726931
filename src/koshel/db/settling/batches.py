"""Where a batch's transaction comes from: the store's own, or one only for looking; `borrowed` has the caller's."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.legs import LeftOut
from koshel.core.model import Declined, Found, Grouped, Opened, Outcome, Posted
from koshel.db.errors import translated
from koshel.db.lease import lease, undo
from koshel.db.namespace import Namespace
from koshel.db.settling.batch import Batch

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

    _lent = 0  # ids of accounts

    async def write(self, outcomes: list[Outcome]) -> list[Outcome]:
        """The outcomes as they are: nothing is written, nothing gets an id, nor has one that was only lent."""
        return [_without_lent_ids(one) for one in outcomes] if self._lent else outcomes

    async def _take_account_ids(self, count: int) -> Sequence[int]:
        first, self._lent = self._lent + 1, self._lent + count
        return range(-first, -first - count, -1)  # a sequence must not be asked


def _without_lent_ids(outcome: Any) -> Any:
    """The outcome, with 0 for the ids of accounts that would be opened."""
    match outcome:
        case Opened() | Found() if outcome.account.id < 0:
            return replace(outcome, account=replace(outcome.account, id=0))
        case Posted():
            return replace(outcome, source=_side(outcome.source), target=_side(outcome.target))
        case LeftOut():
            ids = outcome.source_account_id, outcome.target_account_id
            source_id, target_id = (None if id_ is None else max(0, id_) for id_ in ids)
            return replace(outcome, source_account_id=source_id, target_account_id=target_id)
        case Grouped():
            return replace(outcome, outcomes=[_without_lent_ids(one) for one in outcome.outcomes])
        case Declined():
            facts = {name: max(0, fact) if isinstance(fact, int) else fact for name, fact in outcome.facts.items()}
            cause = None if outcome.cause is None else _without_lent_ids(outcome.cause)
            return replace(outcome, facts=facts, cause=cause)
        case _:
            return outcome


def _side(side: Any) -> Any:
    return side if side is None or side.account_id > 0 else replace(side, account_id=0)


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
