"""Which transactions hold accounts for long: somebody else's, that no batch should wait for."""

import time
from collections.abc import Callable, Iterable

LASTS_S = (
    0.03  # from the first sight of a transaction to the last: no batch of ours takes so long to end, or hardly any
)
FORGOTTEN_S = 1.0  # after the last sight


class Holders:
    """Transactions by their id, as rows show it that they have locked; and when they were seen at it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[float, float]] = {}  # the first and the last time

    def saw(self, transactions: Iterable[int]) -> None:
        """These hold locks that were waited for."""
        now = self._clock()
        self._seen = {one: times for one, times in self._seen.items() if now - times[1] < FORGOTTEN_S}
        for one in transactions:
            self._seen[one] = self._seen.get(one, (now, now))[0], now

    def lasting(self) -> list[int]:
        """Those that have held a lock for long, and most likely still do. Nearly always none."""
        if not self._seen:
            return []
        now = self._clock()
        return [
            one for one, (first, last) in self._seen.items() if last - first >= LASTS_S and now - last < FORGOTTEN_S
        ]
