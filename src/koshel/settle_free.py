"""One batch, one transaction, as in `settle`; but it waits for nobody's locks."""

from collections.abc import Sequence

from koshel.core.commands import Claim, Command
from koshel.core.decide import decide
from koshel.core.model import Outcome
from koshel.db.batches import Batches


async def settle_free(batches: Batches, commands: Sequence[Command | Claim]) -> list[Outcome | None]:
    """Settle the commands whose accounts nobody else has locked. Raises StoreError.

    None stands for a command that was put off: nothing of it was done. The other outcomes are final.
    """
    async with batches.batch() as batch:
        resolved = await batch.resolve(commands)
        book, free = await batch.lock_free(resolved)
        outcomes = decide(book, [command for command in free if command is not None])
        await batch.write(outcomes)
    decided = iter(outcomes)
    return [None if command is None else next(decided) for command in free]
