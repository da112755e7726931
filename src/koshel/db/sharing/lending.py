"""The connections that read, and those that rehearse: lent for a call, to each share in its turn."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from koshel.db.errors import NoPartition, translated
from koshel.db.facts import Facts
from koshel.db.lease import lease, transacted
from koshel.db.namespace import Namespace
from koshel.db.pools import PoolMeasure
from koshel.db.row_security import confine, confined
from koshel.db.settling.batches import Rehearsals
from koshel.db.sharing.calls import CallLimits, Calls
from koshel.shares import NOBODY, Neighbours, Share

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection, Connection, Pool
    from koshel.db.reads import Work

T = TypeVar("T")


class LendingLimits(Struct, frozen=True):
    """Of reads and of rehearsals; and after what time a server is given up that does not answer."""

    reads: CallLimits
    rehearsals: CallLimits
    timeout_s: float


class Lender(Facts):
    """`neighbours` are those who use the worker: the batcher says whose commands it settles."""

    def __init__(self, namespace: Namespace, reading: "Pool", rehearsing: "Pool", limits: LendingLimits) -> None:
        self.namespace = namespace
        self.neighbours = Neighbours()
        self._timeout_s = limits.timeout_s
        self._reading, self._reads = reading, Calls(limits.reads, self.neighbours)
        self._rehearsing, self._dry_runs = rehearsing, Calls(limits.rehearsals, self.neighbours)
        self.rehearsals = Rehearsals(rehearsing, namespace, limits.timeout_s)

    async def close(self) -> None:
        """Take no more, and let end what nobody waits for any more: not for longer than a statement may take."""
        await asyncio.gather(*(calls.close(self._timeout_s) for calls in (self._reads, self._dry_runs)))

    def check_rehearsals(self, weight: int, share: Share) -> None:
        """Raise Crowded if a rehearsal would not be admitted now: to be asked before much is done for it."""
        self._dry_runs.check(weight, share)

    async def rehearse(self, call: Callable[[], Coroutine[Any, Any, T]], *, weight: int, share: Share = NOBODY) -> T:
        """What the call, which settles in `rehearsals`, returns, once it is admitted. Raises Crowded."""
        return await self._dry_runs.run(call, weight=weight, share=share)

    async def look(self, work: "Work[T]") -> T:
        """What the house itself looks up, in all ledgers. Raises StoreError."""
        return await self._read(None, lambda connection: work(connection, self._queries), weight=0)

    async def transact(self, ledger_ids: Collection[int], work: "Work[T]", *, share: Share = NOBODY) -> T:
        """What the work returns, once it is committed. What moves money `settle`s in `borrow`. Raises StoreError.

        After NoPartition there is one: the same work can be tried again.
        """

        async def confined_work(connection: "Connection") -> T:
            await confine(connection, self.namespace, ledger_ids)
            return await work(connection, self._queries)

        try:
            return await self.lend(
                lambda connection: transacted(connection, partial(confined_work, connection)), share=share
            )
        except NoPartition:
            await self.need_partitions()
            raise

    def measure_lent(self) -> list[PoolMeasure]:
        """Their connections, and who waits for them."""
        return [
            PoolMeasure.of("read", self._reading, self._reads.waiting),
            PoolMeasure.of("rehearse", self._rehearsing, self._dry_runs.waiting),
        ]

    async def _read(
        self, ledger_id: int | None, look: "Callable[[AnyConnection], Awaitable[T]]", *, weight: int = 1
    ) -> T:
        return await self.lend(lambda one: confined(one, self.namespace, ledger_id, look), weight=weight)

    async def lend(self, use: "Callable[[Connection], Awaitable[T]]", *, weight: int = 1, share: Share = NOBODY) -> T:
        """What is found over a connection for reads, in the turn of a share. Raises StoreError."""

        async def lent() -> T:
            with translated():
                async with lease(self._reading, None) as connection:  # as many are admitted as there are
                    return await use(connection)

        return await self._reads.run(lent, weight=weight, share=share)
