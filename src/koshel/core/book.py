"""The book moves on: what an outcome does to the accounts and receipts that later commands see."""

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from koshel.core.model import Account, Book, Declined, First, Opened, Outcome, Posted, Refusal, Replayed
from koshel.core.money import CEILING, minus


def available(account: Account) -> Decimal:
    """What it can spend now."""
    return minus(minus(account.balance, account.held), account.min_balance)


def limit(account: Account) -> Decimal:
    """The highest balance it may have; without a limit of its own, what eighteen digits can say."""
    return CEILING - 1 if account.max_balance is None else account.max_balance


def after(book: Book, outcomes: Iterable[Outcome]) -> Book:
    """The book as these outcomes leave it; the given one stays as it was."""
    ahead = Book(book.now, dict(book.accounts), dict(book.receipts), book.scales)
    for outcome in outcomes:
        apply(ahead, outcome)
    return ahead


def apply(book: Book, outcome: Outcome) -> None:
    """Move the book past one outcome, in place."""
    match outcome:
        case Posted():
            _update(book, outcome.source_account_id, outcome.source_balance, outcome.source_version)
            _update(book, outcome.target_account_id, outcome.target_balance, outcome.target_version)
            _remember(book, outcome.ledger_id, outcome.key, outcome)
        case Opened() | Declined():
            if is_remembered(outcome):
                _remember(book, outcome.command.ledger_id, outcome.command.key, outcome)
        case Replayed():
            pass
        case _:
            assert_never(outcome)


def is_remembered(outcome: Opened | Declined) -> bool:
    """Whether its key gives this answer from now on: not if the key already stands for another."""
    if outcome.command.key is None:
        return False
    return isinstance(outcome, Opened) or outcome.refusal is not Refusal.IDEMPOTENCY_KEY_REUSED


def _update(book: Book, account_id: int | None, balance: Decimal | None, version: int | None) -> None:
    if account_id is None:
        return
    assert balance is not None
    assert version is not None
    old = book.accounts[account_id]
    # Field by field: several times faster than msgspec.structs.replace, and this is the hot path.
    book.accounts[account_id] = Account(
        old.ledger_id,
        old.id,
        old.currency,
        old.scale,
        balance,
        old.held,
        version,
        old.min_balance,
        old.max_balance,
        old.status,
    )


def _remember(book: Book, ledger_id: int, key: str | None, first: First) -> None:
    if key is not None:
        book.receipts[ledger_id, key] = first
