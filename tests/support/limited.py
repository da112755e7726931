"""Limits by time in one line each, for tables of test data. Money is given as text."""

from decimal import Decimal
from typing import Any

from koshel.core.commands import ChangeAccount, OpenAccount
from koshel.core.turnovers import Limit, Period, Turnover


def limit(per: Period, out: str | None = None, in_: str | None = None) -> Limit:
    """How much may go out, and come in."""
    return Limit(per, *(None if most is None else Decimal(most) for most in (out, in_)))


def limiting(account_id: int, *limits: Limit, ledger_id: int = 1) -> ChangeAccount:
    """An account is given these limits, and no others."""
    return ChangeAccount(ledger_id, account_id, limits=limits)


# Limits, and an opening with some, that get in the way of small amounts.
LIMITS: list[tuple[Limit, ...]] = [
    (),
    (limit("1d", "2.5"),),
    (limit("1h", "3", "3.005"), limit("365d", None, "5")),
    (limit("7d", "0"), limit("30d", "1", "1")),
]
LIMITED = OpenAccount(1, "c@example.com", limits=(limit("1d", "2.505", "1e6"),))


def limited(scene: Any) -> None:
    """Nothing may move out of account 1 or 2 of the scene's book, or into them."""
    turnover = Turnover((), 0, {}, {}).given((limit("1d", "0", "0"),), 0)
    scene.book.state.turnovers |= dict.fromkeys((1, 2), turnover)
