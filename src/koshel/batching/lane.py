"""One lane: what waits for the same lock of somebody else's. `lanes` has all of them, and says what a lane is for."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from koshel.batching.room import Room
from koshel.batching.waiting import Waiting

UP = 1e-9  # a time that is over, and not none

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class Lane(Generic[CommandT, OutcomeT]):
    """Commands in order, and the lines that stop them and those under way."""

    def __init__(self, room: Room) -> None:
        self.lines: set[Hashable] = set()
        self.lasting: set[Hashable] = set()  # of these, those that somebody had locked for long
        self.flights = 0
        self.weight = self.size = 0  # of what waits
        self.heavy_weight = self.heavy_size = 0  # of it, what is heavy
        self.is_stuck = False  # locks were waited for in vain
        self.waiting: deque[Waiting[CommandT, OutcomeT]] = deque()
        self._room = room
        self.into: Lane[CommandT, OutcomeT] | None = None  # the one that it was joined to

    @property
    def now(self) -> "Lane[CommandT, OutcomeT]":
        """The lane that this one is now: itself, unless it was joined to another."""
        return self if self.into is None else self.into.now

    def enter(self, one: Waiting[CommandT, OutcomeT], *, first: bool = False) -> None:
        """It waits here; its place was kept, so it is never refused."""
        one.has_left, one.queue = False, self
        one.lasting |= one.lines & self.lasting  # it waits behind what was stopped there
        self.lines |= one.lines
        self.lasting |= one.lasting
        # Not as heavy: what waits here takes nothing of the share of those that do not.
        self._room.enter(one, is_heavy=False, is_apart=one.is_heavy)
        self._count(one, 1)
        (self.waiting.appendleft if first else self.waiting.append)(one)

    def take(self, room: int) -> list[Waiting[CommandT, OutcomeT]]:
        """The next ones in order, as many as there is room for, without those whose callers hung up."""
        batch: list[Waiting[CommandT, OutcomeT]] = []
        while self.waiting and self.waiting[0].weight <= room:
            one = self.waiting.popleft()
            if one.has_left:
                continue
            self._leave(one)
            if not one.recipient.done():
                room -= one.weight
                batch.append(one)
        return batch

    def withdraw(self, one: Waiting[CommandT, OutcomeT]) -> bool:
        """Take it back if it has not left yet; whether it had not. Else its time is up when its flight lands."""
        if one.has_left or one.recipient.done():
            one.until = UP
            return False
        self._leave(one)
        return True

    def join(self, other: "Lane[CommandT, OutcomeT]") -> None:
        """The other lane's commands, flights and lines are this one's from now on, in the order in which they left."""
        other.into = self
        both = sorted((*self.waiting, *other.waiting), key=lambda one: one.number)
        for one in both:
            one.queue = self
        self.waiting = deque(both)
        self.lines |= other.lines
        self.lasting |= other.lasting
        self.flights += other.flights
        self.weight += other.weight
        self.size += other.size
        self.heavy_weight += other.heavy_weight
        self.heavy_size += other.heavy_size
        self.is_stuck |= other.is_stuck

    def _leave(self, one: Waiting[CommandT, OutcomeT]) -> None:
        one.has_left = True
        self._count(one, -1)
        self._room.leave(one.share, 1, one.weight, one.size, is_heavy=False, is_apart=one.is_heavy)

    def _count(self, one: Waiting[CommandT, OutcomeT], sign: int) -> None:
        self.weight += sign * one.weight
        self.size += sign * one.size
        if one.is_heavy:
            self.heavy_weight += sign * one.weight
            self.heavy_size += sign * one.size
