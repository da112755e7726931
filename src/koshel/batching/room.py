"""What waits over all partitions, and whether more may: never more than twice the limits, and nobody takes all of it.

A share alone may fill the queue up to its limits. Beyond them only those have a place who have less than their part of
it waiting. So who floods is refused, and all others come in as if it were not there.
"""

from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

from msgspec import Struct

from koshel.batching.waiting import BatcherLimits, Waiting
from koshel.errors import Overloaded
from koshel.shares import Share

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")


class _Used(Struct):
    """What one share takes of the room."""

    count: int = 0
    weight: int = 0
    size: int = 0
    heavy: int = 0  # of the count


_NOTHING = _Used()


class Room:
    """The room of one batcher."""

    def __init__(self, limits: BatcherLimits) -> None:
        self._limits = limits
        self.weight = 0  # of what waits
        self._bytes = 0
        self._heavy_weight = 0  # of it, what is heavy
        self._heavy_bytes = 0
        self._apart_weight = 0  # of it, what is heavy and waits in lanes: these keep it within half of the limits
        self._apart_bytes = 0
        self._shares: dict[Share, _Used] = {}
        self._last: Share | None = None
        self._last_used: _Used | None = None  # of the last share that came, if it still waits
        self._houses: Counter[Hashable] = Counter()  # how many shares wait of each

    def check(self, share: Share, size: int, here: int, most: int) -> None:
        """Raise Overloaded if a light command has no place in a line of `here`, where `most` should wait at most."""
        limits = self._limits
        weight, bytes_ = self.weight - self._apart_weight, self._bytes - self._apart_bytes + size
        if weight < limits.queue_max and bytes_ <= limits.queue_bytes_max and here < most:
            return
        used, parts = self._shares.get(share, _NOTHING), self._parts(share)
        is_part = used.weight * parts < min(most, limits.queue_max)
        is_part = is_part and (used.size + size) * parts <= limits.queue_bytes_max
        if parts == 1 or not is_part or here >= 2 * most or self._is_past_all_bounds(size):
            raise Overloaded

    def check_heavy(self, share: Share, size: int, weight: int) -> None:
        """Raise Overloaded if a heavy command has no place."""
        limits = self._limits
        all_weight, all_bytes = self._heavy_weight + weight, self._heavy_bytes + size
        # The first always has a place: else what is larger than half of the queue could never come in.
        is_over = self._heavy_weight and (all_weight * 2 > limits.queue_max or all_bytes * 2 > limits.queue_bytes_max)
        if is_over or self.weight >= limits.queue_max or self._bytes + size > limits.queue_bytes_max:
            used = self._shares.get(share, _NOTHING)
            if self._parts(share) == 1 or used.heavy or self._is_past_all_bounds(size):
                raise Overloaded

    def enter(self, one: Waiting[CommandT, OutcomeT], *, is_heavy: bool, is_apart: bool = False) -> None:
        """It waits: there was a place, or it had one before. `is_apart`: it is heavy, and in a lane."""
        used = self._last_used if one.share is self._last else self._shares.get(one.share)
        if used is None:
            used = self._shares[one.share] = _Used()
            self._houses[one.share[0]] += 1
        self._last, self._last_used = one.share, used  # nearly always the next one's too
        used.count += 1
        used.weight += one.weight
        used.size += one.size
        self.weight += one.weight
        self._bytes += one.size
        if is_heavy:
            used.heavy += 1
            self._heavy_weight += one.weight
            self._heavy_bytes += one.size
        elif is_apart:
            self._apart_weight += one.weight
            self._apart_bytes += one.size

    def leave(
        self, share: Share, count: int, weight: int, size: int, *, is_heavy: bool, is_apart: bool = False
    ) -> None:
        """So many of a share wait no longer, of this weight and size."""
        used = self._shares[share]
        used.count -= count
        used.weight -= weight
        used.size -= size
        self.weight -= weight
        self._bytes -= size
        if is_heavy:
            used.heavy -= count
            self._heavy_weight -= weight
            self._heavy_bytes -= size
        elif is_apart:
            self._apart_weight -= weight
            self._apart_bytes -= size
        if not used.count:
            self._last = self._last_used = None
            del self._shares[share]
            self._houses[share[0]] -= 1
            if not self._houses[share[0]]:
                del self._houses[share[0]]

    @property
    def is_flooded(self) -> bool:
        """Whether one share has more light commands waiting than all others together."""
        light = [used.count - used.heavy for used in self._shares.values()]
        return 2 * max(light, default=0) > sum(light)

    def _parts(self, share: Share) -> int:
        """Into how many equal parts the room is divided: by houses, and its house by those who wait there."""
        house = share[0]
        houses, within = len(self._houses) + (house not in self._houses), self._houses.get(house, 0)
        return houses * (within + (share not in self._shares))

    def _is_past_all_bounds(self, size: int) -> bool:
        limits = self._limits
        return self.weight >= 2 * limits.queue_max or self._bytes + size > 2 * limits.queue_bytes_max
