"""A book at another time, and the sides of a transaction, for tests to look at."""

from datetime import datetime

from msgspec.structs import replace

from koshel.core.commands import Kind
from koshel.core.model import Book, Declined, Outcome, Posted, Refusal
from koshel.core.originals import Pending
from koshel.core.sides import Side


def at(now: datetime, one: Book) -> Book:
    """The same book at another time."""
    return Book(replace(one.facts, now=now), one.state)


def with_queued(one: Book, *ids: int, kind: Kind = Kind.PAYMENT) -> Book:
    """The same book, with these transactions queued in ledger 1, each of this kind."""
    return Book(one.facts, replace(one.state, pending=dict.fromkeys(ids, Pending(1, kind, "queued"))))


def fieldless(outcome: Outcome) -> Outcome:
    """The outcome; if its key is reused, without the field, which may have another name in a batch than alone."""
    is_reuse = isinstance(outcome, Declined) and outcome.refusal is Refusal.IDEMPOTENCY_KEY_REUSED
    return replace(outcome, facts={}) if is_reuse else outcome


def accounts_of(posted: Posted) -> tuple[int | None, int | None]:
    """The ids of its source and its target; None is the world outside."""
    source, target = posted.source, posted.target
    return source.account_id if source else None, target.account_id if target else None


def source_of(posted: Posted) -> Side:
    """The side that the money left, which there is."""
    assert posted.source is not None
    return posted.source


def target_of(posted: Posted) -> Side:
    """The side that the money reached, which there is."""
    assert isinstance(posted.target, Side)
    return posted.target
