"""Whose a request is, and who else has used the worker lately.

A share is a ledger and, in it, a key. Shares take turns, and who is not alone leaves room for the others.
"""

from collections.abc import Hashable, Iterable
from typing import TypeAlias

Share: TypeAlias = tuple[Hashable, Hashable]  # whose it is: a house, and in it who

NOBODY: Share = (None, None)  # the service itself, or a program with a ledger of its own
OPEN: Share = ("", None)  # whoever asks what everybody may ask, as a probe of the readiness does
PRESENT_S = 1.0  # who was seen so long ago is still there


class Latest:
    """The names that were seen last. Times are in seconds, by any one clock."""

    __slots__ = ("_at", "_before", "_name")

    def __init__(self) -> None:
        self._name: Hashable = None
        self._at = self._before = float("-inf")  # when it was seen, and when any other was

    def saw(self, name: Hashable, now: float) -> None:
        """It was seen now."""
        if name != self._name:
            self._name, self._before = name, self._at
        self._at = now

    def has_others(self, name: Hashable, now: float) -> bool:
        """Whether another name was seen a moment ago."""
        return now - (self._before if name == self._name else self._at) < PRESENT_S


class Neighbours:
    """Who uses a worker: houses, and shares of whatever house."""

    def __init__(self) -> None:
        self.houses = Latest()
        self.shares = Latest()

    def saw(self, shares: Iterable[Share], now: float) -> None:
        """These have something done now. Neither the service itself nor a probe is anybody's neighbour."""
        for share in shares:
            if share not in (NOBODY, OPEN):
                self.houses.saw(share[0], now)
                self.shares.saw(share, now)
