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
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any, Generic, TypeVar

from msgspec import Struct

from koshel.batching.answering import Answering, Batch, Carry, Free, answer_all
from koshel.batching.lanes import Lanes, Turn
from koshel.batching.pace import FLOOR
from koshel.batching.queue import Queue
from koshel.batching.room import Room
from koshel.batching.waiting import BatcherLimits, Pressure, Recipient, Waiting
from koshel.errors import Overloaded
from koshel.shares import NOBODY, Neighbours, Share
from koshel.telemetry import metrics

TURNS = 4  # of the event loop, in which a caller who was answered can be back
LOOK_S = 0.05  # between two looks at lanes that have waited in vain
MOMENT_S = 0.002  # that a heavy command waits for callers of light ones who are further away

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class _Partition(Struct, Generic[CommandT, OutcomeT]):
    """What may share a batch: those that wait, and beside them those that wait for a lock."""

    queue: Queue[CommandT, OutcomeT]
    lanes: Lanes[CommandT, OutcomeT]


class Batcher(Generic[CommandT, OutcomeT]):
    """Open it with `open_batcher`."""

    def __init__(
        self,
        answering: Answering[CommandT, OutcomeT],
        partition: Callable[[CommandT], Hashable],
        limits: BatcherLimits,
    ) -> None:
        self._answering = answering
        self._partition = partition
        self._limits = limits
        self._partitions: dict[Hashable, _Partition[CommandT, OutcomeT]] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._flights_of_queues = 0
        self._lane_flights = asyncio.Semaphore(limits.lane_flights_max)
        self._loop = asyncio.get_running_loop()
        self._queue_timeout_s = limits.queue_timeout_ms / 1_000
        self._lane_timeout_s = limits.lane_timeout_ms / 1_000
        self._room = Room(limits)
        self.neighbours = Neighbours()  # they are told whose commands leave
        self._draining = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way, but for what others have locked."""
        return not self._flights_of_queues

    def submit(
        self, command: CommandT, *, size: int, weight: int = 1, share: Share = NOBODY
    ) -> "asyncio.Future[OutcomeT]":
        """The command's outcome, once it is final. Cancel it to take back what has not left yet.

        `size` is what it takes of the queue in bytes, `weight` how many commands it counts as, and `share` whose it is:
        shares take turns, and each has its part of the room. Raises Overloaded: nothing was done.
        """
        answer: asyncio.Future[OutcomeT] = self._loop.create_future()
        self.send(command, answer, size=size, weight=weight, share=share)
        return answer

    def send(
        self, command: CommandT, recipient: Recipient[OutcomeT], *, size: int, weight: int = 1, share: Share = NOBODY
    ) -> Waiting[CommandT, OutcomeT]:
        """As `submit`; the outcome goes to `recipient`, which is asked whether it is done before the batch leaves.

        Whether it has left, and taking it back before, is a matter of what is returned; so is its trace.
        """
        if self._draining:
            raise Overloaded
        name = self._partition(command)
        partition = self._partitions.get(name)
        if partition is None:
            partition = _Partition(Queue(self._room, self._limits), Lanes(self._room, self._limits))
        queue, deadline = partition.queue, self._loop.time() + self._queue_timeout_s
        one = Waiting(command, size, weight, deadline, recipient, queue, share)
        queue.enter(one)
        if queue.flights < self._limits.flights_max:
            self._partitions[name] = partition
            queue.flights += 1
            self._flights_of_queues += 1
            self._start(self._fly(name, partition))
        return one

    def check(self, share: Share, size: int, *, is_heavy: bool = False) -> None:
        """Raise Overloaded before anything is read or decoded in vain; what passes may be refused nevertheless."""
        if self._draining:
            raise Overloaded
        if self._room.weight >= FLOOR and len(self._partitions) == 1:  # below that nobody is refused, but for bytes
            (partition,) = self._partitions.values()
            partition.queue.check(share, size, is_heavy=is_heavy)

    def measure(self) -> Pressure:
        """What waits now."""
        partitions = self._partitions.values()
        lanes = [lane for one in partitions for lane in one.lanes.open]
        entered = min((one.queue.first_deadline for one in partitions), default=inf) - self._queue_timeout_s
        return Pressure(
            commands=sum(one.queue.weight for one in partitions),
            oldest_s=max(0.0, self._loop.time() - entered),
            lanes=len(lanes),
            lane_commands=sum(lane.weight for lane in lanes),
        )

    async def drain(self) -> None:
        """Take no more, and return when everything that waits has its answer."""
        self._draining = True
        while self._flights:
            await asyncio.wait(self._flights)

    def _start(self, flight: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(flight)
        self._flights.add(task)
        task.add_done_callback(self._flights.discard)

    async def _fly(self, name: Hashable, partition: _Partition[CommandT, OutcomeT]) -> None:
        queue, lanes = partition.queue, partition.lanes
        try:
            while batch := queue.take(began := self._loop.time()):
                metrics.QUEUE_SECONDS.observe(began + self._queue_timeout_s - min([one.deadline for one in batch]))
                self.neighbours.saw({one.share for one in batch}, began)
                put_off = await self._answering.answer(batch, lanes.lines, waits=queue.waits_for_locks(batch))
                landed = self._loop.time()
                queue.landed(batch, landed, landed - began)
                if put_off:
                    metrics.PUT_OFF.add(by=len(put_off))
                    into_lanes, back = lanes.sort(put_off)
                    self._enter_lanes(name, lanes, into_lanes)
                    queue.put_back(back, of=len(batch))
                if len(batch) > 1:
                    await self._gather(queue)
                if queue.waits_for_light(landed):
                    await asyncio.sleep(MOMENT_S)
        finally:
            queue.flights -= 1
            self._flights_of_queues -= 1
            self._forget(name)

    def _enter_lanes(
        self, name: Hashable, lanes: Lanes[CommandT, OutcomeT], put_off: Batch[CommandT, OutcomeT]
    ) -> None:
        for one in put_off:
            try:
                lanes.enter(one)
            except Overloaded as error:
                answer_all([one], error)
            else:
                one.until = self._loop.time() + self._lane_timeout_s
                self._loop.call_at(one.until, self._give_up, one)
        self._start_lanes(name, lanes)

    def _start_lanes(self, name: Hashable, lanes: Lanes[CommandT, OutcomeT]) -> None:
        while turn := lanes.next():
            self._start(self._fly_lanes(name, lanes, turn))

    async def _fly_lanes(
        self, name: Hashable, lanes: Lanes[CommandT, OutcomeT], turn: Turn[CommandT, OutcomeT]
    ) -> None:
        """A flight of lanes: what is free is settled, and the rest waits on."""
        put_off: list[Waiting[CommandT, OutcomeT]] = []
        rest: Batch[CommandT, OutcomeT] = []
        in_vain = False
        try:
            if not turn.waits:
                await asyncio.sleep(LOOK_S)
            async with self._lane_flights:
                if batch := lanes.take(turn):
                    taken = partial(lanes.lines, but=turn.lanes, last=batch[-1].number)
                    rest, in_vain = await self._answering.answer_lanes(batch, taken, waits=turn.waits)
            now = self._loop.time()
            put_off = [one for one in rest if one.until > now]
            for one in rest:
                if one.until <= now:
                    self._answering.give_up(one)
        finally:
            lanes.landed(turn, put_off, in_vain=in_vain)
            self._start_lanes(name, lanes)
            self._forget(name)

    def _give_up(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """Its time in the lane is over. If it is under way just now, that is seen when it lands."""
        if one.withdraw():
            self._answering.give_up(one)

    def _forget(self, name: Hashable) -> None:
        """Forget a partition in which nothing waits and nothing is under way."""
        partition = self._partitions.get(name)
        if partition is not None and not partition.queue.flights and not partition.lanes:
            del self._partitions[name]

    async def _gather(self, queue: Queue[CommandT, OutcomeT]) -> None:
        """Under pressure, who has just been answered comes back at once: let them in for as long as any do.

        Else the first to be back leaves alone and the others wait for it to land. A lone caller is never kept.
        """
        seen = -1
        while seen < queue.light < self._limits.batch_max:
            seen = queue.light
            for _ in range(TURNS):
                await asyncio.sleep(0)


@asynccontextmanager
async def open_batcher(
    settle: Callable[[Sequence[CommandT]], Awaitable[Sequence[OutcomeT]]],
    *,
    partition: Callable[[CommandT], Hashable],
    limits: BatcherLimits,
    outages: tuple[type[Exception], ...] = (),
    free: Free | None = None,
    carry: Carry | None = None,
) -> AsyncIterator[Batcher[CommandT, OutcomeT]]:
    """A batcher over `settle`, drained at the end.

    `partition` says which commands may share a batch; `outages` are the exceptions of `settle` that no
    command of the batch is to blame for: they are everybody's answer. `carry` is told the traces before it settles.
    """
    answering = Answering[CommandT, OutcomeT](settle, free, outages, limits.singles_max, carry)
    batcher = Batcher(answering, partition, limits)
    try:
        yield batcher
    finally:
        await batcher.drain()
