"""Settle again: what another transaction got in the way of is tried again, a bounded number of times."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TypeVar

from koshel.core.apart import Line, Lines
from koshel.core.commands import Command
from koshel.core.model import Outcome
from koshel.db.errors import Conflict, cause_of
from koshel.db.settling.batches import Batches
from koshel.db.settling.claims import Claim
from koshel.db.settling.strangers import Patience
from koshel.settle import settle
from koshel.settle_free import settle_claim_free, settle_free
from koshel.telemetry import metrics

PAUSE_S = 0.005  # before the second attempt, doubled before each further one, times a random half to whole
ATTEMPTS_MAX = 5

T = TypeVar("T")


async def settle_again(
    batches: Batches,
    commands: Sequence[Command | Claim],
    *,
    attempts_max: int = ATTEMPTS_MAX,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[Outcome]:
    """Settle, and on a Conflict settle again. Raises StoreError, a Conflict after the last attempt."""
    return await _again(partial(settle, batches, commands), attempts_max, sleep)


async def settle_free_again(
    batches: Batches,
    commands: Sequence[Command],
    taken: AbstractSet[Line] = frozenset(),
    patience: Patience = Patience.NONE,
    watched: AbstractSet[Line] | None = None,
    *,
    attempts_max: int = ATTEMPTS_MAX,
) -> list[Outcome | Lines]:
    """As `settle_again`, by `settle_free`."""
    return await _again(partial(settle_free, batches, commands, taken, patience, watched), attempts_max, asyncio.sleep)


async def settle_claim_free_again(
    batches: Batches, claim: Claim, taken: AbstractSet[Line], patience: Patience
) -> dict[int, Lines]:
    """As `settle_again`, by `settle_claim_free`."""
    return await _again(partial(settle_claim_free, batches, claim, taken, patience), ATTEMPTS_MAX, asyncio.sleep)


async def _again(
    attempt: Callable[[], Awaitable[T]], attempts_max: int, sleep: Callable[[float], Awaitable[None]]
) -> T:
    for number in range(1, attempts_max):
        try:
            return await attempt()
        except Conflict as conflict:
            metrics.settled_again(cause_of(conflict))
            # Jitter: two batches that met once must not keep step and meet again.
            await sleep(PAUSE_S * 2**number * random.uniform(0.5, 1))
    return await attempt()
