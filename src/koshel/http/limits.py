"""How much a caller may ask for: rates of its key and of its ledger, and how many requests are under way at once.

What is too much is answered 429 `rate-limited`, with the fields of draft-ietf-httpapi-ratelimit-headers.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Literal, TypeAlias, TypeVar

from koshel.callers import Caller
from koshel.config.proxies import Proxies
from koshel.config.settings import Settings
from koshel.errors import Overloaded
from koshel.http.problems import Failure
from koshel.http.rests import SLOW_PER_S, Rests
from koshel.http.slots import EXTRA, Slots
from koshel.rates import Buckets, Rate, Refusal
from koshel.shares import Share
from koshel.telemetry import metrics

STREAMS_MAX = 16  # statements at once in a worker: they come in parts
SUMS_MAX = 2  # of whole ledgers, at once in a worker, for one share: each reads all accounts of a ledger

T = TypeVar("T")
Policy: TypeAlias = Literal["key", "ledger", "concurrency"]


class RateLimited(Failure):
    """More than a caller may ask for; nothing of it was done."""


class CallerLimits:
    """The limits of one worker; its buckets are all workers'. A limit that is 0 is none."""

    def __init__(self, settings: Settings, buckets: Buckets | None = None) -> None:
        window_s = settings.rate_window_s
        self._key = Rate(settings.rate_per_key, window_s) if settings.rate_per_key else None
        self._ledger = Rate(settings.rate_per_ledger, window_s) if settings.rate_per_ledger else None
        self._concurrency = settings.concurrency_per_key
        self._buckets = buckets or Buckets()
        self._under_way: Counter[Share] = Counter()
        self.rests = Rests()
        self.proxies = Proxies(settings.trusted_proxies)
        self.sums = _places_for_sums(settings.read_connections)
        self.streams = Slots(STREAMS_MAX)
        self.are_none = not (self._key or self._ledger or self._concurrency)

    async def within(self, caller: Caller, answer: Callable[[], Awaitable[T]]) -> T:
        """What `answer` returns or raises, as a request of the caller's. Raises Failure.

        A caller most of whose requests are too much waits before it is told.
        """
        try:
            self.enter(caller)
            try:
                return await answer()
            finally:
                self.leave(caller)
        except Overloaded:
            await self.rests.pause(caller.share, SLOW_PER_S)  # it is under way no more: nothing is done for it
            raise

    def enter(self, caller: Caller) -> None:
        """One more request of a caller begins. Raises Failure, and then it did not."""
        if self.are_none:
            return
        share = caller.share
        if self._concurrency and self._under_way[share] >= self._concurrency:
            raise _too_many(self._concurrency)
        self._charge(caller)
        self._under_way[share] += 1

    def leave(self, caller: Caller) -> None:
        """A request that began is over."""
        if self.are_none:
            return
        share = caller.share
        self._under_way[share] -= 1
        if not self._under_way[share]:
            del self._under_way[share]

    def take_back(self, caller: Caller) -> None:
        """A request that began is not answered here, and begins once more."""
        self.leave(caller)
        self._give_back(caller)

    def weigh(self, caller: Caller, weight: int) -> None:
        """A request that began counts as so many. Raises Failure."""
        self._give_back(caller)
        self._charge(caller, weight)

    def _give_back(self, caller: Caller) -> None:
        if self._ledger is not None:
            self._buckets.give_back(self._ledger, caller.ledger_id)
        if self._key is not None:
            self._buckets.give_back(self._key, caller.share)

    def _charge(self, caller: Caller, weight: int = 1) -> None:
        """Count so many requests of a caller. Raises Failure, and then nothing was counted."""
        ledger, key = self._ledger, self._key
        if ledger is not None and (refusal := self._buckets.take(ledger, caller.ledger_id, weight)) is not None:
            raise _refused("ledger", ledger, refusal)
        # Without keys a ledger has one caller, with the rate of a key.
        if key is not None and (refusal := self._buckets.take(key, caller.share, weight)) is not None:
            if ledger is not None:
                self._buckets.give_back(ledger, caller.ledger_id, weight)
            raise _refused("key", key, refusal)


def _places_for_sums(connections: int) -> Slots:
    """A sum keeps its connection for seconds, so one is always left for other reads, where there are two or more.

    Of the rest a share leaves one to another share, where there are two or more.
    """
    together = max(1, min(EXTRA * SUMS_MAX, connections - 1))
    return Slots(max(1, min(SUMS_MAX, together - 1)), together)


def _refused(policy: Policy, rate: Rate, refusal: Refusal) -> RateLimited:
    metrics.rate_limited(policy)
    seconds = ceil(refusal.wait_s)
    headers = {
        "Retry-After": str(seconds),
        "RateLimit": f'"{policy}";r={refusal.remaining};t={seconds}',
        "RateLimit-Policy": f'"{policy}";q={rate.quota};w={rate.window_s}',
    }
    detail = f"This {policy} may send {rate.per_s} requests a second, and {rate.quota} at once; nothing was done."
    return RateLimited("rate-limited", detail, headers, policy=policy)


def _too_many(most: int) -> RateLimited:
    metrics.rate_limited("concurrency")
    headers = {
        "RateLimit": '"concurrency";r=0',
        "RateLimit-Policy": f'"concurrency";q={most};qu="concurrent-requests"',
    }
    detail = f"This key may have {most} requests under way at once; nothing was done."
    return RateLimited("rate-limited", detail, headers, policy="concurrency")
