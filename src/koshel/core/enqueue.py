"""Transactions that are decided later: what can be said of one that is not decided yet."""

from typing import TypeAlias, assert_never

from koshel.core.commands import Capture, Enqueue, Hold, Kind, Move, Refund, Request, Void
from koshel.core.model import Book, Original, Queued
from koshel.core.money import rounded

Sides: TypeAlias = tuple[int | None, int | None]  # source's and target's account id


def enqueue(book: Book, command: Enqueue) -> Queued:
    """The transaction as it will be if it is posted, as far as that is known. Never refused here."""
    request = command.command
    original = None if isinstance(request, Move | Hold) else _original(book, request)
    source_id, target_id = _sides(request, original)
    known = _currency(book, command, source_id) or _currency(book, command, target_id)
    amount = None if isinstance(request, Void) else request.amount
    return Queued(
        command=command,
        kind=_kind(request),
        source_account_id=source_id,
        target_account_id=target_id,
        amount=rounded(amount, known[1]) if known and amount is not None else amount,
        currency=known[0] if known else None,
        parent_id=None if isinstance(request, Move | Hold) else request.parent_id,
        ctime=book.now,
    )


def _original(book: Book, request: Capture | Void | Refund) -> Original | None:
    original = book.originals.get(request.parent_id)
    return original if original is not None and original.ledger_id == request.ledger_id else None


def _sides(request: Request, original: Original | None) -> Sides:
    match request:
        case Move() | Hold():
            return request.source_account_id, request.target_account_id
        case Capture() | Void():
            return (original.source_account_id, original.target_account_id) if original else (None, None)
        case Refund():
            return (original.target_account_id, original.source_account_id) if original else (None, None)
        case _:
            assert_never(request)


def _currency(book: Book, command: Enqueue, account_id: int | None) -> tuple[str, int] | None:
    """Its code and scale, if the account is there, in the command's own ledger."""
    ledger_id, code, scale = book.currencies.get(account_id or 0, (None, "", 0))
    return (code, scale) if ledger_id == command.ledger_id else None


def _kind(request: Request) -> Kind:
    match request:
        case Move():
            return request.kind
        case Hold():
            return Kind.HOLD
        case Capture():
            return Kind.CAPTURE
        case Void():
            return Kind.VOID
        case Refund():
            return Kind.REFUND
        case _:
            assert_never(request)
