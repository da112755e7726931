"""The arrays of what is written of exchanges. No connection here."""

from collections.abc import Sequence

from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped
from koshel.db.mapping import columns
from koshel.db.mapping.tables import EXCHANGE, Column, Columns

# Which two transactions it is follows from the group that they have.
GIVEN: Columns = (EXCHANGE[0], Column("id", "bigint"), EXCHANGE[-1])


def exchanges(made: Sequence[Grouped]) -> list[str]:
    """The arrays of `post_groups` that say what was exchanged, as text. Its transactions come with the others."""
    return columns.arrays([*map(_row, made)], GIVEN) if made else [columns.NOTHING] * len(GIVEN)


def _row(one: Grouped) -> dict[str, object]:
    assert isinstance(one.command, Exchange)
    return {"ledger_id": one.command.ledger_id, "id": one.group_id, "rate": one.command.rate}
