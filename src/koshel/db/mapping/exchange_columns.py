"""The arrays of what is written of exchanges. No connection here."""

from collections.abc import Sequence

from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped
from koshel.db.mapping import columns
from koshel.db.mapping.posting_columns import transactions_of
from koshel.db.mapping.tables import EXCHANGE


def exchanges(made: Sequence[Grouped]) -> list[str]:
    """The arrays of `record_exchanges`, as text. The transactions of each have their ids."""
    return columns.arrays([*map(_row, made)], EXCHANGE)


def _row(one: Grouped) -> dict[str, object]:
    assert isinstance(one.command, Exchange)
    source, target = transactions_of(one)
    return {
        "ledger_id": one.command.ledger_id,
        "source_transaction_id": source.id,
        "target_transaction_id": target.id,
        "rate": one.command.rate,
    }
