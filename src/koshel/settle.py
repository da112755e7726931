"""One batch, one transaction: the architecture in ten lines. Read this first."""

from collections.abc import Sequence

from koshel.core.commands import Command
from koshel.core.decide import decide
from koshel.core.model import Outcome
from koshel.db.settling.batches import Batches
from koshel.db.settling.claims import Claim


async def settle(batches: Batches, commands: Sequence[Command | Claim]) -> list[Outcome]:
    """Resolve, lock, decide, write, commit. The outcomes are final when this returns. Raises StoreError."""
    async with batches.batch() as batch:
        resolved = await batch.resolve(commands)
        book = await batch.lock(resolved)
        outcomes = decide(book, resolved)
        return await batch.write(outcomes)
