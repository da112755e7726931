"""Whose call is next: ledgers take turns, and in a ledger its keys. Who has used much of the worker's time rests.

    a call ──▶ its key's line ──▶ its ledger's round ──▶ the round of ledgers ──▶ next, when a connection is free
                    rests?              rests?

A share rests only beside others: alone it has all connections and all of the time. Beside others it has half of the
connections, and its calls take no more than TIME_PART of the event loop's time: what others ask for does not wait
behind one large page after another.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, TypeAlias

from msgspec import Struct

from koshel.db.sharing.read_pace import Pace
from koshel.shares import NOBODY, Neighbours, Share

TIME_PART = 0.2  # of the event loop's time, for all calls of a share beside others
AHEAD_S = 0.02  # by which a share may be ahead of that: a single call never rests
REST_MAX_S = 1.0
NEVER = float("inf")
KEPT_MAX = 1_000  # shares that are remembered, before those that have rested are forgotten


class Waiting(Struct, eq=False):
    """A call that waits; `granted` is what it needs to run, once it may."""

    share: Share
    weight: int
    granted: "asyncio.Future[Any]"


class Turn(Struct, eq=False):
    """A ledger's calls, or a key's."""

    line: "Line"
    pace: Pace
    until: float = 0.0  # up to when its part of the time is used up
    running: int = 0
    weight: int = 0  # of what waits

    def is_modest(self, now: float, running_part: int) -> bool:
        """Whether one more of its calls may begin beside others."""
        return self.running < running_part and self.until <= now + AHEAD_S

    def takes(self, took_s: float, now: float) -> None:
        """It has taken so much of the loop's time."""
        self.until = min(max(self.until, now) + took_s / TIME_PART, now + REST_MAX_S)

    def is_over(self, now: float) -> bool:
        """Whether nothing of it need be remembered."""
        return not (self.line or self.running) and self.until <= now


class Gate(Struct):
    """Who may begin now, and when somebody may who may not yet."""

    neighbours: Neighbours
    running_part: int  # of a share beside others
    now: float = 0.0
    opens_at: float = NEVER

    def lets(self, turn: Turn, *, beside_others: bool) -> bool:
        """Whether one more of a share's calls may begin."""
        if not beside_others or turn.is_modest(self.now, self.running_part):
            return True
        if turn.running < self.running_part:
            self.opens_at = min(self.opens_at, turn.until - AHEAD_S)
        return False


class Round:
    """The shares of one level, by their names: ledgers, or in one ledger its keys, whose names are shares."""

    def __init__(self, target_s: float, *, of_keys: bool = False) -> None:
        self._target_s = target_s
        self._of_keys = of_keys
        self._turns: dict[Hashable, Turn] = {}
        self._waiting: OrderedDict[Hashable, None] = OrderedDict()  # those with a line; the next one is the first
        self._sweep_at = KEPT_MAX

    def __len__(self) -> int:
        """How many of the shares wait."""
        return len(self._waiting)

    def of(self, share: Share, now: float) -> Turn:
        """The turn of a share, or of its ledger; it is made if need be."""
        name = self._name(share)
        turn = self._turns.get(name)
        if turn is None:
            if len(self._turns) >= self._sweep_at:
                self._turns = {known: one for known, one in self._turns.items() if not one.is_over(now)}
                self._sweep_at = max(KEPT_MAX, 2 * len(self._turns))
            line: Line = OrderedDict() if self._of_keys else Round(self._target_s, of_keys=True)
            turn = self._turns[name] = Turn(line, Pace(self._target_s))
        return turn

    def both(self, share: Share, now: float) -> tuple[Turn, Turn]:
        """The turn of the share's ledger, of which this is the round, and the share's own."""
        ledger = self.of(share, now)
        assert isinstance(ledger.line, Round), "this is the round of ledgers"
        return ledger, ledger.line.of(share, now)

    def append(self, one: Waiting, now: float) -> None:
        """A call waits."""
        turn = self.of(one.share, now)
        if not turn.line:
            self._waiting[self._name(one.share)] = None
            turn.pace.began(now)
        turn.weight += one.weight
        if isinstance(turn.line, Round):
            turn.line.append(one, now)
        else:
            turn.line[one] = None

    def withdraw(self, one: Waiting) -> None:
        """A call waits no longer."""
        name = self._name(one.share)
        turn = self._turns[name]
        turn.weight -= one.weight
        if isinstance(turn.line, Round):
            turn.line.withdraw(one)
        else:
            del turn.line[one]
        if not turn.line:
            del self._waiting[name]

    def next(self, gate: Gate) -> Waiting | None:
        """The call that may begin now, which is to be withdrawn; None: there is none."""
        for name in tuple(self._waiting):
            turn = self._turns[name]
            if not gate.lets(turn, beside_others=self._has_others(name, gate)):
                continue
            one = turn.line.next(gate) if isinstance(turn.line, Round) else next(iter(turn.line))
            if one is not None:
                self._waiting.move_to_end(name)
                return one
        return None

    def _name(self, share: Share) -> Hashable:
        return share if self._of_keys else share[0]

    def _has_others(self, name: Hashable, gate: Gate) -> bool:
        if self._of_keys:
            return name != NOBODY and gate.neighbours.shares.has_others(name, gate.now)
        return name != NOBODY[0] and gate.neighbours.houses.has_others(name, gate.now)


Line: TypeAlias = OrderedDict[Waiting, None] | Round
