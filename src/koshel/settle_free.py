"""One batch, one transaction, as in `settle`; but others' locks stop only the commands that need them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Self

from koshel.core.apart import Line, Lines, PutOff
from koshel.core.commands import Command, Due, Execute, Group
from koshel.core.decide import decide
from koshel.core.model import Outcome
from koshel.db.settling.batches import Batches
from koshel.db.settling.claims import Claim, ClaimQueued
from koshel.db.settling.strangers import Patience
from koshel.outcomes import Outcomes


class Stopped(frozenset[Line]):
    """The lines that stop a command."""

    lasting: Lines  # of these, those that will for long

    def __new__(cls, on: Lines, lasting: Lines) -> Self:
        """Both."""
        made = super().__new__(cls, on)
        made.lasting = lasting
        return made


async def settle_free(
    batches: Batches,
    commands: Sequence[Command],
    taken: AbstractSet[Line] = frozenset(),
    patience: Patience = Patience.NONE,
    watched: AbstractSet[Line] | None = None,
) -> list[Outcome | Lines]:
    """Settle the commands whose accounts nobody else has locked. Raises StoreError.

    A frozenset stands for a command that was put off: the lines that stop it, and its key. Nothing of it was done; the
    other outcomes are final. Commands on a line that is `taken` are put off; for what is `watched` see `apart`. Raises
    Obstructed if something was waited for in vain; then nothing was done.
    """
    async with batches.batch() as batch:
        resolved = await batch.resolve(commands)
        book, free = await batch.lock_free(resolved, taken, patience, watched)
        outcomes = decide(book, [one for one in free if not isinstance(one, PutOff)])
        written = iter(await batch.write(outcomes))
    answers = [Stopped(one.on, one.lasting) if isinstance(one, PutOff) else next(written) for one in free]
    return Outcomes(answers, batch.id)


async def settle_claim_free(
    batches: Batches, claim: Claim, taken: AbstractSet[Line], patience: Patience
) -> dict[int, Lines]:
    """As `settle_free`, of what is due; returns the lines of what was put off, by id: it stays due.

    Queued transactions stay in their order, on all lines that they are on. Ends of holds have none.
    """
    in_order = isinstance(claim, ClaimQueued)
    async with batches.batch() as batch:
        (claimed,) = await batch.resolve([claim])
        assert isinstance(claimed, Group), "what is claimed comes as a group"
        book, free = await batch.lock_free(claimed.members, taken, patience, None if in_order else frozenset())
        await batch.write(decide(book, [one for one in free if not isinstance(one, PutOff)]))
    put_off: dict[int, Lines] = {}
    for member, one in zip(claimed.members, free, strict=True):
        assert isinstance(member, Execute | Due), "nothing else is claimed"
        if isinstance(one, PutOff):
            put_off[member.id if isinstance(member, Execute) else member.parent_id] = one.lines if in_order else one.on
    return put_off
