"""One partition's queue: what waits, what may still come in, and what leaves together.

    light  one command: overtakes what is heavy
    heavy  several that count as one: at most half of the queue, and at most half of the time while light ones wait

So a caller of batches of a thousand cannot keep single transfers out, and is not kept out by them either.
"""

from collections import deque
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")
OutcomeT_contra = TypeVar("OutcomeT_contra", contravariant=True)


class BatcherLimits(Struct, frozen=True):
    """How much may wait, for how long, and how much leaves together."""

    batch_max: int = 1_000  # commands; what weighs more leaves alone
    flights_max: int = 1  # batches under way at once, in each partition
    singles_max: int = 1  # commands settled alone at once, after an accident
    queue_max: int = 20_000  # commands waiting, each as often as it weighs
    queue_bytes_max: int = 16 * 1024 * 1024  # of request bodies waiting
    queue_timeout_ms: int = 10_000  # what has waited longer is answered Overloaded


class Overloaded(Exception):
    """The queue is full, or the batcher is draining: nothing was done."""


class Answer(Protocol[OutcomeT_contra]):
    """Where an outcome goes. An asyncio.Future is one."""

    def done(self) -> bool:
        """Whether it is answered, or nobody waits for it any more."""

    def set_result(self, outcome: OutcomeT_contra, /) -> object:
        """The outcome, once it is final."""

    def set_exception(self, error: Exception, /) -> object:
        """Why there is none."""


class Waiting(Struct, Generic[CommandT, OutcomeT], eq=False):
    """A command that waits; `weight` is how many it counts as, `size` what it takes of the queue in bytes."""

    command: CommandT
    size: int
    weight: int
    deadline: float
    answer: Answer[OutcomeT]
    lane: "Lane[CommandT, OutcomeT]"
    has_left: bool = False  # or was withdrawn

    def withdraw(self) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        return self.lane.withdraw(self)


class Room:
    """What waits over all partitions, and whether more may."""

    def __init__(self, limits: BatcherLimits) -> None:
        self._limits = limits
        self._weight = 0
        self._bytes = 0
        self._heavy_weight = 0  # of it, what is heavy
        self._heavy_bytes = 0

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits. Raises Overloaded."""
        limits = self._limits
        if self._weight >= limits.queue_max or self._bytes + one.size > limits.queue_bytes_max:
            raise Overloaded
        if one.weight > 1:
            self._enter_heavy(one)
        self._weight += one.weight
        self._bytes += one.size

    def leave(self, weight: int, size: int, *, is_heavy: bool) -> None:
        """So much waits no longer."""
        self._weight -= weight
        self._bytes -= size
        if is_heavy:
            self._heavy_weight -= weight
            self._heavy_bytes -= size

    def _enter_heavy(self, one: Waiting[CommandT, OutcomeT]) -> None:
        limits = self._limits
        weight, size = self._heavy_weight + one.weight, self._heavy_bytes + one.size
        # The first always has a place: else what is larger than half of the queue could never come in.
        if self._heavy_weight and (weight * 2 > limits.queue_max or size * 2 > limits.queue_bytes_max):
            raise Overloaded
        self._heavy_weight, self._heavy_bytes = weight, size


class Lane(Generic[CommandT, OutcomeT]):
    """One partition's queue and its flights."""

    def __init__(self, room: Room, limits: BatcherLimits) -> None:
        self.flights = 0
        self.weight = 0  # of what waits
        self._room = room
        self._batch_max = limits.batch_max
        self._light: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._heavy: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._heavy_since: float | None = None  # when a heavy one left; None: none is in the air
        self._heavy_not_before = 0.0  # while light ones wait

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits. Raises Overloaded."""
        self._room.enter(one)
        self.weight += one.weight
        (self._heavy if one.weight > 1 else self._light).append(one)

    def withdraw(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        if one.has_left or one.answer.done():
            return False
        one.has_left = True
        self._leave(one.weight, one.size, is_heavy=one.weight > 1)
        return True

    def take(self, now: float) -> list[Waiting[CommandT, OutcomeT]]:
        """The next batch: each kind in order, without those whose callers hung up or waited too long."""
        batch: list[Waiting[CommandT, OutcomeT]] = []
        room = self._batch_max
        if self._heavy and (not self._light or now >= self._heavy_not_before):
            room = self._fill(batch, self._heavy, room, now, is_heavy=True)
            if batch:
                self._heavy_since = now
        if self._light:
            self._fill(batch, self._light, room, now, is_heavy=False)
        return batch

    def landed(self, now: float) -> None:
        """A batch is settled. If it was heavy, light ones have the next as long time for themselves."""
        if self._heavy_since is not None:
            self._heavy_not_before = now + (now - self._heavy_since)
            self._heavy_since = None

    def _fill(
        self,
        batch: list[Waiting[CommandT, OutcomeT]],
        queue: deque[Waiting[CommandT, OutcomeT]],
        room: int,
        now: float,
        *,
        is_heavy: bool,
    ) -> int:
        """Move to the batch what there is room for, or one if it is empty; returns what room is left."""
        weight = size = 0
        while queue and (queue[0].weight <= room or not batch):
            one = queue.popleft()
            if one.has_left:
                continue
            one.has_left = True
            weight += one.weight
            size += one.size
            if is_wanted(one, now):
                room -= one.weight
                batch.append(one)
        self._leave(weight, size, is_heavy=is_heavy)
        return room

    def _leave(self, weight: int, size: int, *, is_heavy: bool) -> None:
        self._room.leave(weight, size, is_heavy=is_heavy)
        self.weight -= weight


def is_wanted(one: Waiting[CommandT, OutcomeT], now: float) -> bool:
    """Whether its caller is still there; who has waited too long is answered here."""
    if one.answer.done():
        return False
    if one.deadline < now:
        one.answer.set_exception(Overloaded())
        return False
    return True
