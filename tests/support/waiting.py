"""Waiting for something to become true, within a bound; never a fixed sleep."""

import asyncio
import time
from collections.abc import Callable

TRUE_WITHIN_S = 60
PAUSE_S = 0.02


async def until(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds. It may block: it is asked in a thread."""
    deadline = time.monotonic() + TRUE_WITHIN_S
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"in vain: {what}"
        await asyncio.sleep(PAUSE_S)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """The same, outside a loop."""
    deadline = time.monotonic() + TRUE_WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(PAUSE_S)
