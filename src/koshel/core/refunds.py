"""Money that returns: the way it came, never more of it than went."""

from koshel.core import declined
from koshel.core.commands import Kind, Refund
from koshel.core.model import Book, Declined, Posted
from koshel.core.money import CEILING, minus, rounded
from koshel.core.moves import account, moved, unusable
from koshel.core.originals import Original
from koshel.core.posting import post

REFUNDABLE = frozenset({Kind.PAYMENT, Kind.WITHDRAWAL, Kind.TRANSFER, Kind.CAPTURE})


def refund(book: Book, command: Refund) -> Posted | Declined:
    """From the original's target to its source, if it is still there."""
    original = _original(book, command)
    if isinstance(original, Declined):
        return original
    source = account(book, command, original.target_account_id)
    target = account(book, command, original.source_account_id)
    one = source or target
    assert one is not None, "a transaction has at least one side"
    left = minus(original.amount, book.state.refunded[command.parent_id])
    amount = left if command.amount is None else rounded(command.amount, one.scale)
    if command.amount is not None and not 0 < amount < CEILING:
        return declined.amount_out_of_range(command, one, amount)
    if refusal := unusable(command, source, target):
        return refusal
    if not 0 < amount <= left:
        return declined.refund_exceeds_original(command, original, left, amount)
    sides = moved(book, command, source, target, amount)
    if isinstance(sides, Declined):
        return sides
    # No refusal below this line.
    return post(book, command, original.currency, amount, source=sides[0], target=sides[1], original=original)


def _original(book: Book, command: Refund) -> Original | Declined:
    """The transaction to be refunded, if it is one that can be."""
    pending = book.state.pending.get(command.parent_id)
    if pending is not None and pending.ledger_id == command.ledger_id:
        return declined.not_refundable(command, pending)
    original = book.state.originals.get(command.parent_id)
    if original is None or original.ledger_id != command.ledger_id:
        return declined.transaction_not_found(command)
    if original.kind not in REFUNDABLE:
        return declined.not_refundable(command, original)
    return original
