"""Calls to the database that outlive who asked: a few at a time, each to its end in a task of its own.

    run ──▶ room, and its turn? ──▶ a task: the call, to its end ──▶ the answer, or nobody who wants it
              └ neither: wait, if not too many do, and not for too long; else Crowded, and nothing was done

Who hangs up while waiting has not asked. After that no cancellation reaches the driver: the call ends, its answer is
dropped. So there are never more such calls than there is room for. Whose turn it is, `turns` knows: one that floods
waits for itself.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from msgspec import Struct

from koshel.db.errors import Crowded, DatabaseUnavailable, StoreError
from koshel.db.sharing.clocked import Clock, clocked
from koshel.db.sharing.turns import NEVER, Gate, Round, Turn, Waiting
from koshel.shares import NOBODY, Neighbours, Share

T = TypeVar("T")


class CallLimits(Struct, frozen=True):
    """How many at once, how many may wait for them to end, and for how long."""

    running_max: int
    waiting_max: int  # each as often as it weighs
    wait_s: float
    target_s: float = 1.0  # that one should wait at most: what would wait longer is refused at once


class _Running(Struct, eq=False):
    """A call that may run: whose, and what it takes."""

    share: Share
    weight: int
    turns: tuple[Turn, Turn]  # its ledger's and its key's
    clock: Clock


class Calls:
    """The calls that share some connections. `neighbours`: who else uses the worker, for other things too."""

    def __init__(self, limits: CallLimits, neighbours: Neighbours | None = None) -> None:
        self._limits = limits
        self._neighbours = neighbours or Neighbours()
        self._round = Round(limits.target_s)
        self._running = 0
        self._running_part = max(1, limits.running_max // 2)  # of a share beside others
        self._waiting = 0
        self._weight = 0  # of what waits
        self._answered = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._look: asyncio.TimerHandle | None = None
        self._looks_at = NEVER
        self._is_closed = False

    async def run(self, call: Callable[[], Coroutine[Any, Any, T]], *, weight: int = 1, share: Share = NOBODY) -> T:
        """What the call returns or raises. Raises Crowded, or DatabaseUnavailable if nobody gets an answer.

        `weight` is how many it counts as while it waits; what weighs more than one may take half of the places
        only, and one that weighs nothing, as what the service itself asks, always finds one.
        """
        loop = asyncio.get_running_loop()
        running = await self._enter(weight, share, loop)
        task, ended = loop.create_task(clocked(call(), running.clock)), loop.create_future()
        self._tasks.add(task)
        task.add_done_callback(partial(self._leave, ended, running))
        await ended  # and not the task, which would be cancelled with who waits for it
        if task.cancelled():
            raise DatabaseUnavailable("the connections are being closed")
        return task.result()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    async def close(self, timeout_s: float) -> None:
        """Take no more, and give what is under way so much time to end."""
        self._is_closed = True
        if self._tasks:
            _, rest = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in rest:
                task.cancel()

    def check(self, weight: int, share: Share = NOBODY) -> None:
        """Raise Crowded if a call that weighs so much would not even find a place to wait."""
        is_busy = self._running >= self._limits.running_max or self._waiting
        if self._is_closed or (weight and is_busy and not self._has_place(weight, share)):
            raise Crowded("too many wait for a connection")

    def _has_place(self, weight: int, share: Share) -> bool:
        """A share may take all places that there are, and all that its ledger's pace allows for.

        Beyond them only those have a place who have less than their equal part of it waiting.
        """
        ledger, key = self._round.both(share, asyncio.get_running_loop().time())
        keys = len(ledger.line)
        parts = keys + (not key.line)
        most = ledger.pace.limit
        places = most if weight == 1 else most // 2
        if ledger.weight >= places and (parts == 1 or key.weight * parts >= places or ledger.weight >= 2 * places):
            return False
        parts *= len(self._round) + (not keys)
        most = self._limits.waiting_max
        places = most if weight == 1 else most // 2
        return self._weight < places or (parts > 1 and key.weight * parts < places and self._weight < 2 * places)

    async def _enter(self, weight: int, share: Share, loop: asyncio.AbstractEventLoop) -> _Running:
        """Return when there is room, and it is the share's turn."""
        self.check(weight, share)
        now = loop.time()
        self._neighbours.saw((share,), now)
        if not self._waiting and self._running < self._limits.running_max:  # as nearly always
            both = self._round.both(share, now)
            if all(one.is_modest(now, self._running_part) for one in both):
                return self._begin(share, weight, both)
        one = Waiting(share, min(weight, max(self._limits.waiting_max // 2, 1)), loop.create_future())
        self._round.append(one, now)
        self._weight += one.weight
        self._waiting += 1
        self._begin_next(loop)
        if not one.granted.done():
            await self._wait(one, loop)
        running: _Running = one.granted.result()
        return running

    async def _wait(self, one: Waiting, loop: asyncio.AbstractEventLoop) -> None:
        answered = self._answered
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await asyncio.shield(one.granted)  # which else would be cancelled with who waits for it
        except BaseException as error:
            if one.granted.done():  # in the same moment: then it is another's turn
                self._end(one.granted.result(), loop)
            else:
                self._withdraw(one)
            if not isinstance(error, TimeoutError):
                raise
            if self._answered == answered:  # in all that time: then it is not the number of callers
                raise DatabaseUnavailable("no call is answered") from error
            raise Crowded("waited too long for a connection") from error

    def _begin_next(self, loop: asyncio.AbstractEventLoop) -> None:
        """Grant what there is room for to those whose turn it is."""
        while self._waiting and self._running < self._limits.running_max:
            gate = Gate(self._neighbours, self._running_part, loop.time())
            one = self._round.next(gate)
            if one is None:
                self._look_at(gate.opens_at, loop)
                return
            self._withdraw(one)
            one.granted.set_result(self._begin(one.share, one.weight, self._round.both(one.share, gate.now)))

    def _begin(self, share: Share, weight: int, turns: tuple[Turn, Turn]) -> _Running:
        for turn in turns:
            turn.running += 1
        self._running += 1
        return _Running(share, weight, turns, Clock())

    def _look_at(self, when: float, loop: asyncio.AbstractEventLoop) -> None:
        """Look again when the first of those that rest has rested."""
        if when < self._looks_at:
            if self._look is not None:
                self._look.cancel()
            self._looks_at, self._look = when, loop.call_at(when, self._look_again, loop)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looks_at, self._look = NEVER, None
        self._begin_next(loop)

    def _withdraw(self, one: Waiting) -> None:
        self._round.withdraw(one)
        self._weight -= one.weight
        self._waiting -= 1

    def _leave(self, ended: "asyncio.Future[None]", running: _Running, task: "asyncio.Task[Any]") -> None:
        if not ended.done():
            ended.set_result(None)
        self._tasks.discard(task)
        self._end(running, task.get_loop())
        # Asking for its exception also says that it was not overlooked, where its caller has left.
        if not task.cancelled() and not isinstance(task.exception(), StoreError):
            self._answered += 1

    def _end(self, running: _Running, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for turn in running.turns:
            turn.running -= 1
            turn.takes(running.clock.took_s, now)
        ledger = running.turns[0]
        if ledger.line:
            ledger.pace.ended(running.weight, now)
        self._running -= 1
        self._neighbours.saw((running.share,), now)
        self._begin_next(loop)
