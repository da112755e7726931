"""What is asked for where money of one currency is given for money of another."""

from decimal import Decimal
from typing import ClassVar

from koshel.core.labelled import Labelled


class Exchange(Labelled, frozen=True, gc=False, tag="exchange", omit_defaults=True):
    """Give `source_amount` of one currency for `target_amount` of another, or for what a rate says; one is None."""

    ledger_id: int
    source_account_id: int
    target_account_id: int
    source_amount: Decimal
    target_amount: Decimal | None = None
    rate: Decimal | None = None  # of the target's currency for one of the source's
    key: str | None = None
    source: str | None = None  # its name, if it was asked for by that
    target: str | None = None
    default_min_balance: Decimal = Decimal(0)  # of an exchange account that is opened
    exchange_accounts: tuple[tuple[str, int], ...] = ()  # (currency, id): `resolve` finds those that it may need
    atomic: ClassVar[bool] = True
    parent_id: ClassVar[None] = None

    @property
    def amount(self) -> Decimal:
        """What leaves the source."""
        return self.source_amount
