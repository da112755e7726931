"""One partition's queue: what waits, what may still come in, and what leaves together.

    light  one command of ordinary size: overtakes what is heavy
    heavy  a batch, or a large body: at most half of the queue, and of the time while light ones come

So a caller of batches of a thousand cannot keep single transfers out, and is not kept out by them either.
A command that others' locks stopped was put off: it leaves first with the next batch, or then from a lane (`lanes`).
"""

from collections import deque
from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from koshel.errors import Overloaded

HEAVY_BYTES = 64 * 1024  # what takes more of the queue is heavy, were it a batch of one
FREE_MIN = 64  # commands: a smaller batch waits for locks
PUT_OFF_MAX = 5  # times that a command is put off, as by other batches; then it waits in a lane
PUT_OFF_SHARE = 0.25  # of a batch: where more was put off,
WAITING_FLIGHTS = 32  # so many batches wait, before one tries again not to

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
    lane_flights_max: int = 4  # under way at once, for what others have locked for long
    lane_timeout_ms: int = 2_000  # what has waited longer in a lane is told why


class Recipient(Protocol[OutcomeT_contra]):
    """Where an outcome goes. An asyncio.Future is one."""

    def done(self) -> bool:
        """Whether it is answered, or nobody waits for it any more."""

    def set_result(self, outcome: OutcomeT_contra, /) -> object:
        """The outcome, once it is final."""

    def set_exception(self, error: Exception, /) -> object:
        """Why there is none."""


class Waitlist(Protocol):
    """Where a command waits."""

    def withdraw(self, one: Any, /) -> bool:
        """Take a command back if it has not left yet; whether it had not."""


class Waiting(Struct, Generic[CommandT, OutcomeT], eq=False):
    """A command that waits; `weight` is how many it counts as, `size` what it takes of the queue in bytes."""

    command: CommandT
    size: int
    weight: int
    deadline: float
    recipient: Recipient[OutcomeT]
    queue: Waitlist
    number: int = 0  # in the order in which they came
    has_left: bool = False  # or was withdrawn
    put_off: int = 0  # how often it came back unsettled, since others had locked what it needs
    lines: AbstractSet[Hashable] = frozenset()  # that stop it: those that did the last time, and
    lasting: AbstractSet[Hashable] = frozenset()  # those that somebody had locked for long, now or before
    until: float = 0.0  # when it has waited in a lane for long enough; 0: it is in none

    @property
    def is_heavy(self) -> bool:
        """Whether it is several commands in one, or as large as several."""
        return self.weight > 1 or self.size > HEAVY_BYTES

    def withdraw(self) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        return self.queue.withdraw(self)


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
        if one.is_heavy:
            self._enter_heavy(one)
        self._weight += one.weight
        self._bytes += one.size

    def enter_again(self, weight: int, size: int, *, is_heavy: bool) -> None:
        """So much waits again: it had its place before, so it is never refused."""
        self.leave(-weight, -size, is_heavy=is_heavy)

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


class Queue(Generic[CommandT, OutcomeT]):
    """One partition's queue and its flights."""

    def __init__(self, room: Room, limits: BatcherLimits) -> None:
        self.flights = 0
        self.weight = 0  # of what waits
        self._room = room
        self._batch_max = limits.batch_max
        self._light: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._heavy: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._heavy_flights = 0
        self._heavy_not_before = 0.0  # while light ones come
        self._light_came = False  # with the last batch
        self._waiting_flights = 0  # batches to come that wait for locks, whatever they are

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits. Raises Overloaded."""
        self._room.enter(one)
        self.weight += one.weight
        (self._heavy if one.is_heavy else self._light).append(one)

    def withdraw(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        if one.has_left or one.recipient.done():
            return False
        one.has_left = True
        self._leave(one.weight, one.size, is_heavy=one.is_heavy)
        return True

    @property
    def light(self) -> int:
        """How many light ones wait."""
        return len(self._light)

    def take(self, now: float) -> list[Waiting[CommandT, OutcomeT]]:
        """The next batch: each kind in order, without those whose callers hung up or waited too long."""
        batch: list[Waiting[CommandT, OutcomeT]] = []
        room, light = self._batch_max, len(self._light)
        if not light or (now >= self._heavy_not_before and not self._heavy_flights):
            room = self._fill(batch, self._heavy, room, now, is_heavy=True)
        self._fill(batch, self._light, room, now, is_heavy=False)
        if not batch and self._heavy:  # they were held back for callers who have gone
            self._fill(batch, self._heavy, room, now, is_heavy=True)
        self._light_came = light > len(self._light)
        self._heavy_flights += _has_heavy(batch)
        return batch

    def landed(self, batch: Sequence[Waiting[CommandT, OutcomeT]], now: float, took: float) -> None:
        """A batch is settled. If it was heavy, light ones have the next as long time for themselves."""
        if _has_heavy(batch):
            self._heavy_flights -= 1
            self._heavy_not_before = now + took
        self._waiting_flights = max(self._waiting_flights - 1, 0)

    def waits_for_locks(self, batch: Sequence[Waiting[CommandT, OutcomeT]]) -> bool:
        """Whether a batch waits for what others have locked; else the commands that need it are put off.

        A batch waits if it is small, as waiting is quicker then than coming back; if it has heavy commands; and for a
        while after a batch of which much was put off, since then most commands want the same account. With several
        flights it waits too: a later flight would overtake what an earlier one has put off.
        """
        return bool(self._waiting_flights) or self.flights > 1 or _has_heavy(batch) or len(batch) < FREE_MIN

    def put_back(self, put_off: Sequence[Waiting[CommandT, OutcomeT]], of: int) -> None:
        """What was put off, of a batch of so many, waits again: before all others, and in its order."""
        for one in put_off:
            one.has_left = False
        weight = sum(one.weight for one in put_off)
        self._room.enter_again(weight, sum(one.size for one in put_off), is_heavy=False)
        self.weight += weight
        self._light.extendleft(reversed(put_off))
        if len(put_off) > of * PUT_OFF_SHARE:
            self._waiting_flights = WAITING_FLIGHTS

    def waits_for_light(self, now: float) -> bool:
        """Whether it is worth a moment to see if light ones come back: it is their time, and a heavy one would go."""
        return self._light_came and not self._light and bool(self._heavy) and now < self._heavy_not_before

    def _fill(
        self,
        batch: list[Waiting[CommandT, OutcomeT]],
        kind: deque[Waiting[CommandT, OutcomeT]],
        room: int,
        now: float,
        *,
        is_heavy: bool,
    ) -> int:
        """Move to the batch what there is room for, or one if it is empty; returns what room is left."""
        weight = size = 0
        while kind and (kind[0].weight <= room or not batch):
            one = kind.popleft()
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


def _has_heavy(batch: Sequence[Waiting[CommandT, OutcomeT]]) -> bool:
    """The heavy ones of a batch come first."""
    return bool(batch) and batch[0].is_heavy


def is_wanted(one: Waiting[CommandT, OutcomeT], now: float) -> bool:
    """Whether its caller is still there; one that has waited too long in the queue is answered here."""
    if one.recipient.done():
        return False
    if one.deadline < now and not one.until:
        one.recipient.set_exception(Overloaded())
        return False
    return True
