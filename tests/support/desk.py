"""Calls as `Calls` runs them, which are answered when a test says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from koshel.db.sharing.calls import CallLimits, Calls
from koshel.shares import NOBODY, Neighbours, Share
from tests.support.flights import turn

LONG_S = 60
LIMITS = CallLimits(running_max=2, waiting_max=4, wait_s=LONG_S)


class Desk:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.opened = asyncio.Event()

    async def ask(self) -> int:
        """Which one it was."""
        self.begun += 1
        number = self.begun
        await self.opened.wait()
        self.ended += 1
        return number


@asynccontextmanager
async def busy(
    limits: CallLimits = LIMITS, *, share: Share = NOBODY, neighbours: Neighbours | None = None
) -> "AsyncIterator[tuple[Calls, Desk, list[asyncio.Task[int]]]]":
    """Calls with no room left; at the end everybody is answered."""
    calls, desk = Calls(limits, neighbours), Desk()
    first = [asyncio.create_task(calls.run(desk.ask, share=share)) for _ in range(limits.running_max)]
    await turn()
    assert desk.begun == limits.running_max
    try:
        yield calls, desk, first
    finally:
        desk.opened.set()
    await asyncio.wait(first)
