"""Many callers in, few transactions out. Knows nothing of money.

    submit ──▶ queue: waiting ──take──▶ flight: settle(batch) ──▶ each caller's own answer
               one a partition          at most `flights_max` a queue

A large batch of single commands does not wait for what others have locked: the few commands that need it are put
off, and leave with the next batch. So two processes do not wait for each other's batches, though these nearly always
have an account in common.

Self-clocking: while a batch is in flight the next one gathers, and leaves when it lands, with all who
come back for more in the same breath. A lone caller never waits, and no light command waits for a timer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from koshel.queue import Answer, BatcherLimits, Overloaded, Queue, Room, Waiting, is_wanted

TURNS = 4  # of the event loop, in which a caller who was answered can be back
MOMENT_S = 0.002  # that a heavy command waits for callers of light ones who are further away

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class Interrupted(Exception):
    """The settling was stopped in the middle: whether it was done is not known."""


class Batcher(Generic[CommandT, OutcomeT]):
    """Open it with `open_batcher`."""

    def __init__(
        self,
        settle: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
        partition: Callable[[CommandT], Hashable],
        limits: BatcherLimits,
        outages: tuple[type[Exception], ...],
        settle_free: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT | None]]] | None,
    ) -> None:
        self._settle = settle
        self._settle_free = settle_free or settle
        self._partition = partition
        self._limits = limits
        self._outages = outages
        self._queues: dict[Hashable, Queue[CommandT, OutcomeT]] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._queue_timeout_s = limits.queue_timeout_ms / 1_000
        self._room = Room(limits)
        self._draining = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._flights

    def submit(self, command: CommandT, *, size: int, weight: int = 1) -> "asyncio.Future[OutcomeT]":
        """The command's outcome, once it is final. Cancel it to take back what has not left yet.

        `size` is what it takes of the queue in bytes, `weight` how many commands it counts as.
        Raises Overloaded: nothing was done.
        """
        answer: asyncio.Future[OutcomeT] = self._loop.create_future()
        self.send(command, answer, size=size, weight=weight)
        return answer

    def send(
        self, command: CommandT, answer: Answer[OutcomeT], *, size: int, weight: int = 1
    ) -> Waiting[CommandT, OutcomeT]:
        """As `submit`; the outcome goes to `answer`, which is asked whether it is done before the batch leaves.

        Whether it has left, and taking it back before, is a matter of what is returned.
        """
        if self._draining:
            raise Overloaded
        partition = self._partition(command)
        queue = self._queues.get(partition)
        if queue is None:
            queue = Queue(self._room, self._limits)
        one = Waiting(command, size, weight, self._loop.time() + self._queue_timeout_s, answer, queue)
        queue.enter(one)
        if queue.flights < self._limits.flights_max:
            self._queues[partition] = queue
            queue.flights += 1
            flight = self._loop.create_task(self._fly(partition, queue))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        return one

    async def drain(self) -> None:
        """Take no more, and return when everything that waits has its answer."""
        self._draining = True
        while self._flights:
            await asyncio.wait(self._flights)

    async def _fly(self, partition: Hashable, queue: Queue[CommandT, OutcomeT]) -> None:
        try:
            while batch := queue.take(began := self._loop.time()):
                settle = self._settle if queue.waits_for_locks(batch) else self._settle_free
                put_off = await self._settle_batch(batch, settle)
                landed = self._loop.time()
                queue.landed(batch, landed, landed - began)
                if put_off:
                    queue.put_back(put_off, of=len(batch))
                if len(batch) > 1:
                    await self._gather(queue)
                if queue.waits_for_light(landed):
                    await asyncio.sleep(MOMENT_S)
        finally:
            queue.flights -= 1
            if not queue.flights:
                del self._queues[partition]

    async def _gather(self, queue: Queue[CommandT, OutcomeT]) -> None:
        """Under pressure, who has just been answered comes back at once: let them in for as long as any do.

        Else the first to be back leaves alone and the others wait for it to land. A lone caller is never kept.
        """
        seen = -1
        while seen < queue.light < self._limits.batch_max:
            seen = queue.light
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def _settle_batch(
        self,
        batch: Sequence[Waiting[CommandT, OutcomeT]],
        settle: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT | None]]],
    ) -> list[Waiting[CommandT, OutcomeT]]:
        """Answer a batch; returns what was put off."""
        put_off = []
        try:
            outcomes = await settle([one.command for one in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, every caller gets an answer
            if len(batch) > 1 and not isinstance(error, self._outages):
                await self._settle_one_by_one(batch)
            else:
                _answer_all(batch, error)
            return []
        except BaseException:
            _answer_all(batch, Interrupted())
            raise
        for one, outcome in zip(batch, outcomes, strict=False):
            if outcome is None:
                put_off.append(one)
            elif not one.answer.done():
                one.answer.set_result(outcome)
        if len(outcomes) != len(batch):  # a fault of ours, and what it did is done: nothing is settled again
            _answer_all(batch, RuntimeError("settle has not answered every command"))
            return []
        return put_off

    async def _settle_one_by_one(self, batch: Sequence[Waiting[CommandT, OutcomeT]]) -> None:
        # An accident, and nothing was done: so a poisonous command hurts itself only. A few at a time, since
        # each may wait for the same lock that stopped the batch.
        rest = iter(batch)

        async def one_after_another() -> None:
            for one in rest:
                if is_wanted(one, self._loop.time()):
                    await self._settle_batch([one], self._settle)

        await asyncio.gather(*(one_after_another() for _ in range(self._limits.singles_max)))


def _answer_all(batch: Sequence[Waiting[CommandT, OutcomeT]], error: Exception) -> None:
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
    settle_free: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT | None]]] | None = None,
) -> AsyncIterator[Batcher[CommandT, OutcomeT]]:
    """A batcher over `settle`, drained at the end.

    `partition` says which commands may share a batch; `outages` are the exceptions of `settle` that no
    command of the batch is to blame for: they are everybody's answer. `settle_free`, where there is one, waits for
    nobody: None is a command that was put off, which then leaves with the next batch, before all others.
    """
    batcher = Batcher(settle, partition, limits, outages, settle_free)
    try:
        yield batcher
    finally:
        await batcher.drain()
