"""Lanes: where commands wait whose accounts somebody else has locked for long, so that they stop nobody else.

    put off ──▶ a lane ──next──▶ a flight of its own, which waits for the lock ──▶ answers
                  └───── what is put off again ─────────┘

A lane has lines: those that stop its commands. No two lanes have a line in common, and while a lane has one, all other
flights leave that line alone. So order along it is kept: a command that is stopped on lines of two lanes makes one of
them. A lane ends when nothing waits in it and nothing is under way. Knows nothing of money.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from msgspec import Struct

from koshel.batching.lane import Lane
from koshel.batching.queue import PUT_OFF_MAX
from koshel.batching.room import Room
from koshel.batching.waiting import BatcherLimits, Waiting
from koshel.errors import Overloaded
from koshel.shares import Share

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class Turn(Struct, Generic[CommandT, OutcomeT]):
    """A flight and the lanes that it is for; `waits`: it waits for their locks."""

    lanes: list[Lane[CommandT, OutcomeT]]
    waits: bool
    is_stuck: bool


class Lanes(Generic[CommandT, OutcomeT]):
    """The lanes beside a queue."""

    def __init__(self, room: Room, limits: BatcherLimits) -> None:
        self._room = room
        self._limits = limits
        self.open: list[Lane[CommandT, OutcomeT]] = []
        self._stuck_turns: set[bool] = set()  # under way, by whether they wait

    def __bool__(self) -> bool:
        return bool(self.open)

    def lines(self, but: Sequence[Lane[CommandT, OutcomeT]] = (), last: int = 0) -> AbstractSet[Hashable]:
        """Those of all lanes, but of some: of these, those of what waits and came before the command `last`."""
        without = {id(lane.now): lane.now for lane in but}
        found = set[Hashable]().union(*(lane.lines for lane in self.open if id(lane) not in without))
        return found.union(*(one.lines for lane in without.values() for one in lane.waiting if one.number < last))

    def sort(
        self, put_off: Sequence[Waiting[CommandT, OutcomeT]]
    ) -> tuple[list[Waiting[CommandT, OutcomeT]], list[Waiting[CommandT, OutcomeT]]]:
        """What has to enter a lane, and what can leave with the next batch, each in order.

        A command has to that was put off often enough, or has a line in common with a lane; and so has whatever has a
        line in common with such a command, or it would be overtaken.
        """
        lines, rest = set(self.lines()), list(put_off)
        into: list[Waiting[CommandT, OutcomeT]] = []
        more = [one for one in rest if (one.lines and one.put_off >= PUT_OFF_MAX) or not lines.isdisjoint(one.lines)]
        while more:
            into += more
            lines.update(*(one.lines for one in more))
            chosen = set(map(id, more))
            rest = [one for one in rest if id(one) not in chosen]
            more = [one for one in rest if not lines.isdisjoint(one.lines)]
        return sorted(into, key=lambda one: one.number), rest

    def enter(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits behind all that it has a line in common with. Raises Overloaded."""
        weight = sum(lane.heavy_weight for lane in self.open)
        size = sum(lane.heavy_size for lane in self.open)
        if not one.is_heavy:  # the heavy ones are not in the way of the light ones, nor these in theirs
            weight = sum(lane.weight for lane in self.open) - weight
            size = sum(lane.size for lane in self.open) - size
        limits = self._limits
        # The first always has a place: else what is larger than half of the queue could never come in.
        is_over = 2 * (weight + one.weight) > limits.queue_max or 2 * (size + one.size) > limits.queue_bytes_max
        if weight and is_over and (weight > limits.queue_max or not self._is_part(one)):
            raise Overloaded
        lane = self._one_of(one.lines)
        if lane is None:
            lane = Lane(self._room)
            self.open.append(lane)
        lane.enter(one)

    def next(self) -> Turn[CommandT, OutcomeT] | None:
        """The next flight, which has its lanes from now on; None if there is nothing to begin.

        A lane that has not waited in vain yet has a flight of its own, as it may only have met another batch. Of the
        others one at a time does, in turn; and meanwhile those that do not wait for their locks are all looked at.
        """
        ready = [lane for lane in self.open if lane.waiting and not lane.flights]
        stuck = [lane for lane in ready if lane.is_stuck]
        if fresh := [lane for lane in ready if not lane.is_stuck]:
            return self._begin(fresh[:1], waits=True, is_stuck=False)
        if stuck and True not in self._stuck_turns:
            return self._begin(stuck[:1], waits=True, is_stuck=True)
        if stuck and False not in self._stuck_turns:
            return self._begin(stuck, waits=False, is_stuck=True)
        return None

    def take(self, turn: Turn[CommandT, OutcomeT]) -> Sequence[Waiting[CommandT, OutcomeT]]:
        """What leaves with a flight, in order, at the moment when it does.

        Not before: what came back to a lane in between leaves first. A lane stays for another flight if it was joined
        to one with a flight under way, or if there is no room for it.
        """
        batch: list[Waiting[CommandT, OutcomeT]] = []
        chosen = []
        room = self._limits.batch_max
        mine = Counter(id(lane.now) for lane in turn.lanes)
        for lane in turn.lanes:
            now = lane.now
            if room <= 0 or now.flights > mine[id(now)]:
                now.flights -= 1
                mine[id(now)] -= 1
                self._settle_down(now)
                continue
            found = now.take(room)
            if not found and now.waiting and not batch:  # heavier than any batch: it goes alone
                found = now.take(now.waiting[0].weight)
            room -= sum(one.weight for one in found)
            batch += found
            chosen.append(lane)
            self.open.remove(now)
            self.open.append(now)  # it is the last one in the next round
        turn.lanes = chosen
        return sorted(batch, key=lambda one: one.number)

    def landed(
        self, turn: Turn[CommandT, OutcomeT], put_off: Sequence[Waiting[CommandT, OutcomeT]], *, in_vain: bool
    ) -> None:
        """A flight has landed, and what it has put off comes first."""
        if turn.is_stuck:
            self._stuck_turns.discard(turn.waits)
        for lane in turn.lanes:
            lane.now.flights -= 1
        for one in sorted(put_off, key=lambda one: -one.number):
            self._enter_again(one)
        stopped = {id(one.queue) for one in put_off}
        for lane in turn.lanes:
            self._settle_down(lane.now)
            lane.now.is_stuck = in_vain and id(lane.now) in stopped

    def _is_part(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Whether others wait too, and a command's own share has less than an equal part of the lanes' half."""
        shares = Counter[Share]()
        for lane in self.open:
            for waiting in lane.waiting:
                shares[waiting.share] += waiting.weight
        parts = len(shares.keys() | {one.share})
        return parts > 1 and 2 * parts * (shares[one.share] + one.weight) <= self._limits.queue_max

    def _begin(
        self, lanes: Sequence[Lane[CommandT, OutcomeT]], *, waits: bool, is_stuck: bool
    ) -> Turn[CommandT, OutcomeT]:
        for lane in lanes:
            lane.flights += 1
        if is_stuck:
            self._stuck_turns.add(waits)
        return Turn([*lanes], waits, is_stuck)

    def _enter_again(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """Its lines may be more than they were, and those of other lanes."""
        former = one.queue
        assert isinstance(former, Lane), "it was in a lane, and has left with a flight"
        (self._one_of(one.lines) or former.now).enter(one, first=True)

    def _one_of(self, lines: AbstractSet[Hashable]) -> Lane[CommandT, OutcomeT] | None:
        """The lane that has some of the lines; if there are several, they are one from now on."""
        common = [lane for lane in self.open if not lane.lines.isdisjoint(lines)]
        for other in common[1:]:
            common[0].join(other)
            self.open.remove(other)
        return common[0] if common else None

    def _settle_down(self, lane: Lane[CommandT, OutcomeT]) -> None:
        """Of a lane that has no flight only those lines are left that stop what waits; one that has nothing ends."""
        if lane.flights:
            return
        waiting = [one for one in lane.waiting if not one.has_left]
        lane.lines = set[Hashable]().union(*(one.lines for one in waiting))
        lane.lasting = set[Hashable]().union(*(one.lasting for one in waiting))
        if not lane.waiting and lane in self.open:
            self.open.remove(lane)
