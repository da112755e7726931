"""Money that waits: reserved on its account, until it is captured, voided or expired.

hold ──▶ held ──capture, all or final──▶ captured
│ ▲ └──void──────────────────▶ voided
│ │  └─expiry────────────────▶ expired
└─┘ capture of a part, not final
"""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import UNSET

from koshel.core import declined, declined_times, limits
from koshel.core.book import available, limit
from koshel.core.commands import AutoCapture, Capture, Expire, Hold, HoldEnd, Kind, Split, Void
from koshel.core.model import Account, Book, Declined, Posted
from koshel.core.money import CEILING, minus, plus, rounded
from koshel.core.moves import account, named, unusable
from koshel.core.originals import Original
from koshel.core.posting import post, touched
from koshel.core.sides import Named


def hold(book: Book, command: Hold) -> Posted | Declined:
    """Money of the source that only this hold's captures can take, until its time is up."""
    accounts = named(book, command)
    if isinstance(accounts, Declined):
        return accounts
    source, target = accounts
    assert source is not None, "a hold has a source"
    amount = rounded(command.amount, source.scale)
    if not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, source, amount)
    expires_at = expiry(command, book.facts.now)
    if command.capture_at is not UNSET and command.capture_at >= expires_at:
        return declined_times.capture_too_late(command, command.capture_at, expires_at)
    if refusal := unusable(command, source, target):
        return refusal
    if amount > available(source):
        return declined.insufficient_funds(command, source, amount)
    if refusal := limits.exceeded(book, command, source, None, amount):
        return refusal
    # No refusal below this line.
    reserving = touched(source, source.balance, plus(source.held, amount))
    target_named = Named(target.id, target.name) if target else None
    return post(
        book,
        command,
        source.currency,
        amount,
        source=reserving,
        target=target_named,
        expires_at=expires_at,
        capture_at=None if command.capture_at is UNSET else command.capture_at,
        rest=amount,
    )


def expiry(command: Hold | Split, placed_at: datetime) -> datetime:
    """When the hold ends by itself."""
    seconds = command.default_expires_in if command.expires_in is UNSET else command.expires_in
    return placed_at + timedelta(seconds=seconds)


def capture(book: Book, command: Capture | AutoCapture) -> Posted | Declined:
    """The reserved money, or a part of it, where it was meant for; and the rest free, if this was the last of it."""
    original = _hold(book, command)
    if isinstance(original, Declined):
        return original
    source = book.state.accounts[_id(original.source_account_id)]
    target = account(book, command, original.target_account_id)
    wanted = None if command.amount is None else rounded(command.amount, source.scale)
    if wanted is not None and not 0 < wanted < CEILING:
        return declined.amount_out_of_range(command, source, wanted)
    held = _open(book, command, original)
    if isinstance(held, Declined):
        return held
    if refusal := unusable(command, source, target):
        return refusal
    amount = held if wanted is None else wanted
    if amount > held:
        return declined.capture_exceeds_hold(command, original, held, amount)
    credited = touched(target, plus(target.balance, amount), target.held) if target else None
    if target and credited and credited.balance > limit(target):
        return declined.balance_limit_exceeded(command, target, amount)
    if refusal := limits.exceeded(book, command, source, target, amount, is_reserved=True):
        return refusal
    # No refusal below this line.
    rest = minus(held, held if command.final else amount)
    assert 0 <= rest <= minus(held, amount)
    paying = touched(source, minus(source.balance, amount), _freed(source, held, rest))
    return post(book, command, original.currency, amount, source=paying, target=credited, rest=rest, original=original)


def release(book: Book, command: Void | Expire) -> Posted | Declined:
    """All that is still reserved, free again."""
    original = _hold(book, command)
    if isinstance(original, Declined):
        return original
    held = _open(book, command, original)
    if isinstance(held, Declined):
        return held
    # No refusal below this line.
    source = book.state.accounts[_id(original.source_account_id)]
    nothing = minus(held, held)
    freeing = touched(source, source.balance, _freed(source, held, nothing))
    target = account(book, command, original.target_account_id)
    target_named = Named(target.id, target.name) if target else None
    return post(
        book, command, original.currency, held, source=freeing, target=target_named, rest=nothing, original=original
    )


def _hold(book: Book, command: HoldEnd) -> Original | Declined:
    """The hold that the command names, if it is one."""
    pending = book.state.pending.get(command.parent_id)
    if pending is not None and pending.ledger_id == command.ledger_id:
        is_hold = pending.kind is Kind.HOLD
        return declined.hold_not_open(command, pending.status) if is_hold else declined.not_a_hold(command, pending)
    original = book.state.originals.get(command.parent_id)
    if original is None or original.ledger_id != command.ledger_id:
        return declined.transaction_not_found(command)
    if original.kind is not Kind.HOLD:
        return declined.not_a_hold(command, original)
    return original


def _open(book: Book, command: HoldEnd, original: Original) -> Decimal | Declined:
    """What the hold still reserves. It ends with its time, whether or not that is booked yet."""
    held = book.state.holds[command.parent_id]
    assert original.expires_at is not None
    is_over = book.facts.now >= original.expires_at
    if held is Kind.EXPIRY or (is_over and not isinstance(held, Kind) and not isinstance(command, Expire)):
        return declined_times.hold_expired(command, original)
    if isinstance(held, Kind):
        return declined.hold_not_open(command, _ENDED[held])
    if isinstance(command, Expire) and not is_over:
        return declined.hold_not_open(command, "held")
    return held


_ENDED = {Kind.CAPTURE: "captured", Kind.VOID: "voided"}


def _freed(source: Account, held: Decimal, rest: Decimal) -> Decimal:
    """What is held of the source once of what the hold `held` only the `rest` still is."""
    freed = plus(minus(source.held, held), rest)
    assert 0 <= freed < source.held
    return freed


def _id(account_id: int | None) -> int:
    assert account_id is not None, "a hold has a source"
    return account_id
