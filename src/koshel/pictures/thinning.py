"""A long line of steps as a picture shows it: so many points that nobody sees that some are left out.

    1,000,000 values ──▶ some in a row ──▶ their first, least, greatest and last ──▶ at most 4,000 points
So no peak is lost, however short it was, and memory does not grow with the statement.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

RUNS_MAX = 1_000  # each of them less than two pixels of a picture

Point: TypeAlias = tuple[datetime, Decimal]


class Thinned:
    """The points of a line of `count` values, which are added one after another."""

    def __init__(self, count: int) -> None:
        self._length = max(1, -(-count // RUNS_MAX))  # of a run
        self._kept: list[Point] = []
        self._run: list[Point] = []

    def add(self, moment: datetime, value: Decimal) -> None:
        """The next value, and when it came about."""
        self._run.append((moment, value))
        if len(self._run) == self._length:
            self._end_run()

    def points(self) -> Sequence[Point]:
        """Those that are kept, in their order."""
        if self._run:
            self._end_run()
        return self._kept

    def _end_run(self) -> None:
        values = [value for _, value in self._run]
        kept = {0, values.index(min(values)), values.index(max(values)), len(values) - 1}
        self._kept += [self._run[place] for place in sorted(kept)]
        self._run = []
