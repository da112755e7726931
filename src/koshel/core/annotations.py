"""Changing the notes on a transaction that is posted. The transaction itself never changes."""

from decimal import Decimal

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core import declined
from koshel.core.commands import Kind
from koshel.core.labelled import METADATA_MAX
from koshel.core.model import Annotated, Book, Declined, Posted
from koshel.core.money import minus, plus
from koshel.core.notes import Annotate, changed
from koshel.core.originals import TransactionStatus
from koshel.core.refunds import REFUNDABLE

_ENDED: dict[Kind, TransactionStatus] = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.EXPIRY: "expired"}


def annotate(book: Book, command: Annotate) -> Annotated | Declined:
    """The transaction with other notes. Neither a frozen nor a closed account stops that, since no money moves."""
    id_ = command.transaction_id
    pending = book.state.pending.get(id_)
    if pending is not None and pending.ledger_id == command.ledger_id:
        return declined.not_posted(command, pending)
    if id_ not in book.state.noted or book.state.noted[id_][0].ledger_id != command.ledger_id:
        return declined.transaction_not_found(command)
    posted, revision = book.state.noted[id_]
    metadata = changed(posted.metadata, command.metadata, command.metadata_patch)
    if len(metadata) > METADATA_MAX:
        return declined.metadata_too_large(command, len(metadata))
    # No refusal below this line.
    description = posted.description if command.description is UNSET else command.description
    now = replace(posted, metadata=metadata, description=description, request=None, rest=None)
    status, remaining, refunded = _standing(book, posted)
    return Annotated(command, now, revision + 1, status, book.facts.now, remaining, refunded)


def _standing(book: Book, posted: Posted) -> tuple[TransactionStatus, Decimal | None, Decimal | None]:
    """How a transaction stands now; what is left of it, if it is a hold, and what of it was refunded, if it can be."""
    nothing = minus(posted.amount, posted.amount)  # with as many decimals
    if posted.kind is not Kind.HOLD:
        return "posted", None, plus(nothing, book.state.refunded[posted.id]) if posted.kind in REFUNDABLE else None
    left = book.state.holds[posted.id]
    if isinstance(left, Kind):
        return _ENDED[left], nothing, None
    return "held", left, None
