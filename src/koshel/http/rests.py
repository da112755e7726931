"""How long a connection rests after a refusal, before the next request of the same caller is looked at.

    the express lane    refuses, and then rests if the next request has the same credentials
    both lanes          of a request that nobody knows the sender of, rest before they refuse: by the client's address
    aiohttp             of what is too much, rests before it refuses: by the caller's share

A caller that repeats at once what was refused would otherwise take a processor for itself: to read a request costs a
good third of answering it. The more of a caller's requests are refused, over all its connections, the longer each
rests. So its refusals take a small part of the worker's time, however many connections it has.

Nobody waits longer than `REST_MAX_S`: a connection that waits takes a place of those that a worker may have. So more
connections are refused more often than their rate, but never as one burst; and if there are too many connections, those
that wait for a refusal because of a wrong key are the first to go. A key that is right waits for no refusal of another
connection, not even one that this process has never seen.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from math import ceil
from typing import TypeAlias

from koshel.shares import Share

REST_S = 0.05  # at least
REST_MAX_S = 1.0  # what a `Retry-After` asks for, too
REFUSALS_PER_S = 500  # of one caller
SLOW_PER_S = 100  # of those that aiohttp reads: each takes several times as long
UNKNOWN_PER_S = 250  # of requests that nobody knows the sender of, from one address
UNKNOWN_OF_ALL_PER_S = 500  # of these, from all addresses
FLOODS_S = 0.1  # an address whose refusals are due later than this floods: those of other addresses come first
TOGETHER_S = 0.05  # between their turns: to wake up for each alone takes longer than to refuse it
CALLERS_MAX = 1_000  # that are remembered, before those whose rest is over are forgotten

Credentials: TypeAlias = bytes | str | Share | None
Waits: TypeAlias = OrderedDict[object, None]  # connections; the one that waits longest is the first

_LEAST = 0.5  # of the longest rest: so far are those spread that would all end with it
_STEP = 0.618_034  # the golden ratio: however many steps are taken, they are spread evenly over 0 to 1


class Rests:
    """Those of one worker. Times are the event loop's."""

    def __init__(self) -> None:
        self._next: dict[Credentials, float] = {}  # when the caller's next refusal is due
        self._next_of_all = 0.0  # likewise, of senders whom nobody knows, whatever their addresses
        self._next_of_quiet = 0.0  # likewise, of addresses that do not flood
        self.waiting: Waits = OrderedDict()  # connections on which one of these refusals is not sent yet
        self._place = 0.0
        self._over = asyncio.Event()

    def until(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S) -> float:
        """When a connection on which a request was refused may be asked again."""
        return max(self._within(self._take(caller, now, per_s) + 1 / per_s, now), now + REST_S)

    def turn(self, caller: Credentials, now: float, per_s: int = REFUSALS_PER_S) -> float:
        """When a refusal is due that has not been sent yet: the first one at once."""
        return self._within(self._take(caller, now, per_s), now)

    def turn_of_unknown(self, address: Credentials, now: float) -> float:
        """When the refusal is due of a request that nobody knows the sender of.

        All addresses share a rate. Those that do not flood come first: they wait for each other only.
        """
        if self._over.is_set():
            return now
        due = self._take(address, now, UNKNOWN_PER_S)
        among_all = _due(self._next_of_all, now)
        self._next_of_all = among_all + 1 / UNKNOWN_OF_ALL_PER_S
        if due <= now + FLOODS_S:
            among_all = _due(self._next_of_quiet, now)
            self._next_of_quiet = among_all + 1 / UNKNOWN_OF_ALL_PER_S
        due = max(due, among_all)
        if address in self._next:  # whoever has some that wait for others' turns floods too
            self._next[address] = due + 1 / UNKNOWN_PER_S
        return due if due == now else ceil(self._within(due, now) / TOGETHER_S) * TOGETHER_S

    async def pause(self, caller: Credentials, per_s: int = REFUSALS_PER_S) -> None:
        """Wait for a caller's turn."""
        await self._wait(self.turn(caller, asyncio.get_running_loop().time(), per_s))

    async def pause_unknown(self, address: Credentials, connection: object) -> None:
        """Wait for the turn of a sender that nobody knows, whose request aiohttp has read."""
        self.waiting[connection] = None
        try:
            await self._wait(self.turn_of_unknown(address, asyncio.get_running_loop().time()))
        finally:
            self.waiting.pop(connection, None)

    def end(self) -> None:
        """The worker stops: nobody rests any longer."""
        self._over.set()

    async def _wait(self, due: float) -> None:
        if due > asyncio.get_running_loop().time():
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._over.wait()

    def _take(self, caller: Credentials, now: float, per_s: int) -> float:
        """When the caller's refusal is due, at most the longest rest from now; the next one is due after it."""
        due = _due(self._next.get(caller, now), now)
        if len(self._next) >= CALLERS_MAX and caller not in self._next:
            self._next = {known: until for known, until in self._next.items() if until > now}
            if len(self._next) >= CALLERS_MAX:  # a flood of callers: each has the shortest rest
                return now
        self._next[caller] = due + 1 / per_s
        return due

    def _within(self, due: float, now: float) -> float:
        """No later than the longest rest. What would end with that is spread: else a burst would come back as one."""
        if due < now + REST_MAX_S:
            return due
        self._place = (self._place + _STEP) % 1.0
        return now + REST_MAX_S * (_LEAST + (1 - _LEAST) * self._place)


def _due(earliest: float, now: float) -> float:
    return min(max(earliest, now), now + REST_MAX_S)


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
