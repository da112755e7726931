"""Settle again: what another transaction got in the way of is tried again, a bounded number of times."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from koshel.core.commands import Claim, Command
from koshel.core.model import Outcome
from koshel.db.batches import Batches
from koshel.db.errors import Conflict
from koshel.settle import settle

PAUSE_S = 0.005  # before the second attempt, doubled before each further one, times a random half to whole


async def settle_again(
    batches: Batches,
    commands: Sequence[Command | Claim],
    *,
    attempts_max: int = 5,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Outcome]:
    """Settle, and on a Conflict settle again. Raises StoreError, a Conflict after the last attempt."""
    for attempt in range(1, attempts_max):
        try:
            return await settle(batches, commands)
        except Conflict:
            # Jitter: two batches that met once must not keep step and meet again.
            await sleep(PAUSE_S * 2**attempt * random.uniform(0.5, 1))
    return await settle(batches, commands)
