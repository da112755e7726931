"""Many callers in, few transactions out. Knows nothing of money.

    submit ──▶ lane: waiting ──take──▶ flight: settle(batch) ──▶ each caller's own answer
               one a partition          at most `flights_max` a lane

Self-clocking: while a batch is in flight the next one gathers, and leaves when it lands, with all who
come back for more in the same breath. No timer; a lone caller never waits.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from msgspec import Struct

TURNS = 4  # of the event loop, in which a caller who was answered can be back

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class BatcherLimits(Struct, frozen=True):
    """How much may wait, for how long, and how much leaves together."""

    batch_max: int = 1_000  # commands; what weighs more leaves alone
    flights_max: int = 1  # batches under way at once, in each partition
    singles_max: int = 1  # commands settled alone at once, after an accident
    queue_max: int = 10_000  # commands waiting, each as often as it weighs
    queue_bytes_max: int = 16 * 1024 * 1024  # of request bodies waiting
    queue_timeout_ms: int = 10_000  # what has waited longer is answered Overloaded


class Overloaded(Exception):
    """The queue is full, or the batcher is draining: nothing was done."""


class Interrupted(Exception):
    """The settling was stopped in the middle: whether it was done is not known."""


class _Waiting(Struct, Generic[CommandT, OutcomeT], eq=False):
    command: CommandT
    size: int
    weight: int
    deadline: float
    answer: "asyncio.Future[OutcomeT]"
    is_withdrawn: bool = False


class _Lane(Generic[CommandT, OutcomeT]):
    """One partition's queue and its flights."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting[CommandT, OutcomeT]] = deque()
        self.weight = 0  # of what waits
        self.flights = 0


