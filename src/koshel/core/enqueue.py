"""Transactions that are decided later: what can be said of one that is not decided yet."""

from typing import TypeAlias

from koshel.core.commands import Direct, Enqueue, Refund, Request
from koshel.core.model import Book, Queued
from koshel.core.money import rounded

AccountIdPair: TypeAlias = tuple[int | None, int | None]  # source's and target's account id


def enqueue(book: Book, command: Enqueue) -> Queued:
    """The transaction as it will be if it is posted, as far as that is known. Never refused here."""
    request = command.command
    source_id, target_id = _sides(book, request)
    known = _currency(book, command, source_id) or _currency(book, command, target_id)
    amount = request.amount
    return Queued(
        command=command,
        kind=request.kind,
        source_account_id=source_id,
        target_account_id=target_id,
        amount=rounded(amount, known[1]) if known and amount is not None else amount,
        currency=known[0] if known else None,
        parent_id=request.parent_id,
        ctime=book.facts.now,
    )


def _sides(book: Book, request: Request) -> AccountIdPair:
    if isinstance(request, Direct):
        return request.source_account_id, request.target_account_id
    original = book.state.originals.get(request.parent_id)
    if original is None or original.ledger_id != request.ledger_id:
        return None, None
    sides = original.source_account_id, original.target_account_id
    return sides[::-1] if isinstance(request, Refund) else sides


def _currency(book: Book, command: Enqueue, account_id: int | None) -> tuple[str, int] | None:
    """Its code and scale, if the account is there, in the command's own ledger."""
    ledger_id, code, scale = book.facts.currencies.get(account_id or 0, (None, "", 0))
    return (code, scale) if ledger_id == command.ledger_id else None
