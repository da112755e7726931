"""Accounts, books and commands in one line each, for tables of test data. Money is given as text."""

from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation

from koshel.core.model import Account, Book, Kind, Metadata, Move

NOW = datetime(2026, 11, 22, 10, 35, tzinfo=UTC)
SCALES = {"JPY": 0, "USD": 2, "KWD": 3, "WEI": 18}
_exact = Context(prec=40, traps=[Inexact, InvalidOperation])


def account(
    account_id: int,
    balance: str,
    currency: str = "USD",
    *,
    held: str = "0",
    floor: str = "0",
    ceiling: str | None = "999999",
    version: int = 0,
    ledger_id: int = 1,
) -> Account:
    """An open account, its money with the decimals of its currency."""
    scale = SCALES[currency]
    return Account(
        ledger_id,
        account_id,
        currency,
        scale,
        scaled(balance, scale),
        scaled(held, scale),
        version,
        scaled(floor, scale),
        None if ceiling is None else scaled(ceiling, scale),
        "open",
    )


def scaled(amount: str, scale: int) -> Decimal:
    """The amount with exactly so many decimals; it must not need rounding."""
    return Decimal(amount).quantize(Decimal(1).scaleb(-scale), context=_exact)


def book(*accounts: Account) -> Book:
    """What a decision may look at."""
    return Book(NOW, {one.id: one for one in accounts}, {}, SCALES)


def payment(
    target: int, amount: str, *, key: str | None = None, ledger_id: int = 1, metadata: Metadata | None = None
) -> Move:
    """Money in."""
    return Move(ledger_id, Kind.PAYMENT, None, target, Decimal(amount), metadata or {}, key)


def withdrawal(
    source: int, amount: str, *, key: str | None = None, ledger_id: int = 1, metadata: Metadata | None = None
) -> Move:
    """Money out."""
    return Move(ledger_id, Kind.WITHDRAWAL, source, None, Decimal(amount), metadata or {}, key)


def transfer(
    source: int,
    target: int,
    amount: str,
    *,
    key: str | None = None,
    ledger_id: int = 1,
    metadata: Metadata | None = None,
) -> Move:
    """Money across."""
    return Move(ledger_id, Kind.TRANSFER, source, target, Decimal(amount), metadata or {}, key)
