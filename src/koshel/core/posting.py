"""A transaction, made in one place, whatever asked for it."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from koshel.core.commands import Due, Execute, Move, Request
from koshel.core.model import Account, Book, Declined, Grouped, Posted
from koshel.core.originals import Original
from koshel.core.sides import Named, Side


def post(
    book: Book,
    command: Request | Due,
    currency: str,
    amount: Decimal,
    *,
    source: Side | None,
    target: Side | Named | None,
    expires_at: datetime | None = None,
    capture_at: datetime | None = None,
    rest: Decimal | None = None,
    original: Original | None = None,
) -> Posted:
    """The transaction of a command, with its sides as they stand after it. `original`: what it follows, if it does."""
    reference = command.reference
    if original is not None and reference is None:
        reference = original.reference
    # Not by name, and nothing copied by name either: that would take up to 2 µs more, of some 4 for a whole decision.
    return Posted(
        command.ledger_id,
        command.kind,
        source,
        target,
        amount,
        currency,
        command.key,
        book.facts.now,
        command.parent_id,
        _request(command),
        expires_at,
        capture_at,
        rest,
        metadata=command.metadata,
        reference=reference,
        description=command.description,
        effective_on=command.effective_on,
    )


def _request(command: Request | Due) -> Request | None:
    """What was asked, unless the transaction says all of it. It doesn't say by which name an account was asked for."""
    if type(command) is Move:  # as nearly all are
        return None if command.source is None and command.target is None else command
    return None if isinstance(command, Due) else command


def touched(account: Account, balance: Decimal, held: Decimal) -> Side:
    """The account with another balance, or another part of it held, and its next version."""
    return Side(account.id, balance, held, account.version + 1, account.name)


def with_id(outcome: Posted | Grouped | Declined, queued: Execute) -> Posted | Grouped | Declined:
    """The outcome, whose transaction has its id already; of several the first has it, and the queued key."""
    if isinstance(outcome, Posted):
        return replace(outcome, id=queued.id)
    if isinstance(outcome, Declined):
        return outcome
    outcomes = list(outcome.outcomes)
    place, first = next((place, one) for place, one in enumerate(outcomes) if isinstance(one, Posted))
    outcomes[place] = replace(first, id=queued.id, key=queued.command.key)
    return Grouped(replace(outcome.command, key=None), outcomes)  # its key has answered when it was queued
