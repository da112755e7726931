"""Lanes: where commands wait whose accounts somebody else has locked for long, so that they stop nobody else.

    put off ──▶ a lane ──take──▶ a flight of its own, which waits for the lock ──▶ answers
                  └───── what is put off again ─────────┘

A lane has lines: what its commands are settled in order along. No two lanes have a line in common, and while a lane has
one, all other flights leave that line alone. So order along a line is kept: a command that shares lines with two lanes
makes one of them. A lane ends when nothing waits in it and nothing is under way. Knows nothing of money.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from koshel.queue import PUT_OFF_MAX, BatcherLimits, Overloaded, Room, Waiting, is_wanted

NONE: AbstractSet[Hashable] = frozenset()

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class Lane(Generic[CommandT, OutcomeT]):
    """Commands in order, and the lines that they and those under way are on."""

    def __init__(self, room: Room, batch_max: int) -> None:
        self.lines: set[Hashable] = set()
        self.flights = 0
        self.weight = 0  # of what waits
        self.was_obstructed = False  # it has waited for a lock in vain
        self.waiting: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._room = room
        self._batch_max = batch_max
        self.into: Lane[CommandT, OutcomeT] | None = None  # the one that it was joined to

    @property
    def now(self) -> "Lane[CommandT, OutcomeT]":
        """The lane that this one is now: itself, unless it was joined to another."""
        return self if self.into is None else self.into.now

    def enter(self, one: Waiting[CommandT, OutcomeT], *, first: bool = False) -> None:
        """It waits here; its place was kept, so it is never refused."""
        one.has_left, one.queue = False, self
        self.lines |= one.lines
        self.weight += one.weight
        self._room.enter_again(one.weight, one.size, is_heavy=one.is_heavy)
        (self.waiting.appendleft if first else self.waiting.append)(one)

    def take(self, now: float) -> list[Waiting[CommandT, OutcomeT]]:
        """The next batch, in order, without those whose callers hung up or waited too long."""
        batch: list[Waiting[CommandT, OutcomeT]] = []
        room = self._batch_max
        while self.waiting and (self.waiting[0].weight <= room or not batch):
            one = self.waiting.popleft()
            if one.has_left:
                continue
            self._leave(one)
            if is_wanted(one, now):
                room -= one.weight
                batch.append(one)
        return batch

    def withdraw(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        if one.has_left or one.answer.done():
            return False
        self._leave(one)
        return True

    def _leave(self, one: Waiting[CommandT, OutcomeT]) -> None:
        one.has_left = True
        self.weight -= one.weight
        self._room.leave(one.weight, one.size, is_heavy=one.is_heavy)

    def join(self, other: "Lane[CommandT, OutcomeT]") -> None:
        """The other lane's commands, flights and lines are this one's from now on, in the order in which they came."""
        other.into = self
        both = sorted((*self.waiting, *other.waiting), key=lambda one: one.number)
        for one in both:
            one.queue = self
        self.waiting = deque(both)
        self.lines |= other.lines
        self.flights += other.flights
        self.weight += other.weight
        self.was_obstructed |= other.was_obstructed


class Lanes(Generic[CommandT, OutcomeT]):
    """The lanes beside a queue."""

    def __init__(self, room: Room, limits: BatcherLimits) -> None:
        self._room = room
        self._limits = limits
        self._lanes: list[Lane[CommandT, OutcomeT]] = []

    def __bool__(self) -> bool:
        return bool(self._lanes)

    @property
    def lines(self) -> AbstractSet[Hashable]:
        """Those of all lanes."""
        return frozenset[Hashable]().union(*(lane.lines for lane in self._lanes)) if self._lanes else NONE

    def sort(
        self, put_off: Sequence[Waiting[CommandT, OutcomeT]]
    ) -> tuple[list[Waiting[CommandT, OutcomeT]], list[Waiting[CommandT, OutcomeT]]]:
        """What has to enter a lane, and what can leave with the next batch, each in order.

        A command has to that was put off often enough, or has a line in common with a lane; and so has whatever has a
        line in common with such a command, or it would be overtaken.
        """
        lines, rest = set(self.lines), list(put_off)
        into: list[Waiting[CommandT, OutcomeT]] = []
        more = [one for one in rest if one.put_off >= PUT_OFF_MAX or not lines.isdisjoint(one.lines)]
        while more:
            into += more
            lines.update(*(one.lines for one in more))
            chosen = set(map(id, more))
            rest = [one for one in rest if id(one) not in chosen]
            more = [one for one in rest if not lines.isdisjoint(one.lines)]
        return sorted(into, key=lambda one: one.number), rest

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits behind all that it has a line in common with. Raises Overloaded."""
        if 2 * (sum(lane.weight for lane in self._lanes) + one.weight) > self._limits.queue_max:
            raise Overloaded
        common = [lane for lane in self._lanes if not lane.lines.isdisjoint(one.lines)]
        if not common:
            common = [Lane(self._room, self._limits.batch_max)]
            self._lanes += common
        lane, *others = common
        for other in others:
            lane.join(other)
            self._lanes.remove(other)
        lane.enter(one)

    def next(self) -> Lane[CommandT, OutcomeT] | None:
        """The lane whose turn it is, and a flight of it begins; None if there is none, or enough are under way.

        Those come first that have not waited in vain yet, as they may only have met another batch; the others take
        turns, and have half of the flights, so that those can always begin.
        """
        most = self._limits.lane_flights_max
        flying = [lane.was_obstructed for lane in self._lanes if lane.flights]
        ready = [lane for lane in self._lanes if lane.waiting and not lane.flights]
        fresh = [lane for lane in ready if not lane.was_obstructed]
        if not ready or len(flying) >= most or (not fresh and 2 * sum(flying) >= most):
            return None
        lane = (fresh or ready)[0]
        self._lanes.remove(lane)
        self._lanes.append(lane)  # it is the last one in the next round
        lane.flights += 1
        return lane

    def landed(self, lane: Lane[CommandT, OutcomeT], put_off: Sequence[Waiting[CommandT, OutcomeT]]) -> None:
        """A flight of the lane has landed, and what it has put off comes first."""
        lane = lane.now
        lane.flights -= 1
        for one in reversed(put_off):
            lane.enter(one, first=True)
        if not lane.flights:
            lane.lines = set[Hashable]().union(*(one.lines for one in lane.waiting if not one.has_left))
            if not lane.waiting:
                self._lanes.remove(lane)
