"""Calls to the database that outlive who asked: a few at a time, each to its end in a task of its own.

    run ──▶ room? ──▶ a task: the call, to its end ──▶ the answer, or nobody who wants it
              └ none: wait, if not too many do, and not for too long; else Crowded, and nothing was done

Who hangs up while waiting for room has not asked. After that no cancellation reaches the driver: the call ends, its
answer is dropped. So there are never more such calls than there is room for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct

from koshel.db.errors import Crowded, DatabaseUnavailable, StoreError

T = TypeVar("T")


class CallLimits(Struct, frozen=True):
    """How many at once, how many may wait for them to end, and for how long."""

    running_max: int
    waiting_max: int  # each as often as it weighs
    wait_s: float


class Calls:
    """The calls that share some connections."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits
        self._room = asyncio.Semaphore(limits.running_max)
        self._waiting = 0  # their weights
        self._answered = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    async def run(self, call: Callable[[], Coroutine[Any, Any, T]], *, weight: int = 1) -> T:
        """What the call returns or raises. Raises Crowded, or DatabaseUnavailable if nobody gets an answer.

        `weight` is how many it counts as while it waits; what weighs more than one may take half of the places
        only, and one that weighs nothing, as what the house itself asks, always finds one.
        """
        await self._enter(weight)
        loop = asyncio.get_running_loop()
        task, ended = loop.create_task(call()), loop.create_future()
        self._tasks.add(task)
        task.add_done_callback(partial(self._leave, ended))
        await ended  # and not the task, which would be cancelled with who waits for it
        if task.cancelled():
            raise DatabaseUnavailable("the connections are being closed")
        return task.result()

    @property
    def waiting(self) -> int:
        """What waits for room, each as often as it weighs."""
        return self._waiting

    async def close(self, timeout_s: float) -> None:
        """Take no more, and give what is under way so much time to end."""
        self._is_closed = True
        if self._tasks:
            _, rest = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in rest:
                task.cancel()

    def check(self, weight: int) -> None:
        """Raise Crowded if a call that weighs so much would not even find a place to wait."""
        places = self._limits.waiting_max if weight == 1 else self._limits.waiting_max // 2
        if self._is_closed or (weight and self._room.locked() and self._waiting >= places):
            raise Crowded("too many wait for a connection")

    async def _enter(self, weight: int) -> None:
        """Return when there is room."""
        self.check(weight)
        if not self._room.locked():
            await self._room.acquire()  # which is at once
            return
        weight = min(weight, max(self._limits.waiting_max // 2, 1))
        answered = self._answered
        self._waiting += weight
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await self._room.acquire()
        except TimeoutError as error:
            if self._answered == answered:  # in all that time: then it is not the number of callers
                raise DatabaseUnavailable("no call is answered") from error
            raise Crowded("waited too long for a connection") from error
        finally:
            self._waiting -= weight

    def _leave(self, ended: "asyncio.Future[None]", task: "asyncio.Task[Any]") -> None:
        if not ended.done():
            ended.set_result(None)
        self._tasks.discard(task)
        self._room.release()
        # Asking for its exception also says that it was not overlooked, where its caller has left.
        if not task.cancelled() and not isinstance(task.exception(), StoreError):
            self._answered += 1
