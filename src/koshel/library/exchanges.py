"""Exchanges: what the library answers."""

from decimal import Decimal

from msgspec import Struct

from koshel.core import exchanging
from koshel.core.model import Grouped, Outcome, Posted
from koshel.library import results
from koshel.library.results import Transaction


class Exchange(Struct, frozen=True, kw_only=True):
    """Money that was exchanged: two transfers, which happened together."""

    group_id: int | None  # that both have; None in a rehearsal
    rate: Decimal | None  # of the target's currency for one of the source's, if it was given
    source: Transaction  # from the source to the exchange account of its currency
    target: Transaction  # from the exchange account of its currency to the target


def exchange_of(outcome: Outcome) -> Exchange:
    """What an exchange has answered. Raises Refused, Promised."""
    made = results.decided(outcome)
    assert isinstance(made, Grouped)
    return exchange(made)


def exchange(made: Grouped) -> Exchange:
    """The exchange, as the library shows it."""
    assert isinstance(made.command, exchanging.Exchange)
    source, target = (results.transaction(one) for one in made.outcomes if isinstance(one, Posted))
    return Exchange(group_id=made.group_id, rate=made.command.rate, source=source, target=target)
