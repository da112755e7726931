"""Verifications of JWTs, one after the other, with no more than a part of the worker's time.

Each takes about 0.2 ms of the processor, and most of that in Python, with its lock held: in a thread it would hold the
others up as well. So wrong JWTs, however many, delay those that are new, and nobody whose JWT or key is known.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from koshel.access.jwts import Claims
from koshel.errors import Overloaded

WAITING_MAX = 500  # which takes about half a second
SHARE = 0.2  # of the worker's time
AHEAD_MAX_S = 0.02  # by which they may exceed their share: a few that come together do not wait for it


class _Waiting(NamedTuple):
    work: Callable[[], Claims]
    done: "asyncio.Future[Claims]"


class Verifications:
    """Those of one worker, by the digest of what is verified: nothing is verified twice at once."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Waiting] = {}
        self._task: asyncio.Task[None] | None = None
        self._share_until = 0.0  # up to when their share of the time is used up

    def check(self, digest: bytes) -> None:
        """Raise Overloaded if there is no place for it."""
        if len(self._waiting) >= WAITING_MAX and digest not in self._waiting:
            raise Overloaded

    async def verify(self, digest: bytes, work: Callable[[], Claims]) -> Claims:
        """What the work returns, or raises; in its turn. Raises Overloaded."""
        waiting = self._waiting.get(digest)
        if waiting is None:
            self.check(digest)
            loop = asyncio.get_running_loop()
            waiting = self._waiting[digest] = _Waiting(work, loop.create_future())
            if self._task is None:
                self._task = loop.create_task(self._run())
        return await asyncio.shield(waiting.done)  # others may wait for it too

    async def _run(self) -> None:
        while self._waiting:
            ahead_s = self._share_until - time.monotonic()
            await asyncio.sleep(ahead_s if ahead_s > AHEAD_MAX_S else 0)
            began = time.monotonic()
            self._do(next(iter(self._waiting)))
            took_s = time.monotonic() - began
            self._share_until = max(self._share_until, began) + took_s / SHARE
        self._task = None

    def _do(self, digest: bytes) -> None:
        work, done = self._waiting.pop(digest)
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait get it
            done.set_exception(error)
            done.exception()  # it is not overlooked where everybody who waited has left

    async def close(self) -> None:
        """Nobody gets an answer any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiting in self._waiting.values():
            waiting.done.cancel()
