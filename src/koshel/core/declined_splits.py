"""The refusals of splits that others do not have, with the facts that explain them."""

from decimal import Decimal

from koshel.core.commands import Split
from koshel.core.declined import asked
from koshel.core.model import Account, Declined, Refusal
from koshel.core.money import minus, plain


def account_not_found(command: Split, at: str, account_id: int, name: str | None) -> Declined:
    """There is no account of this id, or of this name; `at` is where it was asked for, such as `targets/1/target`."""
    field = at if name is not None else f"{at}_account_id"
    return Declined(command, Refusal.ACCOUNT_NOT_FOUND, asked(account_id, name) | {"field": field})


def not_exact(command: Split, account: Account, amount: Decimal) -> Declined:
    """Once all is rounded to the currency's smallest unit, the legs do not add up to the amount."""
    facts: dict[str, str | int] = {"currency": account.currency, "scale": account.scale, "amount": plain(amount)}
    return Declined(command, Refusal.SPLIT_NOT_EXACT, facts)


def sources_short(command: Split, account: Account, spendable: Decimal, required: Decimal) -> Declined:
    """The sources of a split together cannot give that much."""
    facts: dict[str, str | int] = {
        "currency": account.currency,
        "available": plain(spendable),
        "required": plain(required),
        "missing": plain(minus(required, spendable)),
    }
    return Declined(command, Refusal.INSUFFICIENT_FUNDS, facts)
