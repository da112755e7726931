"""A bank without a database: it settles commands such as `ab`, and others may have locked some of its accounts."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from koshel.batching.answering import Free, Way
from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.lane import Lane
from koshel.batching.waiting import BatcherLimits, Waiting

TIMEOUT_MS = 300
WAIT_S = 0.02  # what a batch waits for a lock


class Locked(Exception):
    """A lock was waited for in vain."""


NONE: AbstractSet[Hashable] = frozenset()


class Stopped(frozenset[Hashable]):
    """The lines that stop a command."""

    lasting = NONE


class Bank:
    """Settles commands such as `ab`, which need the rows `a` and `b`, or `aK`, which has the key `K`.

    Some are locked by others. A row can be found to be; a key can only be waited for.
    """

    def __init__(self, locked: str = "") -> None:
        self.locked = set(locked)
        self.settled: list[str] = []  # in the order in which it happened
        self.unlocked = asyncio.Event()
        self.in_the_air = 0
        self.most_in_the_air = 0
        self.poison: set[str] = set()
        self.hung_up: set[str] = set()
        self.stopped: dict[str, AbstractSet[Hashable]] = {}  # what waits in lanes, and the lines that have stopped it
        self.overtaken: list[tuple[str, str]] = []  # on a line that had stopped it

    def unlock(self, lines: str) -> None:
        self.locked -= set(lines)
        self.unlocked.set()
        self.unlocked.clear()

    async def settle(
        self,
        commands: Sequence[str],
        taken: AbstractSet[Hashable] = frozenset(),
        watched: AbstractSet[Hashable] = frozenset(),
    ) -> list[Any]:
        before = self._stopped_but(commands)
        free, _ = self._apart(commands, set(taken), watched)
        await self._wait({line for one in free for line in lines(one)})
        return await self._settle(commands, set(taken), watched, before)

    async def settle_free(
        self,
        way: Way,
        commands: Sequence[str],
        taken: AbstractSet[Hashable] = frozenset(),
        watched: AbstractSet[Hashable] | None = None,
    ) -> list[Any]:
        assert (watched is None) == (way is Way.NOT)
        before = self._stopped_but(commands)
        self.in_the_air += 1
        self.most_in_the_air = max(self.most_in_the_air, self.in_the_air)
        try:
            await asyncio.sleep(0)
            if way is Way.FIRST:
                free, _ = self._apart(commands, set(taken), watched)
                await self._wait({line for one in free for line in rows(one)})
            locked = {one for one in self.locked if one.islower()}
            return await self._settle(commands, taken | locked, watched, before)
        finally:
            self.in_the_air -= 1

    async def _settle(
        self,
        commands: Sequence[str],
        stopped: AbstractSet[Hashable],
        watched: AbstractSet[Hashable] | None,
        before: dict[str, AbstractSet[Hashable]],
    ) -> list[Any]:
        free, answers = self._apart(commands, set(stopped), watched)
        await self._wait({line for one in free for line in keys(one)})
        if bad := self.poison & {*free}:
            if len(commands) == 1:
                self.gone(*commands)
            raise ValueError(bad)
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, frozenset) and command not in self.hung_up:
                before[command] = self.stopped.get(command, frozenset()) | answer
            elif not isinstance(answer, frozenset):
                self._settled(command, before)
        return answers

    def _stopped_but(self, commands: Sequence[str]) -> dict[str, AbstractSet[Hashable]]:
        """What must not be overtaken by these, as far as it is known when they leave."""
        return {one: on for one, on in self.stopped.items() if one not in commands}

    def _settled(self, command: str, before: dict[str, AbstractSet[Hashable]]) -> None:
        earlier = [one for one, on in before.items() if number(one) < number(command) and on & lines(command)]
        self.overtaken += [(one, command) for one in earlier if one not in self.settled and one not in self.hung_up]
        self.stopped.pop(command, None)
        self.settled.append(command)

    def gone(self, command: str) -> None:
        """It has its answer, or nobody waits for that."""
        self.hung_up.add(command)
        self.stopped.pop(command, None)

    def _apart(
        self,
        commands: Sequence[str],
        stopped: set[Hashable],
        watched: AbstractSet[Hashable] | None,
    ) -> tuple[list[str], list[Any]]:
        """Those to settle; and the answers of all."""
        free: list[str] = []
        answers: list[Any] = []
        for command in commands:
            if stops := lines(command) & stopped:
                on = stops | keys(command)
                stopped |= on | (lines(command) if watched is None else lines(command) & watched)
                answers.append(Stopped(on))
                answers[-1].lasting = NONE if watched is None else on & self.locked
            else:
                free.append(command)
                answers.append(command.upper())
        return free, answers

    async def _wait(self, wanted: AbstractSet[Hashable]) -> None:
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(WAIT_S):
                while wanted & self.locked:
                    await self.unlocked.wait()
        except TimeoutError as error:
            raise Locked from error


def number(command: str) -> int:
    return int(command.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") or 0)


def lines(command: str) -> AbstractSet[Hashable]:
    return frozenset(command.rstrip("0123456789"))


def rows(command: str) -> AbstractSet[Hashable]:
    return frozenset(one for one in command if one.islower())


def keys(command: str) -> AbstractSet[Hashable]:
    return frozenset(one for one in command if one.isupper())


@asynccontextmanager
async def bank_of(bank: Bank, **limits: int) -> AsyncIterator[Batcher[str, str]]:
    enter = Lane.enter

    def entering(lane: Lane[str, str], one: Waiting[str, str], *, first: bool = False) -> None:
        if one.command not in bank.hung_up:
            bank.stopped[one.command] = one.lasting | lane.lasting & one.lines
        enter(lane, one, first=first)

    chosen = BatcherLimits(**{"lane_timeout_ms": TIMEOUT_MS, **limits})
    async with open_batcher(
        bank.settle,
        partition=lambda _: None,
        limits=chosen,
        free=Free(bank.settle_free, (Locked,), lines, keys, Locked),
    ) as batcher:
        with patch.object(Lane, "enter", entering):
            yield batcher
            await batcher.drain()


async def ask(batcher: Batcher[str, str], *commands: str) -> list[str | BaseException]:
    return await asyncio.gather(*(batcher.submit(one, size=1) for one in commands), return_exceptions=True)
