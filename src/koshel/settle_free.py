"""One batch, one transaction, as in `settle`; but others' locks stop only the commands that need them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from koshel.core.apart import Line, Lines
from koshel.core.commands import Command, Execute, Group
from koshel.core.decide import decide
from koshel.core.model import Outcome
from koshel.db.batch import Batches
from koshel.db.claims import Claim, Drain


async def settle_free(
    batches: Batches,
    commands: Sequence[Command | Claim],
    taken: AbstractSet[Line] = frozenset(),
    wait_ms: int | None = None,
    *,
    first: bool = False,
) -> list[Outcome | Lines]:
    """Settle the commands whose accounts nobody else has locked. Raises StoreError.

    A frozenset stands for a command that was put off: its accounts and its key. Nothing of it was done; the other
    outcomes are final. Commands on a line that is `taken` are put off. For `wait_ms` milliseconds locks are waited for,
    as `settle` does; with `first`, what is locked is waited for before anything else is locked. Raises Obstructed if
    that was too short.
    """
    async with batches.batch() as batch:
        resolved = await batch.resolve(commands)
        book, free = await batch.lock_free(resolved, taken, wait_ms, first=first)
        outcomes = decide(book, [one for one in free if not isinstance(one, frozenset)])
        written = iter(await batch.write(outcomes))
    return [one if isinstance(one, frozenset) else next(written) for one in free]


async def settle_claim_free(
    batches: Batches, claim: Drain, taken: AbstractSet[Line], wait_ms: int | None, *, first: bool = False
) -> dict[int, Lines]:
    """As `settle_free`, of queued transactions that are due; returns the lines of those that stay queued, by id."""
    async with batches.batch() as batch:
        (claimed,) = await batch.resolve([claim])
        assert isinstance(claimed, Group), "what is claimed comes as a group"
        book, free = await batch.lock_free(claimed.members, taken, wait_ms, first=first)
        await batch.write(decide(book, [one for one in free if not isinstance(one, frozenset)]))
    members = zip(claimed.members, free, strict=True)
    return {member.id: one for member, one in members if isinstance(one, frozenset) and isinstance(member, Execute)}
