"""Exchanging money: an amount in one currency for an amount in another, through the ledger's exchange accounts.

    source ──100.00 USD──▶ exchange:USD      exchange:EUR ──91.37 EUR──▶ target

Both happen or neither. These are four different accounts, so neither transaction changes what the other one may do.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from koshel.core import declined
from koshel.core.accounts import new_account
from koshel.core.commands import UNRESOLVED, EnsureAccount, Kind, Move
from koshel.core.exchanging import Exchange
from koshel.core.labelled import labels
from koshel.core.model import Account, Book, Declined, Grouped, Opened, Posted, Refusal
from koshel.core.money import CEILING, converted, rounded
from koshel.core.moves import SidePair, account, moved, unusable
from koshel.core.posting import post

EMAIL = "exchange@exchange.invalid"  # of an exchange account, which is no client's
_PRECEDENCE = {refusal: place for place, refusal in enumerate(Refusal)}


class Leg(NamedTuple):
    """One of the two transactions, before it is made."""

    source: Account
    target: Account
    amount: Decimal


class Middle(NamedTuple):
    """The exchange account of a currency, and its opening, if it was not there yet."""

    account: Account
    opened: Opened | None = None


def account_name(currency: str) -> str:
    """The name of a ledger's exchange account of this currency."""
    return f"exchange:{currency}"


def exchange(book: Book, command: Exchange) -> Grouped | Declined:
    """Both transactions, and before them the exchange accounts that were not there yet."""
    source = account(book, command, command.source_account_id)
    target = account(book, command, command.target_account_id)
    into, out_of = (None if one is None else _middle(book, command, one) for one in (source, target))
    for side, middle in ((source, into), (target, out_of)):
        if side and middle and side.currency != middle.account.currency:
            return declined.name_taken(command, middle.account, "currency")
    if refusal := _same_account(book, command, source, into) or _same_account(book, command, target, out_of):
        return refusal
    if source is None or into is None:
        return declined.account_not_found(command, "source")
    if target is None or out_of is None:
        return declined.account_not_found(command, "target")
    legs = _legs(command, (source, target), (into.account, out_of.account))
    if isinstance(legs, Declined):
        return legs
    sides = _moved(book, command, legs)
    if isinstance(sides, Declined):
        return sides
    # No refusal below this line.
    opened = [middle.opened for middle in (into, out_of) if middle.opened is not None]
    return Grouped(command, [*opened, *map(_posted, [book] * 2, [command] * 2, legs, sides)])


def _middle(book: Book, command: Exchange, side: Account) -> Middle | None:
    """The exchange account of the side's currency, as it stands or as it will be opened.

    None: the side is so new that it was not there when the exchange accounts were looked for.
    """
    id_ = dict(command.exchange_accounts).get(side.currency)
    if id_ is None:
        return None
    found = account(book, command, id_)
    if found is not None:
        return Middle(found)
    opening = EnsureAccount(
        command.ledger_id,
        account_name(side.currency),
        EMAIL,
        side.currency,
        command.default_min_balance,
        max_balance=None,
        metadata={},
        id=id_,
    )
    opened = new_account(opening, side.currency, side.scale, book.facts.now)
    return Middle(opened.account, opened)


def _same_account(book: Book, command: Exchange, side: Account | None, middle: Middle | None) -> Declined | None:
    """The refusal if source equals target, or if one of them is the exchange account of its own currency."""
    if command.source_account_id == command.target_account_id and (
        command.source_account_id != UNRESOLVED or command.source == command.target
    ):
        return declined.same_account(book, command, command.source_account_id, command.source or command.target)
    if side is not None and middle is not None and side.id == middle.account.id:
        return Declined(command, Refusal.SAME_ACCOUNT, declined.of_account(side))
    return None


def _legs(
    command: Exchange, sides: tuple[Account, Account], middles: tuple[Account, Account]
) -> tuple[Leg, Leg] | Declined:
    """What goes from where to where."""
    (source, target), (into, out_of) = sides, middles
    for side, middle in zip(sides, middles, strict=True):
        if side.scale != middle.scale:  # the currency had other decimals when the one was opened
            return declined.currency_mismatch(command, side, middle)
    if source.currency == target.currency:
        return declined.same_currency(command, source)
    given = rounded(command.source_amount, source.scale)
    if not 0 < given < CEILING:
        return declined.amount_out_of_range(command, source, given, field="source_amount")
    if command.rate is None:
        assert command.target_amount is not None, "either the rate is given or the amount"
        field, gotten = "target_amount", rounded(command.target_amount, target.scale)
    else:
        field, gotten = "rate", converted(given, command.rate, target.scale)
    if not 0 < gotten < CEILING:
        return declined.amount_out_of_range(command, target, gotten, field=field)
    return Leg(source, into, given), Leg(out_of, target, gotten)


def _moved(book: Book, command: Exchange, legs: tuple[Leg, Leg]) -> list[SidePair] | Declined:
    """The sides of both with the money moved. Of two refusals the one that comes first by precedence."""
    first, second = legs
    closed = [unusable(command, first.source, second.target), unusable(command, first.target, second.source)]
    if refusal := _first(closed):
        return refusal
    sides = [moved(book, command, *leg) for leg in legs]
    refusal = _first([one for one in sides if isinstance(one, Declined)])
    if refusal is not None and refusal.facts["account_id"] not in book.state.accounts:
        return declined.not_opened(refusal)
    return refusal or [one for one in sides if not isinstance(one, Declined)]


def _first(refusals: Sequence[Declined | None]) -> Declined | None:
    return min((one for one in refusals if one is not None), key=lambda one: _PRECEDENCE[one.refusal], default=None)


def _posted(book: Book, command: Exchange, leg: Leg, sides: SidePair) -> Posted:
    """A transfer like any other. The exchange's key is not its own."""
    move = Move(command.ledger_id, Kind.TRANSFER, leg.source.id, leg.target.id, leg.amount, **labels(command))
    return post(book, move, leg.source.currency, leg.amount, source=sides[0], target=sides[1])
