"""A bank without a database: it settles commands such as `ab`, and others may have locked some of its accounts."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Any

from koshel.answering import Free
from koshel.batcher import Batcher, open_batcher
from koshel.queue import BatcherLimits

TIMEOUT_MS = 300
WAIT_S = 0.02  # what a batch waits for a lock


class Locked(Exception):
    """A lock was waited for in vain."""


class Bank:
    """Settles commands such as `ab`, which need the accounts `a` and `b`; some are locked by others."""

    def __init__(self, locked: str = "") -> None:
        self.locked = set(locked)
        self.settled: list[str] = []  # in the order in which it happened
        self.unlocked = asyncio.Event()
        self.in_the_air = 0
        self.most_in_the_air = 0

    def unlock(self, accounts: str) -> None:
        self.locked -= set(accounts)
        self.unlocked.set()
        self.unlocked.clear()

    async def settle(self, commands: Sequence[str], taken: AbstractSet[Hashable] = frozenset()) -> list[Any]:
        stopped, letters = set(taken), [frozenset(command.rstrip("0123456789")) for command in commands]
        await self._wait({letter for one in self._not(letters, stopped) for letter in one})
        return self._answers(commands, letters, set(taken))

    async def settle_free(
        self,
        commands: Sequence[str],
        taken: AbstractSet[Hashable] = frozenset(),
        wait_ms: int | None = None,
        *,
        first: bool = False,
    ) -> list[Any]:
        assert first == (wait_ms is not None)
        self.in_the_air += 1
        self.most_in_the_air = max(self.most_in_the_air, self.in_the_air)
        try:
            await asyncio.sleep(0)
            letters = [frozenset(command.rstrip("0123456789")) for command in commands]
            if first:
                await self._wait({letter for one in self._not(letters, set(taken)) for letter in one})
            return self._answers(commands, letters, set(self.locked) | taken)
        finally:
            self.in_the_air -= 1

    def _not(self, letters: list[frozenset[str]], stopped: set[Hashable]) -> list[frozenset[str]]:
        free = []
        for its in letters:
            if its & stopped:
                stopped |= its
            else:
                free.append(its)
        return free

    def _answers(self, commands: Sequence[str], letters: list[frozenset[str]], stopped: set[Hashable]) -> list[Any]:
        answers: list[Any] = []
        for command, its in zip(commands, letters, strict=True):
            if its & stopped:
                stopped |= its
                answers.append(its)
            else:
                answers.append(self._done(command))
        return answers

    def _done(self, command: str) -> str:
        self.settled.append(command)
        return command.upper()

    async def _wait(self, accounts: set[str]) -> None:
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(WAIT_S):
                while accounts & self.locked:
                    await self.unlocked.wait()
        except TimeoutError as error:
            raise Locked from error


@asynccontextmanager
async def bank_of(bank: Bank, **limits: int) -> AsyncIterator[Batcher[str, str]]:
    chosen = BatcherLimits(**{"lane_timeout_ms": TIMEOUT_MS, **limits})
    async with open_batcher(
        bank.settle, partition=lambda _: None, limits=chosen, free=Free(bank.settle_free, (Locked,))
    ) as batcher:
        yield batcher
