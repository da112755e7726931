"""What is due and others' locks stop: it stays due, in its order, and is tried again after a while."""

import time
from collections.abc import Callable, Mapping

from koshel.core.apart import Line, Lines

REST = 9  # of ten parts of the time, so many are for what is not blocked
REST_MAX_S = 5.0  # but then all are tried again


class Blocked:
    """A process's own memory of them. Other processes find out for themselves."""

    def __init__(self, pause_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._lines: dict[int, Lines] = {}  # by the id of the queued transaction, or of the hold
        self._before: set[int] = set()  # ids of the round before
        self._spent_s = 0.0  # in this round, to find them
        self._again_at = 0.0

    @property
    def ids(self) -> list[int]:
        """What is not to be claimed in this round."""
        return list(self._lines)

    @property
    def lines(self) -> frozenset[Line]:
        """What they are on: what is due later on one of these lines waits behind them."""
        return frozenset[Line]().union(*self._lines.values())

    def __bool__(self) -> bool:
        """Whether there are some, or were when they were last tried."""
        return bool(self._lines or self._before)

    def begin(self) -> None:
        """Begin a new round, if it is time: all are tried again, in the order in which they are due."""
        if self and (now := self._clock()) >= self._again_at:
            self._before, self._lines, self._spent_s = set(self._lines), {}, 0.0
            self._again_at = now + self._pause_s

    def put_off(self, found: Mapping[int, Lines], took_s: float) -> list[int]:
        """These were found, which took so long; returns the ids that the round before did not have."""
        self._lines |= found
        self._spent_s += took_s
        self._again_at = self._clock() + max(self._pause_s, min(self._spent_s * REST, REST_MAX_S))
        return [id_ for id_ in found if id_ not in self._before]