class Batcher(Generic[CommandT, OutcomeT]):
    """Open it with `open_batcher`."""

    def __init__(
        self,
        settle: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
        partition: Callable[[CommandT], Hashable],
        limits: BatcherLimits,
        outages: tuple[type[Exception], ...],
    ) -> None:
        self._settle = settle
        self._partition = partition
        self._limits = limits
        self._outages = outages
        self._lanes: dict[Hashable, _Lane[CommandT, OutcomeT]] = {}
        # Where those wait that may be withdrawn: few, so that most need no place in here.
        self._places: dict[
            asyncio.Future[OutcomeT], tuple[_Lane[CommandT, OutcomeT], _Waiting[CommandT, OutcomeT]]
        ] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._queue_timeout_s = limits.queue_timeout_ms / 1_000
        self._count = 0
        self._bytes = 0
        self._draining = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._flights

    def submit(
        self, command: CommandT, *, size: int, weight: int = 1, withdrawable: bool = False
    ) -> "asyncio.Future[OutcomeT]":
        """The command's outcome, once it is final. Cancel it to take back what has not left yet.

        `size` is what it takes of the queue in bytes, `weight` how many commands it counts as. If it is
        `withdrawable`, `withdraw` takes it back too, and says whether that was in time.
        Raises Overloaded: nothing was done.
        """
        limits = self._limits
        if self._draining or self._count >= limits.queue_max or self._bytes + size > limits.queue_bytes_max:
            raise Overloaded
        answer: asyncio.Future[OutcomeT] = self._loop.create_future()
        partition = self._partition(command)
        lane = self._lanes.get(partition)
        if lane is None:
            lane = self._lanes[partition] = _Lane()
        one = _Waiting(command, size, weight, self._loop.time() + self._queue_timeout_s, answer)
        lane.waiting.append(one)
        if withdrawable:
            self._places[answer] = lane, one
        lane.weight += weight
        self._count += weight
        self._bytes += size
        if lane.flights < limits.flights_max:
            lane.flights += 1
            flight = self._loop.create_task(self._fly(partition, lane))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        return answer

    def withdraw(self, answer: "asyncio.Future[OutcomeT]") -> bool:
        """Take a withdrawable command back, if it has not left yet; whether it had not."""
        place = self._places.pop(answer, None)
        if place is None or answer.done():
            return False
        lane, one = place
        one.is_withdrawn = True
        self._forget(lane, one)
        return answer.cancel()

    async def drain(self) -> None:
        """Take no more, and return when everything that waits has its answer."""
        self._draining = True
        while self._flights:
            await asyncio.wait(self._flights)

    async def _fly(self, partition: Hashable, lane: _Lane[CommandT, OutcomeT]) -> None:
        try:
            while batch := self._take(lane):
                await self._settle_batch(batch)
                if len(batch) > 1:
                    await self._gather(lane)
        finally:
            lane.flights -= 1
            if not lane.flights:
                del self._lanes[partition]

    async def _gather(self, lane: _Lane[CommandT, OutcomeT]) -> None:
        """Under pressure, who has just been answered comes back at once: let them in for as long as any do.

        Else the first to be back leaves alone and the others wait for it to land. A lone caller is never kept.
        """
        seen = -1
        while seen < lane.weight < self._limits.batch_max:
            seen = lane.weight
            for _ in range(TURNS):
                await asyncio.sleep(0)

    def _take(self, lane: _Lane[CommandT, OutcomeT]) -> list[_Waiting[CommandT, OutcomeT]]:
        """The next batch: in order, without those whose callers hung up or waited too long."""
        batch: list[_Waiting[CommandT, OutcomeT]] = []
        room, now = self._limits.batch_max, self._loop.time()
        while lane.waiting and (lane.waiting[0].weight <= room or not batch):
            one = lane.waiting.popleft()
            if one.is_withdrawn:
                continue
            self._forget(lane, one)
            if self._places:
                self._places.pop(one.answer, None)
            if _is_wanted(one, now):
                room -= one.weight
                batch.append(one)
        return batch

    def _forget(self, lane: _Lane[CommandT, OutcomeT], one: _Waiting[CommandT, OutcomeT]) -> None:
        """It waits no longer."""
        lane.weight -= one.weight
        self._count -= one.weight
        self._bytes -= one.size

    async def _settle_batch(self, batch: Sequence[_Waiting[CommandT, OutcomeT]]) -> None:
        try:
            outcomes = await self._settle([one.command for one in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, every caller gets an answer
            if len(batch) > 1 and not isinstance(error, self._outages):
                await self._settle_one_by_one(batch)
            else:
                _answer_all(batch, error)
            return
        except BaseException:
            _answer_all(batch, Interrupted())
            raise
        for one, outcome in zip(batch, outcomes, strict=False):
            if not one.answer.done():
                one.answer.set_result(outcome)
        if len(outcomes) != len(batch):  # a fault of ours, and what it did is done: nothing is settled again
            _answer_all(batch, RuntimeError("settle has not answered every command"))

    async def _settle_one_by_one(self, batch: Sequence[_Waiting[CommandT, OutcomeT]]) -> None:
        # An accident, and nothing was done: so a poisonous command hurts itself only. A few at a time, since
        # each may wait for the same lock that stopped the batch.
        rest = iter(batch)

        async def one_after_another() -> None:
            for one in rest:
                if _is_wanted(one, self._loop.time()):
                    await self._settle_batch([one])

        await asyncio.gather(*(one_after_another() for _ in range(self._limits.singles_max)))


def _is_wanted(one: _Waiting[CommandT, OutcomeT], now: float) -> bool:
    """Whether its caller is still there; who has waited too long is answered here."""
    if one.answer.done():
        return False
    if one.deadline < now:
        one.answer.set_exception(Overloaded())
        return False
    return True


def _answer_all(batch: Sequence[_Waiting[CommandT, OutcomeT]], error: Exception) -> None:
    """The error, to all who have no answer yet."""
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)


@asynccontextmanager
async def open_batcher(
    settle: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
    *,
    partition: Callable[[CommandT], Hashable],
    limits: BatcherLimits,
    outages: tuple[type[Exception], ...] = (),
) -> AsyncIterator[Batcher[CommandT, OutcomeT]]:
    """A batcher over `settle`, drained at the end.

    `partition` says which commands may share a batch; `outages` are the exceptions of `settle` that no
    command of the batch is to blame for: they are everybody's answer.
    """
    batcher = Batcher(settle, partition, limits, outages)
    try:
        yield batcher
    finally:
        await batcher.drain()
