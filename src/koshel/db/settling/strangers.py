"""Whether other clients hold accounts for longer than a batch does."""

import time
from collections.abc import Callable
from enum import Enum

LASTS_S = 1.0  # after one was met


class Patience(Enum):
    """What a batch waits for that does not have to have all its locks: the rest is put off."""

    NONE = "nothing"
    BATCHES = "what other batches hold, as far as it can be told"
    SPENT = "nothing, after it has waited in vain"
    FIRST = "whatever is locked, before it locks anything else"


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
