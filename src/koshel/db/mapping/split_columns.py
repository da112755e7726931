"""The arrays of what is written of splits. No connection here."""

from collections.abc import Sequence

from koshel.core.commands import Split
from koshel.core.model import Grouped, Posted
from koshel.core.money import rounded, scale_of
from koshel.db.mapping import columns
from koshel.db.mapping.tables import SPLIT


def splits(made: Sequence[Grouped]) -> list[str]:
    """The arrays of `post_groups` that say what was split, as text. Its transactions come with the others."""
    return columns.arrays([*map(_row, made)], SPLIT) if made else [columns.NOTHING] * 3


def _row(one: Grouped) -> dict[str, object]:
    assert isinstance(one.command, Split)
    leg = next(leg for leg in one.outcomes if isinstance(leg, Posted))
    # Not the sum of the legs: `koshel verify` proves that they add up to what was asked for.
    amount = rounded(one.command.amount, scale_of(leg.amount))
    return {"ledger_id": one.command.ledger_id, "id": one.group_id, "amount": amount}
