"""Exchanges: what is asked for, which HTTP and the library build here, and what the library answers."""

from decimal import Decimal
from typing import Unpack

from msgspec import Struct

from koshel import results, values
from koshel.core import exchanging
from koshel.core.model import Grouped, Outcome, Posted
from koshel.labels import GivenLabels, given
from koshel.requests import Requests
from koshel.results import Transaction
from koshel.texts import GivenAccount, asked
from koshel.values import Given, Invalid


class Exchange(Struct, frozen=True, kw_only=True):
    """Money that was exchanged: two transfers, which happened together."""

    group_id: int | None  # that both have; None in a rehearsal
    rate: Decimal | None  # of the target's currency for one of the source's, if it was given
    source: Transaction  # from the source to the exchange account of its currency
    target: Transaction  # from the exchange account of its currency to the target


def exchange(
    requests: Requests,
    *,
    source: GivenAccount,
    target: GivenAccount,
    source_amount: Given,
    target_amount: Given | None,
    rate: Given | None,
    key: str | None,
    **labels: Unpack[GivenLabels],
) -> exchanging.Exchange:
    """`source_amount` for `target_amount`, or for what the `rate` makes of it. Raises Invalid."""
    if target_amount is None and rate is None:
        raise Invalid("target_amount", "is required, or else a rate")
    if target_amount is not None and rate is not None:
        raise Invalid("rate", "does not go with target_amount")
    (source_id, source_name), (target_id, target_name) = asked(source, "source"), asked(target, "target")
    return exchanging.Exchange(
        requests.ledger_id,
        source_id,
        target_id,
        values.amount(source_amount, "source_amount"),
        None if target_amount is None else values.amount(target_amount, "target_amount"),
        None if rate is None else values.amount(rate, "rate"),
        key,
        source_name,
        target_name,
        requests.terms.exchange_min_balance,
        **given(labels),
    )


def exchange_of(outcome: Outcome) -> Exchange:
    """What an exchange has answered. Raises Refused."""
    made = results.first_of(outcome)
    assert isinstance(made, Grouped)
    assert isinstance(made.command, exchanging.Exchange)
    source, target = (results.transaction(one) for one in made.outcomes if isinstance(one, Posted))
    return Exchange(group_id=made.group_id, rate=made.command.rate, source=source, target=target)
