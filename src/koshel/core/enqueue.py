"""Transactions that are decided later: what can be said of one that is not decided yet."""

from typing import TypeAlias

from koshel.core.commands import UNRESOLVED, Direct, Enqueue, Refund, Request
from koshel.core.model import Book, Queued, Shown
from koshel.core.money import rounded

AccountIdPair: TypeAlias = tuple[int | None, int | None]  # source's and target's account id


def enqueue(book: Book, command: Enqueue) -> Queued:
    """The transaction as it will be if it is posted, as far as that is known. Never refused here."""
    request = command.command
    source_id, target_id = _sides(book, request)
    source, target = _account(book, command, source_id), _account(book, command, target_id)
    known = source or target
    asked = (request.source, request.target) if isinstance(request, Direct) else (None, None)
    amount = request.amount
    return Queued(
        command=command,
        kind=request.kind,
        source_account_id=source_id or None,
        target_account_id=target_id or None,
        amount=rounded(amount, known[2]) if known and amount is not None else amount,
        currency=known[1] if known else None,
        parent_id=request.parent_id,
        ctime=book.facts.now,
        source=source[3] if source else asked[0],
        target=target[3] if target else asked[1],
    )


def _sides(book: Book, request: Request) -> AccountIdPair:
    if isinstance(request, Direct):
        return request.source_account_id, request.target_account_id
    original = book.state.originals.get(request.parent_id)
    if original is None or original.ledger_id != request.ledger_id:
        return None, None
    sides = original.source_account_id, original.target_account_id
    return sides[::-1] if isinstance(request, Refund) else sides


def _account(book: Book, command: Enqueue, account_id: int | None) -> Shown | None:
    """The account, if it is there, in the command's own ledger."""
    found = book.facts.shown.get(account_id or UNRESOLVED)
    return found if found is not None and found[0] == command.ledger_id else None
