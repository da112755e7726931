"""Token buckets in memory that all workers of a service share: so a rate is the service's, whichever worker is asked.

A bucket is two words: whose it is, and when it will be full again if nothing more is taken (GCRA). Workers take no
lock: two that take from one bucket in the same microsecond may take one token for two, which no rate minds. The master
makes the memory before it forks, so a worker that dies, or is replaced, leaves the buckets as they are.
"""

from collections.abc import Hashable
from mmap import mmap
from time import monotonic

from msgspec import Struct

BUCKETS = 1 << 16  # that can be told apart; a bucket that is full again needs none
ROUNDING_S = 1e-6  # what sums of fractions of a second are wrong by, at most
PROBES = 8  # places where a bucket may be
MASK = (1 << 63) - 1


class Rate(Struct, frozen=True):
    """So many a second; what was not used for `window_s` seconds may be used at once."""

    per_s: int
    window_s: int

    @property
    def quota(self) -> int:
        """How many may come at once."""
        return self.per_s * self.window_s


class Refusal(Struct, frozen=True):
    """That a bucket has not so many: how many it has, and after how many seconds it will have enough."""

    remaining: int
    wait_s: float


class Buckets:
    """The buckets of a service. `take` does nothing where it refuses."""

    def __init__(self, count: int = BUCKETS) -> None:
        self._count = count
        memory = mmap(-1, count * 16)  # anonymous and shared: of this process, and of those it forks
        self._names = memoryview(memory).cast("Q")[:count]
        self._full_at = memoryview(memory).cast("d")[count:]

    def take(self, rate: Rate, name: Hashable, weight: int = 1) -> Refusal | None:
        """Take so much, or say why not. What is more than a bucket has room for takes all of a full one, and more."""
        # Workers are forks of one process, so they make the same hash of the same name.
        wanted, now = hash(name) & MASK or 1, monotonic()
        place = wanted % self._count
        if self._names[place] != wanted:
            place = self._place(wanted, now)
        full_at = self._full_at[place]
        if full_at <= now:
            full_at = now
        elif (wait_s := full_at - now + min(weight / rate.per_s - rate.window_s, 0.0)) > ROUNDING_S:
            return Refusal(max(int((rate.window_s + now - full_at + ROUNDING_S) * rate.per_s), 0), wait_s)
        self._full_at[place] = full_at + weight / rate.per_s
        return None

    def give_back(self, rate: Rate, name: Hashable, weight: int = 1) -> None:
        """So much was taken for nothing."""
        self._full_at[self._place(hash(name) & MASK or 1, monotonic())] -= weight / rate.per_s

    def _place(self, wanted: int, now: float) -> int:
        """Where a bucket is; one that is new gets the place of one that is full, or else of the fullest."""
        places = [(wanted + step) % self._count for step in range(PROBES)]
        for place in places:
            if self._names[place] == wanted:
                return place
        place = min(places, key=self._full_at.__getitem__)
        self._names[place] = wanted
        self._full_at[place] = now
        return place
