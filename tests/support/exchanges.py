"""Exchanges in one line each, for tables of test data. Money and rates are given as text."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random

from koshel.core.exchanging import Exchange

FLOOR = Decimal(-1000)  # of an exchange account that is opened
# The exchange accounts that books of tests have, or get, by currency.
ACCOUNTS = (("JPY", 93), ("KWD", 92), ("USD", 91), ("WEI", 94))
OF_OTHERS = (("JPY", 83), ("KWD", 82), ("USD", 81), ("WEI", 84))  # of ledger 2
RATES = ("0.5", "0.125", "1.000", "151.5", "1e-18", "999999999999999999")


def exchange(
    source: int,
    target: int,
    amount: str,
    gotten: str | None = None,
    *,
    rate: str | None = None,
    key: str | None = None,
    ledger_id: int = 1,
    accounts: tuple[tuple[str, int], ...] = ACCOUNTS,
) -> Exchange:
    """Money of one currency for `gotten` of another, or at a rate."""
    return Exchange(
        ledger_id,
        source,
        target,
        Decimal(amount),
        None if gotten is None else Decimal(gotten),
        None if rate is None else Decimal(rate),
        key,
        default_min_balance=FLOOR,
        exchange_accounts=accounts,
    )


def any_exchange(
    dice: Random, sides: tuple[int | None, int | None], amounts: Sequence[str], ledger_id: int
) -> Exchange:
    """At a rate or for an amount; account 1 is in the place of the world outside."""
    source, target, amount = sides[0] or 1, sides[1] or 1, dice.choice(amounts)
    accounts = ACCOUNTS if ledger_id == 1 else OF_OTHERS
    if dice.random() < 0.5:
        return exchange(source, target, amount, rate=dice.choice(RATES), ledger_id=ledger_id, accounts=accounts)
    return exchange(source, target, amount, dice.choice(amounts), ledger_id=ledger_id, accounts=accounts)
