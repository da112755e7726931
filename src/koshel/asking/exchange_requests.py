"""The requests for exchanges: money of one currency for money of another."""

from typing import Unpack

from koshel.asking.split_requests import SplitRequests
from koshel.core.exchanging import Exchange
from koshel.inputs import values
from koshel.inputs.labels import GivenLabels, given
from koshel.inputs.texts import GivenAccount, asked
from koshel.inputs.values import Given, Invalid


class ExchangeRequests(SplitRequests):
    """The requests for exchanges in one ledger. Each method raises Invalid for a value that can never be right."""

    def exchange(
        self,
        *,
        source: GivenAccount,
        target: GivenAccount,
        source_amount: Given,
        target_amount: Given | None = None,
        rate: Given | None = None,
        key: str | None = None,
        **labels: Unpack[GivenLabels],
    ) -> Exchange:
        """`source_amount` for `target_amount`, or for what the `rate` makes of it.

        `labels` are `metadata`, `reference`, `description` and `effective_on`.
        """
        if target_amount is None and rate is None:
            raise Invalid("target_amount", "is required, or else a rate")
        if target_amount is not None and rate is not None:
            raise Invalid("rate", "does not go with target_amount")
        (source_id, source_name), (target_id, target_name) = asked(source, "source"), asked(target, "target")
        return Exchange(
            self.ledger_id,
            source_id,
            target_id,
            values.amount(source_amount, "source_amount"),
            None if target_amount is None else values.amount(target_amount, "target_amount"),
            None if rate is None else values.amount(rate, "rate"),
            key,
            source_name,
            target_name,
            self.terms.exchange_min_balance,
            **given(labels),
        )
