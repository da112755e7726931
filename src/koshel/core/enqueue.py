"""Transactions that are decided later: what can be said of one that is not decided yet."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import UNSET

from koshel.core import declined_times
from koshel.core.commands import UNRESOLVED, Deferrable, Enqueue, Hold, Refund, Sided, Split
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.holds import expiry
from koshel.core.legs import AccountIdPair
from koshel.core.model import Book, Declined, Queued, Shown
from koshel.core.money import rounded
from koshel.core.originals import kind_of


def enqueue(book: Book, command: Enqueue) -> Queued | Declined:
    """The transaction as it will be if it is posted, as far as that is known. Only its times are refused here."""
    request, now = command.command, book.facts.now
    assert request.ledger_id == command.ledger_id, "money moves only where it is asked"
    if refusal := _untimely(command, now):
        return refusal
    source_id, target_id = _sides(book, request)
    source, target = _account(book, command, source_id), _account(book, command, target_id)
    others = [id_ for pair in _pairs(book, request) for id_ in pair]
    if isinstance(request, Exchange):  # what leaves the source is in the source's currency
        known = source
    else:
        known = source or target or next(filter(None, (_account(book, command, id_) for id_ in others)), None)
    asked = (request.source, request.target) if isinstance(request, Sided | Split) else (None, None)
    amount = request.amount
    return Queued(
        command=command,
        kind=kind_of(request),
        source_account_id=source_id or None,
        target_account_id=target_id or None,
        amount=rounded(amount, known[2]) if known and amount is not None else amount,
        currency=known[1] if known else None,
        parent_id=request.parent_id,
        ctime=now,
        source=source[3] if source else asked[0],
        target=target[3] if target else asked[1],
    )


def due(queued: Queued) -> datetime:
    """When it is to be decided: what should have been done before it was queued, at once."""
    execute_at = queued.command.execute_at
    return queued.ctime if execute_at is UNSET else max(execute_at, queued.ctime)


def capture_at(queued: Queued) -> datetime | None:
    """When a hold, or each hold of a split, is to be captured by itself once it is placed."""
    request = queued.command.command
    return (request.capture_at or None) if isinstance(request, Hold | Split) else None


def _untimely(command: Enqueue, now: datetime) -> Declined | None:
    """The refusal of a time that nothing can mend, neither now nor when the transaction is due."""
    execute_at, request = now, command.command
    if command.execute_at is not UNSET:
        assert command.schedule_max_s is not UNSET, "who may say a time is told how far ahead it may be"
        latest = now + timedelta(seconds=command.schedule_max_s)
        if command.execute_at > latest:
            return declined_times.scheduled_too_late(command, command.execute_at, latest)
        execute_at = max(now, command.execute_at)
    if isinstance(request, Hold | Split) and request.capture_at is not UNSET:
        expires_at = expiry(request, execute_at)
        if request.capture_at >= expires_at:
            return declined_times.capture_too_late(command, request.capture_at, expires_at)
    return None


def _sides(book: Book, request: Deferrable) -> AccountIdPair:
    """Those of its transaction; of several what all have in common."""
    if isinstance(request, Sided | Split):
        return request.source_account_id, request.target_account_id
    if isinstance(request, EndSplit):
        source_ids, target_ids = zip(*_pairs(book, request), strict=True)
        return _common(source_ids), _common(target_ids)
    return _followed(book, request, request.parent_id)


def _common(ids: Sequence[int | None]) -> int | None:
    return ids[0] if len({*ids}) == 1 else None


def _pairs(book: Book, request: Deferrable) -> list[AccountIdPair]:
    """The source and the target of each transaction of several."""
    if isinstance(request, EndSplit):
        return [_followed(book, request, id_) for id_ in request.holds]
    return request.pairs if isinstance(request, Split) else []


def _followed(book: Book, request: Deferrable, id_: int) -> AccountIdPair:
    original = book.state.originals.get(id_)
    if original is None or original.ledger_id != request.ledger_id:
        return None, None
    sides = original.source_account_id, original.target_account_id
    return sides[::-1] if isinstance(request, Refund) else sides


def _account(book: Book, command: Enqueue, account_id: int | None) -> Shown | None:
    """The account, if it is there, in the command's own ledger."""
    found = book.facts.shown.get(account_id or UNRESOLVED)
    return found if found is not None and found[0] == command.ledger_id else None
