"""The refusals of a move, each with the facts that explain it to its caller."""

from decimal import Decimal

from koshel.core.book import available, limit
from koshel.core.model import Account, Declined, Move, Refusal
from koshel.core.money import plain


def same_account(command: Move) -> Declined:
    """Source equals target."""
    assert command.source_account_id is not None
    return Declined(command, Refusal.SAME_ACCOUNT, {"account_id": command.source_account_id})


def account_not_found(command: Move, field: str, account_id: int) -> Declined:
    """`field` names the side that is missing."""
    return Declined(command, Refusal.ACCOUNT_NOT_FOUND, {"account_id": account_id, "field": field})


def currency_mismatch(command: Move, source: Account, target: Account) -> Declined:
    """The two accounts differ in currency."""
    facts = {"source_currency": source.currency, "target_currency": target.currency}
    return Declined(command, Refusal.CURRENCY_MISMATCH, facts)


def amount_out_of_range(command: Move, account: Account, amount: Decimal) -> Declined:
    """Rounded to the currency's smallest unit it is nothing, or has a digit too many."""
    facts: dict[str, str | int] = {"currency": account.currency, "scale": account.scale, "amount": plain(amount)}
    return Declined(command, Refusal.AMOUNT_OUT_OF_RANGE, facts)


def insufficient_funds(command: Move, source: Account, required: Decimal) -> Declined:
    """The source cannot spend that much."""
    facts: dict[str, str | int] = {
        "account_id": source.id,
        "currency": source.currency,
        "available": plain(available(source)),
        "required": plain(required),
    }
    return Declined(command, Refusal.INSUFFICIENT_FUNDS, facts)


def balance_limit_exceeded(command: Move, target: Account, amount: Decimal) -> Declined:
    """The target would pass its maximum."""
    facts: dict[str, str | int] = {
        "account_id": target.id,
        "currency": target.currency,
        "balance": plain(target.balance),
        "max_balance": plain(limit(target)),
        "amount": plain(amount),
    }
    return Declined(command, Refusal.BALANCE_LIMIT_EXCEEDED, facts)
