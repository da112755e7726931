"""Money that waits: reserved on its account, until it is captured, voided or expired.

hold ──▶ held ──capture, all or final──▶ captured
│ ▲ └──void──────────────────▶ voided
│ │  └─expiry────────────────▶ expired
└─┘ capture of a part, not final
"""

from datetime import timedelta
from decimal import Decimal

from msgspec import UNSET

from koshel.core import declined
from koshel.core.book import available, limit
from koshel.core.commands import Capture, Expire, Hold, Kind, Void
from koshel.core.model import Account, Book, Declined, Original, Posted
from koshel.core.money import CEILING, minus, plus, rounded
from koshel.core.moves import account, named, unusable


def hold(book: Book, command: Hold) -> Posted | Declined:
    """Money of the source that only this hold's captures can take, until its time is up."""
    sides = named(book, command)
    if isinstance(sides, Declined):
        return sides
    source, target = sides
    assert source is not None, "a hold has a source"
    amount = rounded(command.amount, source.scale)
    if not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, source, amount)
    if refusal := unusable(command, source, target):
        return refusal
    if amount > available(source):
        return declined.insufficient_funds(command, source, amount)
    # No refusal below this line.
    seconds = command.default_expires_in if command.expires_in is UNSET else command.expires_in
    return Posted(
        ledger_id=command.ledger_id,
        kind=Kind.HOLD,
        source_account_id=command.source_account_id,
        target_account_id=command.target_account_id,
        amount=amount,
        currency=source.currency,
        source_balance=source.balance,
        target_balance=None,
        source_version=source.version + 1,
        target_version=None,
        metadata=command.metadata,
        key=command.key,
        ctime=book.now,
        source_held=plus(source.held, amount),
        expires_at=book.now + timedelta(seconds=seconds),
        request=command,
        rest=amount,
    )


def capture(book: Book, command: Capture) -> Posted | Declined:
    """The reserved money, or a part of it, where it was meant for; and the rest free, if this was the last of it."""
    original = _hold(book, command)
    if isinstance(original, Declined):
        return original
    source = book.accounts[_id(original.source_account_id)]
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
    if target and plus(target.balance, amount) > limit(target):
        return declined.balance_limit_exceeded(command, target, amount)
    # No refusal below this line.
    rest = minus(held, held if command.final else amount)
    target_balance = plus(target.balance, amount) if target else None
    posted = _posted(book, command, original, source, held=held, amount=amount, rest=rest)
    posted.kind = Kind.CAPTURE
    posted.source_balance = minus(source.balance, amount)
    posted.target_balance = target_balance
    posted.target_version = target.version + 1 if target else None
    posted.target_held = target.held or None if target else None
    posted.request = command
    return posted


def release(book: Book, command: Void | Expire) -> Posted | Declined:
    """All that is still reserved, free again."""
    original = _hold(book, command)
    if isinstance(original, Declined):
        return original
    held = _open(book, command, original)
    if isinstance(held, Declined):
        return held
    # No refusal below this line.
    source = book.accounts[_id(original.source_account_id)]
    posted = _posted(book, command, original, source, held=held, amount=held, rest=minus(held, held))
    if isinstance(command, Void):
        posted.request = command
    return posted


def _hold(book: Book, command: Capture | Void | Expire) -> Original | Declined:
    """The hold that the command names, if it is one."""
    pending = book.pending.get(command.parent_id)
    if pending is not None and pending[0] == command.ledger_id:
        return declined.hold_not_open(command, pending[1])
    original = book.originals.get(command.parent_id)
    if original is None or original.ledger_id != command.ledger_id:
        return declined.transaction_not_found(command)
    if original.kind is not Kind.HOLD:
        return declined.not_a_hold(command, original)
    return original


def _open(book: Book, command: Capture | Void | Expire, original: Original) -> Decimal | Declined:
    """What the hold still reserves. It ends with its time, whether or not that is booked yet."""
    held = book.holds[command.parent_id]
    assert original.expires_at is not None
    is_over = book.now >= original.expires_at
    if held is Kind.EXPIRY or (is_over and not isinstance(held, Kind) and not isinstance(command, Expire)):
        return declined.hold_expired(command, original)
    if isinstance(held, Kind):
        return declined.hold_not_open(command, _ENDED[held])
    if isinstance(command, Expire) and not is_over:
        return declined.hold_not_open(command, "held")
    return held


_ENDED = {Kind.CAPTURE: "captured", Kind.VOID: "voided"}


def _posted(
    book: Book,
    command: Capture | Void | Expire,
    original: Original,
    source: Account,
    *,
    held: Decimal,
    amount: Decimal,
    rest: Decimal,
) -> Posted:
    """What follows a hold: of what was `held`, the `rest` still is. The balance is as it was."""
    source_held = plus(minus(source.held, held), rest)
    assert 0 <= source_held < source.held
    assert 0 <= rest <= held - amount
    return Posted(
        ledger_id=command.ledger_id,
        kind=Kind.VOID if isinstance(command, Void) else Kind.EXPIRY,
        source_account_id=original.source_account_id,
        target_account_id=original.target_account_id,
        amount=amount,
        currency=original.currency,
        source_balance=source.balance,
        target_balance=None,
        source_version=source.version + 1,
        target_version=None,
        metadata=command.metadata,
        key=command.key,
        ctime=book.now,
        source_held=source_held or None,
        parent_id=command.parent_id,
        rest=rest,
    )


def _id(account_id: int | None) -> int:
    assert account_id is not None, "a hold has a source"
    return account_id
