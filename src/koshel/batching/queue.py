"""One partition's queue: what waits, what may still come in, and what leaves together.

    light  one command of ordinary size: overtakes what is heavy
    heavy  a batch, or a large body: at most half of the queue, and of the time while light ones come

So a caller of batches of a thousand cannot keep single transfers out, and is not kept out by them either. Among light
ones, and among heavy ones, those whose they are take turns (`fair_queue`), and each has its part of the `room`.
A command that others' locks stopped was put off: it leaves first with the next batch, or then from a lane (`lanes`).
"""

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Generic, TypeVar

from koshel.batching.fair_queue import Commands, FairQueue, first_deadline
from koshel.batching.pace import Pace
from koshel.batching.room import Room
from koshel.batching.waiting import BatcherLimits, Waiting, is_wanted
from koshel.shares import Share

FREE_MIN = 64  # commands: a smaller batch waits for locks
PUT_OFF_MAX = 5  # times that a command is put off, as by other batches; then it waits in a lane
PUT_OFF_SHARE = 0.25  # of a batch: where more was put off,
WAITING_FLIGHTS = 32  # so many batches wait, before one tries again not to
LIGHT_QUANTUM = 1  # commands that a share may send in its turn

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class Queue(Generic[CommandT, OutcomeT]):
    """One partition's queue and its flights."""

    def __init__(self, room: Room, limits: BatcherLimits) -> None:
        self.flights = 0
        self.weight = 0  # of what waits
        self._light_count = 0  # of it, without those who were withdrawn
        self._room = room
        self._batch_max = limits.batch_max
        self._again: deque[Waiting[CommandT, OutcomeT]] = deque()  # was put off: light, and before all others
        self._light: FairQueue[CommandT, OutcomeT] = FairQueue(LIGHT_QUANTUM)
        self._heavy: FairQueue[CommandT, OutcomeT] = FairQueue(limits.batch_max)
        self._pace = Pace(limits.queue_target_ms / 1_000)
        self._number = 0  # of the last command that has left
        self._heavy_flights = 0
        self._heavy_not_before = 0.0  # while light ones come
        self._light_came = False  # with the last batch
        self._under_way: list[Sequence[Waiting[CommandT, OutcomeT]]] = []
        self._waiting_flights = 0  # batches to come that wait for locks, whatever they are

    def check(self, share: Share, size: int, *, is_heavy: bool) -> None:
        """Raise Overloaded if a command of this share and size has no place now."""
        if is_heavy:
            self._room.check_heavy(share, size, 1)
        else:
            self._room.check(share, size, self._light_count, self._pace.limit)

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits. Raises Overloaded."""
        if is_heavy := one.is_heavy:
            self._room.check_heavy(one.share, one.size, one.weight)
        else:
            self._room.check(one.share, one.size, self._light_count, self._pace.limit)
        self._room.enter(one, is_heavy=is_heavy)
        self.weight += one.weight
        self._light_count += not is_heavy
        (self._heavy if is_heavy else self._light).append(one)

    def withdraw(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        if one.has_left or one.recipient.done():
            return False
        one.has_left = True
        self._leave(one.share, 1, one.weight, one.size, is_heavy=one.is_heavy)
        return True

    @property
    def light(self) -> int:
        """How many light ones wait."""
        return len(self._again) + len(self._light.commands)

    @property
    def first_deadline(self) -> float:
        """Of the command that came first, of those without an answer; infinity if there is none."""
        waiting = map(first_deadline, (self._again, self._light.commands, self._heavy.commands))
        return min(*waiting, min((one.deadline for batch in self._under_way for one in batch), default=inf))

    def take(self, now: float) -> list[Waiting[CommandT, OutcomeT]]:
        """The next batch: each share in order, without those whose callers hung up or waited too long."""
        batch: list[Waiting[CommandT, OutcomeT]] = []
        room, light, heavy = self._batch_max, self.light, self._heavy.for_room(1)
        if not light or (now >= self._heavy_not_before and not self._heavy_flights):
            room = self._fill(batch, heavy, room, now, is_heavy=True)
        if self._again:
            room = self._fill(batch, self._again, room, now, is_heavy=False)
        if not self._again:
            if self._light.is_shared and self._room.is_flooded:  # it makes batches large, for which all others wait
                room = min(room, self._pace.shared)
            self._fill(batch, self._light.for_room(room), room, now, is_heavy=False)
        if not batch and heavy:  # they were held back for callers who have gone
            self._fill(batch, heavy, room, now, is_heavy=True)
        self._light_came = light > self.light
        self._heavy_flights += _has_heavy(batch)
        if batch:
            self._under_way.append(batch)
        return batch

    def landed(self, batch: Sequence[Waiting[CommandT, OutcomeT]], now: float, took: float) -> None:
        """A batch is settled. If it was heavy, light ones have the next as long time for themselves."""
        if batch:
            self._under_way.remove(batch)
        is_heavy = _has_heavy(batch)
        self._pace.landed(sum(one.weight for one in batch) if is_heavy else len(batch), now, took)
        if is_heavy:
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
            self._room.enter(one, is_heavy=False)
            self.weight += one.weight
            self._light_count += 1
        self._again.extendleft(reversed(put_off))
        if len(put_off) > of * PUT_OFF_SHARE:
            self._waiting_flights = WAITING_FLIGHTS

    def waits_for_light(self, now: float) -> bool:
        """Whether it is worth a moment to see if light ones come back: it is their time, and a heavy one would go."""
        return self._light_came and not self.light and bool(self._heavy.commands) and now < self._heavy_not_before

    def _fill(
        self,
        batch: list[Waiting[CommandT, OutcomeT]],
        kind: Commands[CommandT, OutcomeT],
        room: int,
        now: float,
        *,
        is_heavy: bool,
    ) -> int:
        """Move to the batch what there is room for, or one if it is empty; returns what room is left."""
        share: Share | None = None
        count = weight = size = 0  # of those of one share that follow each other
        while kind and (kind[0].weight <= room or not batch):
            one = kind.popleft()
            if one.has_left:
                continue
            if one.share != share:
                if share is not None:
                    self._leave(share, count, weight, size, is_heavy=is_heavy)
                share, count, weight, size = one.share, 0, 0, 0
            count += 1
            weight += one.weight
            size += one.size
            one.has_left = True
            if is_wanted(one, now):
                room -= one.weight
                batch.append(one)
                if not one.number:
                    self._number = one.number = self._number + 1
        if share is not None:
            self._leave(share, count, weight, size, is_heavy=is_heavy)
        return room

    def _leave(self, share: Share, count: int, weight: int, size: int, *, is_heavy: bool) -> None:
        self._room.leave(share, count, weight, size, is_heavy=is_heavy)
        self.weight -= weight
        if not is_heavy:
            self._light_count -= count


def _has_heavy(batch: Sequence[Waiting[CommandT, OutcomeT]]) -> bool:
    """The heavy ones of a batch come first."""
    return bool(batch) and batch[0].is_heavy
