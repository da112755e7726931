"""Whether other clients hold accounts for longer than a batch does."""

import time
from collections.abc import Callable

LASTS_S = 1.0  # after one was met


class Strangers:
    """While one was met not long ago, batches look for their locks before they wait for any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    def met(self) -> None:
        """A lock was waited for in vain, or a transaction that is no batch has one."""
        self._until = self._clock() + LASTS_S

    @property
    def are_around(self) -> bool:
        """Whether one was met not long ago."""
        return self._clock() < self._until
