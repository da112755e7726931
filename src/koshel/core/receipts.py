"""Receipts: the same key gives the same answer, for ever; with another request it is refused."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from koshel.core import declined
from koshel.core.commands import Capture, ChangeAccount, Command, Enqueue, Group, Hold, Move, OpenAccount, Refund, Void
from koshel.core.model import Book, Declined, First, Grouped, Posted, Queued, Replayed
from koshel.core.money import rounded

# The fields of a request, in the order in which a difference is reported.
_FIELDS: Mapping[type, Sequence[str]] = {
    Move: ("kind", "source_account_id", "target_account_id", "amount", "metadata"),
    Hold: ("source_account_id", "target_account_id", "amount", "expires_in", "metadata"),
    Capture: ("parent_id", "amount", "final", "metadata"),
    Void: ("parent_id", "metadata"),
    Refund: ("parent_id", "amount", "metadata"),
    OpenAccount: ("email", "currency", "min_balance", "max_balance", "metadata"),
    ChangeAccount: (
        "account_id",
        "email",
        "min_balance",
        "max_balance",
        "status",
        "metadata",
        "metadata_patch",
        "expected",
        "unexpected",
    ),
}


def replay(book: Book, command: Command) -> Replayed | Declined | None:
    """What the command's key has already answered; None if this key is new, or there is none."""
    if command.key is None:
        return None
    first = book.receipts.get((command.ledger_id, command.key))
    if first is None:
        return None
    if isinstance(command, Group):
        field = _first_difference_of_groups(first, command)
    else:
        field = _first_difference(_request(first), command.command if isinstance(command, Enqueue) else command)
    return Replayed(first) if field is None else declined.key_reused(command, field)


def _request(first: First) -> Command | Posted:
    """What was asked then; of a move, only what the transaction itself says."""
    match first:
        case Posted():
            return first.request or first
        case Queued():
            return first.command.command
        case _:
            return first.command


def _first_difference(request: Command | Posted, command: Command) -> str | None:
    kind = Move if isinstance(request, Posted) else type(request)
    if type(command) is not kind:
        return "kind"
    for field in _FIELDS[kind]:
        if _differ(request, command, field):
            return field
    return None


def _first_difference_of_groups(first: First, command: Group) -> str | None:
    group = None if isinstance(first, Posted) else first.command
    if not isinstance(group, Group):
        return "kind"
    if group.atomic != command.atomic:
        return "atomic"
    if len(group.members) != len(command.members):
        return "transactions"
    # Of a member that was posted its transaction says what was asked, and that it was rounded.
    answers: Sequence[Any] = first.outcomes if isinstance(first, Grouped) else group.members
    for index, (earlier, answer, member) in enumerate(zip(group.members, answers, command.members, strict=True)):
        request = _request(answer) if isinstance(answer, Posted) else earlier
        field = "idempotency_key" if earlier.key != member.key else _first_difference(request, member)
        if field is not None:
            return f"transactions/{index}/{field}"
    return None


def _differ(request: Any, command: Any, field: str) -> bool:
    was, now = getattr(request, field), getattr(command, field)
    return bool(was != now) and not (field == "amount" and isinstance(request, Posted) and _rounds_to(now, was))


def _rounds_to(sent: Decimal, amount: Decimal) -> bool:
    """A posted amount was rounded: 12.345 sent again is the same request as the 12.34 on the books."""
    scale = amount.as_tuple().exponent
    assert isinstance(scale, int)
    return rounded(sent, -scale) == amount
