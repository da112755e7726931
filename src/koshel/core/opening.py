"""Opening an account: the currency and the limits that it will have for good."""

from decimal import Decimal

from msgspec import UNSET

from koshel.core.model import AccountDetails, Book, Declined, OpenAccount, Opened, Refusal
from koshel.core.money import rounded, rounded_limit


def currency_of(command: OpenAccount) -> str:
    """The currency asked for, or the default."""
    return command.default_currency if command.currency is UNSET else command.currency


def open_account(book: Book, command: OpenAccount) -> Opened | Declined:
    """An account without money, if its currency is known."""
    currency = currency_of(command)
    scale = book.scales.get(currency)
    if scale is None:
        return Declined(command, Refusal.UNKNOWN_CURRENCY, {"currency": currency})
    # No refusal below this line.
    limit = command.default_max_balance if command.max_balance is UNSET else command.max_balance
    account = AccountDetails(
        ledger_id=command.ledger_id,
        id=0,
        currency=currency,
        scale=scale,
        balance=rounded(Decimal(0), scale),
        held=rounded(Decimal(0), scale),
        version=0,
        min_balance=rounded_limit(command.min_balance, scale),
        max_balance=None if limit is None else rounded_limit(limit, scale),
        status="open",
        email=command.email,
        metadata=command.metadata,
        ctime=book.now,
    )
    return Opened(command, account)
