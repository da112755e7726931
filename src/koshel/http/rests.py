"""How long a connection rests after a refusal, before the next request of the same caller is looked at.

    the express lane    refuses, and then rests if the next request has the same credentials
    both lanes          of a request that nobody knows the sender of, rest before they refuse: by the client's address
    aiohttp             of what is too much, rests before it refuses: by the caller's share

A caller that repeats at once what was refused would otherwise take a processor for itself: to read a request costs a
good third of answering it. The more of a caller's requests are refused, over all its connections, the longer each
rests. So its refusals take a small part of the worker's time, however many connections it has.
"""

import asyncio
from typing import TypeAlias

from koshel.shares import Share

REST_S = 0.05  # at least
REST_MAX_S = 1.0  # what a `Retry-After` asks for, too
REFUSALS_PER_S = 500  # of one caller
SLOW_PER_S = 100  # of those that aiohttp reads: each takes several times as long
CALLERS_MAX = 1_000  # that are remembered, before those whose rest is over are forgotten

Credentials: TypeAlias = bytes | str | Share | None


class Rests:
    """Those of one worker. Times are the event loop's."""

    def __init__(self) -> None:
        self._next: dict[Credentials, float] = {}  # when the caller's next refusal is due

    def until(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S) -> float:
        """When a connection on which a request was refused may be asked again."""
        due = max(self._next.get(caller, now), now) + 1 / per_s
        if len(self._next) >= CALLERS_MAX and caller not in self._next:
            self._next = {known: until for known, until in self._next.items() if until > now}
            if len(self._next) >= CALLERS_MAX:  # a flood of callers: each has the shortest rest
                return now + REST_S
        self._next[caller] = min(due, now + REST_MAX_S)
        return max(self._next[caller], now + REST_S)

    def turn(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S) -> float:
        """When a refusal is due that has not been sent yet: the first one at once."""
        due = self._next.get(caller, now)
        self.until(caller, now, per_s)
        return max(due, now)

    async def pause(self, caller: Credentials, per_s: int = REFUSALS_PER_S) -> None:
        """Wait for that."""
        now = asyncio.get_running_loop().time()
        if (due := self.turn(caller, now, per_s)) > now:
            await asyncio.sleep(due - now)


class Rest:
    """That of one connection."""

    __slots__ = ("_refused", "until")

    def __init__(self) -> None:
        self.until = 0.0
        self._refused: Credentials = None

    def begin(self, caller: Credentials, until: float) -> None:
        """A request of the caller's was refused."""
        self._refused, self.until = caller, until

    def delays(self, caller: Credentials, now: float) -> bool:
        """Whether the next request waits. Not another caller's: a proxy sends those of many over one connection."""
        return self.until > now and caller == self._refused
