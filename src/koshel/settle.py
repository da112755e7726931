"""One batch, one transaction: the architecture in ten lines. Read this first."""

from collections.abc import Sequence

from koshel.core.decide import decide
from koshel.core.model import Command, Outcome
from koshel.db.store import Store


async def settle(store: Store, commands: Sequence[Command]) -> list[Outcome]:
    """Lock, decide, write, commit. The outcomes are final when this returns. Raises StoreError."""
    async with store.batch() as batch:
        book = await batch.lock(commands)
        outcomes = decide(book, commands)
        await batch.write(outcomes)
    return outcomes
