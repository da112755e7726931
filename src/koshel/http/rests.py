"""How long a connection rests after a refusal, before the next request of the same caller is looked at.

    the express lane    refuses, and then rests if the next request has the same credentials
    both lanes          of a request that nobody knows the sender of, rest before they refuse: by the client's address
    aiohttp             of what is too much, rests before it refuses: by the caller's share

A caller that repeats at once what was refused would otherwise take a processor for itself: to read a request costs a
good third of answering it. The more of a caller's requests are refused, over all its connections, the longer each
rests. So its refusals take a small part of the worker's time, however many connections it has.

Whoever sends wrong keys waits the longest: nothing of a client's that counts depends on how soon it hears of it. A key
that is right waits for nobody, not even one that this process has never seen.
"""

import asyncio
from contextlib import suppress
from math import ceil
from typing import TypeAlias

from koshel.shares import Share

REST_S = 0.05  # at least
REST_MAX_S = 1.0  # what a `Retry-After` asks for, too
REFUSALS_PER_S = 500  # of one caller
SLOW_PER_S = 100  # of those that aiohttp reads: each takes several times as long
UNKNOWN_MAX_S = 10.0  # the most that a request waits to be refused whose sender nobody knows
UNKNOWN_PER_S = 250  # of these, from one address
UNKNOWN_OF_ALL_PER_S = 500  # from all addresses, and as many at once as in REST_MAX_S
TOGETHER_S = 0.05  # between their turns: to wake up for each alone takes longer than to refuse it
CALLERS_MAX = 1_000  # that are remembered, before those whose rest is over are forgotten

Credentials: TypeAlias = bytes | str | Share | None

_LEAST = 0.5  # of the longest rest: so far are those spread that would all end with it
_STEP = 0.618_034  # the golden ratio: however many steps are taken, they are spread evenly over 0 to 1


class Rests:
    """Those of one worker. Times are the event loop's."""

    def __init__(self) -> None:
        self._next: dict[Credentials, float] = {}  # when the caller's next refusal is due
        self._next_of_unknown = 0.0  # likewise, of senders whom nobody knows, whatever their addresses
        self._place = 0.0
        self._over = asyncio.Event()

    def until(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S, most_s: float = REST_MAX_S) -> float:
        """When a connection on which a request was refused may be asked again."""
        due = max(self._next.get(caller, now), now) + 1 / per_s
        if len(self._next) >= CALLERS_MAX and caller not in self._next:
            self._next = {known: until for known, until in self._next.items() if until > now}
            if len(self._next) >= CALLERS_MAX:  # a flood of callers: each has the shortest rest
                return now + REST_S
        self._next[caller] = min(due, now + most_s)
        return max(self._within(due, now, most_s), now + REST_S)

    def turn(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S, most_s: float = REST_MAX_S) -> float:
        """When a refusal is due that has not been sent yet: the first one at once."""
        due = self._next.get(caller, now)
        self.until(caller, now, per_s, most_s)
        return max(self._within(due + 1 / per_s, now, most_s) - 1 / per_s, now)

    def turn_of_unknown(self, address: Credentials, now: float) -> float:
        """When the refusal is due of a request that nobody knows the sender of.

        An address that is not refused often is refused at once, unless many others are too.
        """
        if self._over.is_set():
            return now
        due = self.turn(address, now, UNKNOWN_PER_S, UNKNOWN_MAX_S)
        if due - now <= REST_MAX_S:  # else it floods, and others notice nothing of it
            among_all = max(self._next_of_unknown, now) + 1 / UNKNOWN_OF_ALL_PER_S
            self._next_of_unknown = min(among_all, now + UNKNOWN_MAX_S)
            due = max(due, self._within(among_all - REST_MAX_S, now, UNKNOWN_MAX_S - REST_MAX_S))
        return due if due == now else ceil(due / TOGETHER_S) * TOGETHER_S

    async def pause(self, caller: Credentials, per_s: int = REFUSALS_PER_S) -> None:
        """Wait for a caller's turn."""
        await self._wait(self.turn(caller, asyncio.get_running_loop().time(), per_s))

    async def pause_unknown(self, address: Credentials) -> float:
        """Wait for the turn of a sender that nobody knows, whose request aiohttp has read; for how long, in seconds."""
        began = asyncio.get_running_loop().time()
        await self._wait(self.turn_of_unknown(address, began))
        return asyncio.get_running_loop().time() - began

    def end(self) -> None:
        """The worker stops: nobody rests any longer."""
        self._over.set()

    async def _wait(self, due: float) -> None:
        if due > asyncio.get_running_loop().time():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._over.wait()

    def _within(self, due: float, now: float, most_s: float) -> float:
        """No later than the longest rest. What would end with that is spread: else a burst would come back as one."""
        if due < now + most_s:
            return due
        self._place = (self._place + _STEP) % 1.0
        return now + most_s * (_LEAST + (1 - _LEAST) * self._place)


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
