"""decide: accounts + commands → outcomes. Pure: the same arguments give the same answer.

The law: `decide(book, a + b) == decide(book, a) + decide(after(book, decide(book, a)), b)`.
Where one batch ends and the next begins never changes an answer.
"""

from collections.abc import Sequence
from typing import assert_never

from koshel.core import declined
from koshel.core.book import after, apply, available, limit
from koshel.core.model import Account, Book, Command, Declined, Move, OpenAccount, Outcome, Posted
from koshel.core.money import CEILING, minus, plus, rounded
from koshel.core.opening import open_account
from koshel.core.receipts import replay


def decide(book: Book, commands: Sequence[Command]) -> list[Outcome]:
    """One outcome for each command, in order; each sees the effects of those before it."""
    ahead = after(book, ())
    outcomes = []
    for command in commands:
        outcome = replay(ahead, command) or _decide_one(ahead, command)
        apply(ahead, outcome)
        outcomes.append(outcome)
    return outcomes


def _decide_one(book: Book, command: Command) -> Outcome:
    match command:
        case Move():
            return _move(book, command)
        case OpenAccount():
            return open_account(book, command)
        case _:
            assert_never(command)


def _move(book: Book, command: Move) -> Posted | Declined:
    if command.source_account_id == command.target_account_id:
        return declined.same_account(command)
    source = _account(book, command, command.source_account_id)
    if source is None and command.source_account_id is not None:
        return declined.account_not_found(command, "source_account_id", command.source_account_id)
    target = _account(book, command, command.target_account_id)
    if target is None and command.target_account_id is not None:
        return declined.account_not_found(command, "target_account_id", command.target_account_id)
    if source and target and (source.currency != target.currency or source.scale != target.scale):
        return declined.currency_mismatch(command, source, target)
    one = source or target
    assert one is not None, "a move has at least one side"
    amount = rounded(command.amount, one.scale)
    if not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, one, amount)
    if source and amount > available(source):
        return declined.insufficient_funds(command, source, amount)
    if target and plus(target.balance, amount) > limit(target):
        return declined.balance_limit_exceeded(command, target, amount)
    # No refusal below this line.
    source_balance = minus(source.balance, amount) if source else None
    target_balance = plus(target.balance, amount) if target else None
    assert source is None or source_balance is None or source_balance >= source.min_balance
    assert target is None or target_balance is None or target.balance < target_balance <= limit(target)
    return Posted(
        ledger_id=command.ledger_id,
        kind=command.kind,
        source_account_id=command.source_account_id,
        target_account_id=command.target_account_id,
        amount=amount,
        currency=one.currency,
        source_balance=source_balance,
        target_balance=target_balance,
        source_version=source.version + 1 if source else None,
        target_version=target.version + 1 if target else None,
        metadata=command.metadata,
        key=command.key,
        ctime=book.now,
    )


def _account(book: Book, command: Move, account_id: int | None) -> Account | None:
    """The account, if it is in the command's own ledger: another ledger's account does not exist."""
    account = book.accounts.get(account_id) if account_id is not None else None
    return account if account is not None and account.ledger_id == command.ledger_id else None
