"""The arrays of what is written of splits. No connection here."""

from collections.abc import Sequence

from koshel.core.commands import Split
from koshel.core.model import Grouped
from koshel.core.money import rounded, scale_of
from koshel.db.mapping import columns
from koshel.db.mapping.posting_columns import transactions_of
from koshel.db.mapping.tables import SPLIT


def splits(made: Sequence[Grouped]) -> list[str]:
    """The arrays of `record_splits`, as text. Each has its id, and its transactions theirs."""
    return columns.arrays([*map(_row, made)], SPLIT)


def _row(one: Grouped) -> dict[str, object]:
    assert isinstance(one.command, Split)
    legs = transactions_of(one)
    return {
        "ledger_id": one.command.ledger_id,
        "id": one.group_id,
        # Not the sum of the legs: `koshel verify` proves that they add up to what was asked for.
        "amount": rounded(one.command.amount, scale_of(legs[0].amount)),
        "transaction_ids": columns.ids(leg.id for leg in legs),
    }
