"""The arrays of what is written of exchanges. No connection here."""

from collections.abc import Mapping, Sequence
from typing import Any

from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped, Posted
from koshel.db.columns import arrays
from koshel.db.tables import EXCHANGE


def exchanges(made: Sequence[Grouped]) -> list[str]:
    """The arrays of `record_exchanges`, as text."""
    return arrays([_exchange(one) for one in made], EXCHANGE)


def _exchange(made: Grouped) -> Mapping[str, Any]:
    source, target = (one for one in made.outcomes if isinstance(one, Posted))
    assert isinstance(made.command, Exchange)
    return {
        "ledger_id": source.ledger_id,
        "source_transaction_id": source.id,
        "target_transaction_id": target.id,
        "rate": made.command.rate,
    }
