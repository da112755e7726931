"""Whose command leaves next: ledgers take turns, and in a ledger its keys, each with as much weight as the others.

    one share waits, or all that waits can leave ──▶ a plain deque
    several do, and not all can ──▶ ledger ─┬─ key ── its commands, in order
                                            └─ key ── ...               deficit round robin, on both levels

So one that floods waits for itself. Of one share the order is that in which its commands came; of two there is none but
that in which they leave. Knows nothing of ledgers: a share is a pair of names.
"""

from collections import deque
from collections.abc import Hashable
from math import inf
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from koshel.batching.waiting import Waiting
from koshel.shares import Share

LEVELS = 2  # names in a share

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class _Turn(Struct, Generic[CommandT, OutcomeT], eq=False):
    """One name's commands, and how much more of them may leave before it is another's turn."""

    name: Hashable
    commands: "Commands[CommandT, OutcomeT]"
    credit: int = 0


class RoundRobin(Generic[CommandT, OutcomeT]):
    """Names that take turns; used as a deque is. `quantum` is the weight that each may send in a turn."""

    def __init__(self, quantum: int, level: int = 0) -> None:
        self._quantum = quantum
        self._level = level
        self._turns: dict[Hashable, _Turn[CommandT, OutcomeT]] = {}
        self._round: deque[_Turn[CommandT, OutcomeT]] = deque()  # the first has its turn
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def each(self) -> "list[Commands[CommandT, OutcomeT]]":
        """The commands of each name."""
        return [turn.commands for turn in self._round]

    def append(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits behind its own."""
        name = one.share[self._level]
        turn = self._turns.get(name)
        if turn is None:
            is_last = self._level == LEVELS - 1
            turn = _Turn(name, deque() if is_last else RoundRobin(self._quantum, self._level + 1))
            self._turns[name] = turn
            self._round.append(turn)
        turn.commands.append(one)
        self._count += 1

    def __getitem__(self, _: int) -> Waiting[CommandT, OutcomeT]:
        """The next one; there is one."""
        while True:
            turn = self._round[0]
            one = turn.commands[0]
            if one.weight <= turn.credit or one.has_left or len(self._round) == 1:
                return one
            turn.credit += self._quantum
            self._round.rotate(-1)

    def popleft(self) -> Waiting[CommandT, OutcomeT]:
        """Take the next one, which was looked at."""
        turn = self._round[0]
        one = turn.commands.popleft()
        self._count -= 1
        if not turn.commands:
            del self._turns[turn.name]
            self._round.popleft()
        elif len(self._round) == 1:
            turn.credit = 0
        elif not one.has_left:
            turn.credit -= one.weight
        return one


# Used as a deque is, whichever it is.
Commands: TypeAlias = deque[Waiting[CommandT, OutcomeT]] | RoundRobin[CommandT, OutcomeT]


def first_deadline(commands: Commands[CommandT, OutcomeT]) -> float:
    """Of the one that came first; infinity if none waits."""
    if isinstance(commands, RoundRobin):
        return min(map(first_deadline, commands.each()), default=inf)
    return next((one.deadline for one in commands if not one.has_left), inf)


class FairQueue(Generic[CommandT, OutcomeT]):
    """What waits of one kind: a plain deque, until several shares wait and not all of it can leave at once."""

    def __init__(self, quantum: int) -> None:
        self.commands: Commands[CommandT, OutcomeT] = deque()
        self._quantum = quantum
        self._share: Share | None = None  # whose all of them are; None: several shares'

    @property
    def is_shared(self) -> bool:
        """Whether several shares have waited since nothing did."""
        return self._share is None and bool(self.commands)

    def append(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """It waits."""
        if one.share != self._share:
            if self.commands:
                self._share = None
            else:
                self.commands, self._share = deque(), one.share
        self.commands.append(one)

    def for_room(self, room: int) -> Commands[CommandT, OutcomeT]:
        """The commands, in the order in which they leave where so many have room. If all have, nobody needs a turn."""
        if len(self.commands) > room and self.is_shared and isinstance(self.commands, deque):
            turns = RoundRobin[CommandT, OutcomeT](self._quantum)
            for one in self.commands:
                turns.append(one)
            self.commands = turns
        return self.commands
