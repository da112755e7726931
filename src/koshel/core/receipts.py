"""Receipts: the same key gives the same answer, for ever; with another request it is refused."""

from decimal import Decimal

from koshel.core.model import Book, Command, Declined, First, Move, OpenAccount, Posted, Refusal, Replayed
from koshel.core.money import rounded

# The fields of a request, in the order in which a difference is reported.
_MOVE_FIELDS = ("kind", "source_account_id", "target_account_id", "amount", "metadata")
_OPEN_FIELDS = ("email", "currency", "min_balance", "max_balance", "metadata")


def replay(book: Book, command: Command) -> Replayed | Declined | None:
    """What the command's key has already answered; None if this key is new, or there is none."""
    if command.key is None:
        return None
    first = book.receipts.get((command.ledger_id, command.key))
    if first is None:
        return None
    field = _first_difference(first, command)
    if field is None:
        return Replayed(first)
    return Declined(command, Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


def _first_difference(first: First, command: Command) -> str | None:
    request = first if isinstance(first, Posted) else first.command
    match command, request:
        case Move(), Move() | Posted():
            fields = _MOVE_FIELDS
        case OpenAccount(), OpenAccount():
            fields = _OPEN_FIELDS
        case _:
            return "kind"
    for field in fields:
        if getattr(command, field) != getattr(request, field) and not (
            field == "amount" and isinstance(first, Posted) and _rounds_to(command, first.amount)
        ):
            return field
    return None


def _rounds_to(command: Command, amount: Decimal) -> bool:
    """A posted amount was rounded: 12.345 sent again is the same request as the 12.34 on the books."""
    assert isinstance(command, Move)
    scale = amount.as_tuple().exponent
    assert isinstance(scale, int)
    return rounded(command.amount, -scale) == amount
