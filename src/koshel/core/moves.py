"""Moving money: a payment, a withdrawal, a transfer. And what every transaction asks of its two sides."""

from decimal import Decimal
from typing import TypeAlias

from koshel.core import declined, limits
from koshel.core.book import available, limit
from koshel.core.commands import UNRESOLVED, Command, Hold, Move, Refund, Split, Status
from koshel.core.exchanging import Exchange
from koshel.core.model import Account, Book, Declined, Posted
from koshel.core.money import CEILING, minus, plus, rounded
from koshel.core.posting import post, touched
from koshel.core.sides import Side

AccountPair: TypeAlias = tuple[Account | None, Account | None]  # source and target; None: the world outside
SidePair: TypeAlias = tuple[Side | None, Side | None]

_OPEN = Status.OPEN.value


def move(book: Book, command: Move) -> Posted | Declined:
    """The money on the other side, if one can spend it and the other take it."""
    accounts = named(book, command)
    if not isinstance(accounts, tuple):  # a refusal: to ask for what it nearly never is would be slow
        return accounts
    source, target = accounts
    one = source or target
    assert one is not None, "a move has at least one side"
    amount = rounded(command.amount, one.scale)
    if not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, one, amount)
    if refusal := unusable(command, source, target):
        return refusal
    sides = moved(book, command, source, target, amount)
    if not isinstance(sides, tuple):
        return sides
    # No refusal below this line.
    return post(book, command, one.currency, amount, source=sides[0], target=sides[1])


def moved(
    book: Book,
    command: Move | Refund | Split | Exchange,
    source: Account | None,
    target: Account | None,
    amount: Decimal,
) -> SidePair | Declined:
    """Both sides with the amount moved, if the source can spend it and the target take it."""
    debited = credited = None
    if source is not None:
        if amount > available(source):
            return declined.insufficient_funds(command, source, amount)
        debited = touched(source, minus(source.balance, amount), source.held)
        assert source.min_balance <= debited.balance < source.balance
    if target is not None:
        credited = touched(target, plus(target.balance, amount), target.held)
        if credited.balance > limit(target):
            return declined.balance_limit_exceeded(command, target, amount)
        assert target.balance < credited.balance
    if book.state.turnovers and (refusal := limits.exceeded(book, command, source, target, amount)):
        return refusal
    return debited, credited


def named(book: Book, command: Move | Hold) -> AccountPair | Declined:
    """The accounts that a command names, if they are there and in one currency."""
    if command.source_account_id == command.target_account_id and (
        command.source_account_id != UNRESOLVED or command.source == command.target
    ):
        return declined.same_account(book, command, command.source_account_id, command.source or command.target)
    source = account(book, command, command.source_account_id)
    if source is None and command.source_account_id is not None:
        return declined.account_not_found(command, "source")
    target = account(book, command, command.target_account_id)
    if target is None and command.target_account_id is not None:
        return declined.account_not_found(command, "target")
    if source and target and (source.currency != target.currency or source.scale != target.scale):
        return declined.currency_mismatch(command, source, target)
    return source, target


def account(book: Book, command: Command, account_id: int | None) -> Account | None:
    """The account, if it is in the command's own ledger: another ledger's account does not exist."""
    found = book.state.accounts.get(account_id) if account_id is not None else None
    return found if found is not None and found.ledger_id == command.ledger_id else None


def unusable(command: Command, source: Account | None, target: Account | None) -> Declined | None:
    """The refusal if either side lets no money in or out."""
    if (source is None or source.status == _OPEN) and (target is None or target.status == _OPEN):
        return None
    if source and source.status == Status.CLOSED:
        return declined.account_closed(command, source)
    if target and target.status == Status.CLOSED:
        return declined.account_closed(command, target)
    if source and source.status == Status.FROZEN:
        return declined.account_frozen(command, source)
    assert target is not None, "one of the two is not open"
    return declined.account_frozen(command, target)
