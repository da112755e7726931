"""Many groups in one database transaction: while PostgreSQL writes one of them, the next is decided.

lock all ──▶ decide 1 ──▶ decide 2 ──▶ decide 3 ──▶
                └─ write 1 ──┴─ write 2 ──┴─ write 3 ──▶ write the accounts
"""

from koshel.core.decide import decide_in_turn
from koshel.core.model import Declined, Grouped
from koshel.db.settling.parts import Parts


class PartRefused(Exception):
    """One of the groups was refused: nothing of them may be committed."""


async def settle_parts(parts: Parts) -> list[Grouped]:
    """The outcomes of atomic groups of moves, final once they are committed. Raises StoreError, PartRefused."""
    try:
        return await _settle(parts)
    except BaseException:
        await parts.give_up()
        raise


async def _settle(parts: Parts) -> list[Grouped]:
    book, outcomes = await parts.lock_all(), list[Grouped]()
    for outcome in decide_in_turn(book, parts.groups):
        if isinstance(outcome, Declined):
            raise PartRefused
        assert isinstance(outcome, Grouped), "a group without a key is decided or declined"
        outcomes.append(outcome)
        await parts.write_part(outcome)
    await parts.finish()
    return outcomes
