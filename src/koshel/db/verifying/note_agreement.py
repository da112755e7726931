"""Whether what was kept of a change of notes agrees with the change itself. No connection here.

As in `agreement`, the first field that differs is said, None if all agree.
"""

from msgspec import UNSET

from koshel.core.commands import Kind
from koshel.core.originals import TransactionStatus
from koshel.core.refunds import REFUNDABLE
from koshel.db.mapping.stored import NoteReceipt
from koshel.db.verifying.agreement import Row, first, metadata_of

_OF_HOLDS: frozenset[TransactionStatus] = frozenset({"held", "captured", "voided", "expired"})


def of_annotated(answer: NoteReceipt, change: Row, transaction: Row) -> str | None:
    """An answer, the change that it tells of, and its transaction."""
    if answer.ctime != change["ctime"]:
        return "ctime"
    now = {"metadata": metadata_of(change), "description": change["description"]}
    if field := first(name for name, value in now.items() if getattr(answer, name) != value):
        return field
    command = answer.command
    told = {"metadata": command.metadata, "description": command.description}
    if field := first(name for name, value in told.items() if value is not UNSET and now[name] != value):
        return field
    patch = {} if command.metadata_patch is UNSET else command.metadata_patch
    if any(answer.metadata.get(name) != value for name, value in patch.items()):
        return "metadata_patch"
    return _of_standing(answer, transaction)


def _of_standing(answer: NoteReceipt, transaction: Row) -> str | None:
    """How the transaction stood then: only as one of its kind can."""
    is_hold, amount = transaction["kind"] == Kind.HOLD, transaction["amount"]
    if answer.status not in (_OF_HOLDS if is_hold else {"posted"}):
        return "status"
    left, refunded = answer.remaining, answer.refunded
    if (left is not None) != is_hold or (left is not None and not 0 <= left <= amount):
        return "remaining"
    if left is not None and (left > 0) != (answer.status == "held"):
        return "remaining"
    if (refunded is not None) != (transaction["kind"] in REFUNDABLE):
        return "refunded"
    return "refunded" if refunded is not None and not 0 <= refunded <= amount else None
