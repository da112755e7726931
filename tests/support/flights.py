"""A `settle` that is as real to a batcher as any: it notes what flies together, and lands when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.waiting import BatcherLimits

Flights = list[list[str]]


class Outage(Exception):
    """Nobody's fault in the batch."""


class Settle:
    """Notes what flies together, and keeps it in the air while the runway is closed."""

    def __init__(self) -> None:
        self.flights: Flights = []
        self.in_the_air = 0
        self.most_in_the_air = 0
        self.runway = asyncio.Event()
        self.runway.set()

    async def __call__(self, commands: Sequence[str]) -> Sequence[str]:
        self.flights.append(list(commands))
        self.in_the_air += 1
        self.most_in_the_air = max(self.most_in_the_air, self.in_the_air)
        try:
            await self.runway.wait()
        finally:
            self.in_the_air -= 1
        if any("poison" in command for command in commands):
            raise ValueError(commands)
        if any("outage" in command for command in commands):
            raise Outage
        return [command.upper() for command in commands]


def open_queues(settle: Settle, **limits: int) -> AbstractAsyncContextManager[Batcher[str, str]]:
    """Partitioned by what stands before the colon."""
    return open_batcher(
        settle, partition=lambda command: command.rpartition(":")[0], limits=BatcherLimits(**limits), outages=(Outage,)
    )


def submit(batcher: Batcher[str, str], *commands: str, size: int = 1) -> "list[asyncio.Future[str]]":
    return [batcher.submit(command, size=size) for command in commands]


async def turn() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def grounded(settle: Settle, first: str = "first", **limits: int) -> AsyncIterator[Batcher[str, str]]:
    """A batcher with one flight in the air that does not land before the block ends."""
    async with open_queues(settle, **limits) as batcher:
        settle.runway.clear()
        answers = submit(batcher, first)
        await turn()
        assert settle.flights == [[first]]
        try:
            yield batcher
        finally:
            settle.runway.set()
        assert await answers[0] == first.upper()


def send(batcher: Batcher[str, str], command: str) -> "tuple[asyncio.Future[str], Callable[[], bool]]":
    """Its answer, and what takes it back."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return answer, batcher.send(command, answer, size=1).withdraw
