"""Books to test on: a few accounts and transactions, settled by the service's own code."""

from collections.abc import Sequence
from decimal import Decimal

import psycopg

from koshel.core.model import Command, Kind, Move, OpenAccount, Outcome
from koshel.db.store import Store
from koshel.settle import settle

LEDGER = 1


def opening(
    currency: str = "USD", *, key: str | None = None, min_balance: str = "0", ledger_id: int = LEDGER
) -> Command:
    """Open an account."""
    return OpenAccount(ledger_id, "ann@example.com", currency, Decimal(min_balance), None, key=key)


def move(source: int | None, target: int | None, amount: str, *, key: str | None = None) -> Command:
    """Move money; None is the world outside."""
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return Move(LEDGER, kind, source, target, Decimal(amount), key=key)


async def keep_books(store: Store) -> Sequence[Outcome]:
    """Accounts 1, 2 (USD) and 3 (JPY); transactions 1 to 5 in two batches; keys `opened` and `paid`."""
    await settle(store, [opening(key="opened"), opening(min_balance="-50"), opening("JPY")])
    first = await settle(store, [move(None, 1, "100", key="paid"), move(1, 2, "30"), move(None, 3, "500")])
    second = await settle(store, [move(2, None, "12.50"), move(1, 2, "7.05")])
    return [*first, *second]


def execute(url: str, *statements: str) -> None:
    """Run statements as whoever the URL says, in one transaction."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
