"""The book moves on: what an outcome does to the accounts, receipts and holds that later commands see."""

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from koshel.core.commands import Kind
from koshel.core.model import (
    Account,
    Book,
    Changed,
    Declined,
    Executed,
    Grouped,
    Opened,
    Original,
    Outcome,
    Posted,
    Queued,
    Refusal,
    Replayed,
)
from koshel.core.money import TOPS, ZEROS, minus, plus


def available(account: Account) -> Decimal:
    """What it can spend now."""
    return minus(minus(account.balance, account.held), account.min_balance)


def limit(account: Account) -> Decimal:
    """The highest balance it may have; without a limit of its own, what eighteen digits can say."""
    return TOPS[account.scale] if account.max_balance is None else account.max_balance


def after(book: Book, outcomes: Iterable[Outcome]) -> Book:
    """The book as these outcomes leave it; the given one stays as it was."""
    ahead = Book(
        book.now,
        book.accounts.copy(),
        book.receipts.copy(),
        book.scales,
        book.details.copy(),
        book.originals.copy(),
        book.holds.copy(),
        book.refunded.copy(),
        book.pending.copy(),
        book.currencies,
    )
    for outcome in outcomes:
        apply(ahead, outcome)
    return ahead


def adopt(book: Book, ahead: Book) -> None:
    """Move the book, in place, to where another is that was made of it."""
    for name in Book.__struct_fields__:
        setattr(book, name, getattr(ahead, name))


def apply(book: Book, outcome: Outcome) -> None:
    """Move the book past one outcome, in place."""
    match outcome:
        case Posted():
            _post(book, outcome)
            if outcome.key is not None:
                book.receipts[outcome.ledger_id, outcome.key] = outcome
        case Opened() | Queued() | Declined():
            remember(book, outcome)
        case Changed():
            book.accounts[outcome.account.id] = book.details[outcome.account.id] = outcome.account
            remember(book, outcome)
        case Executed():
            # Its key, if it had one, has answered when it was queued.
            _execute(book, outcome)
        case Grouped():
            for one in outcome.outcomes:
                apply(book, one)
            remember(book, outcome)
        case Replayed():
            pass
        case _:
            assert_never(outcome)


def remember(book: Book, outcome: Opened | Changed | Queued | Grouped | Declined) -> None:
    """What its key, if it has one, answers from now on."""
    if outcome.command.key is not None and is_remembered(outcome):
        book.receipts[outcome.command.ledger_id, outcome.command.key] = outcome


def _execute(book: Book, executed: Executed) -> None:
    """Its id has been known since it was queued, so later commands may refer to it."""
    id_, posted = executed.command.id, executed.outcome
    if isinstance(posted, Declined):
        book.pending[id_] = executed.command.ledger_id, "declined"
        return
    book.pending.pop(id_, None)
    book.originals[id_] = original(posted)
    book.refunded[id_] = minus(posted.amount, posted.amount)
    _post(book, posted)


def original(posted: Posted) -> Original:
    """The transaction as those see it that follow it."""
    return Original(
        posted.id,
        posted.ledger_id,
        posted.kind,
        posted.source_account_id,
        posted.target_account_id,
        posted.amount,
        posted.currency,
        posted.expires_at,
    )


def is_remembered(outcome: Opened | Changed | Queued | Grouped | Declined) -> bool:
    """Whether its key gives this answer from now on: not if the key already stands for another."""
    if outcome.command.key is None:
        return False
    return not isinstance(outcome, Declined) or outcome.refusal is not Refusal.IDEMPOTENCY_KEY_REUSED


def _post(book: Book, posted: Posted) -> None:
    if posted.source_version is not None:
        assert posted.source_account_id is not None
        _update(book, posted.source_account_id, posted.source_balance, posted.source_held, posted.source_version)
    if posted.target_version is not None:
        assert posted.target_account_id is not None
        _update(book, posted.target_account_id, posted.target_balance, posted.target_held, posted.target_version)
    if posted.rest is not None:
        _reserve(book, posted, posted.rest)
    if posted.kind is Kind.REFUND:
        assert posted.parent_id is not None
        book.refunded[posted.parent_id] = plus(book.refunded[posted.parent_id], posted.amount)


def _update(book: Book, account_id: int, balance: Decimal | None, held: Decimal | None, version: int) -> None:
    assert balance is not None
    old = book.accounts[account_id]
    # Field by field: several times faster than msgspec.structs.replace, and this is the hot path.
    book.accounts[account_id] = Account(
        old.ledger_id,
        old.id,
        old.currency,
        old.scale,
        balance,
        ZEROS[old.scale] if held is None else held,
        version,
        old.revision,
        old.min_balance,
        old.max_balance,
        old.status,
    )


def _reserve(book: Book, posted: Posted, rest: Decimal) -> None:
    """A hold and what follows it: what it reserves from now on."""
    if posted.parent_id is not None:
        book.holds[posted.parent_id] = rest or posted.kind
    elif posted.id:  # else nobody knows its id yet, so nothing can refer to it
        book.holds[posted.id] = rest
