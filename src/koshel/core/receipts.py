"""Receipts: the same key gives the same answer, for ever; with another request it is refused."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias, get_args

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from koshel.core import declined
from koshel.core.book import asked
from koshel.core.commands import (
    ERASED,
    Capture,
    ChangeAccount,
    Command,
    Deferrable,
    Enqueue,
    Group,
    Hold,
    Kind,
    Member,
    Move,
    OpenAccount,
    Refund,
    Split,
    Void,
)
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.legs import SplitSource, SplitTarget
from koshel.core.model import Book, Declined, First, Grouped, Outcome, Posted, Queued, Replayed
from koshel.core.money import rounded, scale_of
from koshel.core.notes import Annotate

# Fields that are not what the caller asked for: whose the key is and the key itself, which led here, what our own
# settings say where the caller said nothing, and what was found. Every other field is compared, in its order in the
# struct; last the kind, which no caller sends, since it follows from the sides and from `hold`.
_NOT_ASKED = frozenset(
    {
        "ledger_id",
        "key",
        "default_currency",
        "default_max_balance",
        "default_min_balance",
        "default_expires_in",
        "id",
        "schedule_max_s",
        "exchange_accounts",
        "holds",
    }
)
# An account is compared as it was asked for: by its name, or if it was asked for by none, by its id.
_BY_NAME = {"source_account_id": "source", "target_account_id": "target", "account_id": "account"}
_ASKED: Mapping[type, Sequence[str]] = {
    kind: sorted(
        [name for name in kind.__struct_fields__ if name not in _NOT_ASKED and name not in _BY_NAME.values()],
        key="kind".__eq__,
    )
    for kind in (*get_args(Deferrable), OpenAccount, ChangeAccount, Annotate)
}
# The field that only requests of this type have.
_MARKS: Mapping[type, str] = {
    Hold: "hold",
    Capture: "capture",
    Void: "void",
    Refund: "refund",
    Exchange: "exchange",
}
_Leg: TypeAlias = SplitSource | SplitTarget
_PERSONAL = frozenset({"email", "metadata", "metadata_patch"})


def replay(book: Book, command: Command, *, is_member: bool = False) -> Replayed | Declined | None:
    """What the key of a command, or of a group's member, has already answered; None if it is new, or there is none."""
    if command.key is None:
        return None
    first = book.state.receipts.get((command.ledger_id, command.key))
    if first is None:
        return None
    if isinstance(command, Group):
        field = _first_difference_of_groups(first, command)
    else:
        now = command.command if isinstance(command, Enqueue) else command
        again = _as_rounded(first, now) if isinstance(first, Posted) else now
        field = first_difference(_request(first), again, is_member=is_member)
        if field is None and _execute_at(first) != _execute_at(command):
            field = "execute_at"
    return Replayed(first) if field is None else declined.key_reused(command, field)


def _request(first: First) -> Command:
    match first:
        case Posted():
            return asked(first)
        case _:
            return first.command.command if isinstance(first.command, Enqueue) else first.command


def _execute_at(asked: First | Command) -> datetime | UnsetType:
    """When a request was to be executed, or the one that was answered so; UNSET: at no certain time."""
    command = asked.command if isinstance(asked, Queued | Declined) else asked
    return command.execute_at if isinstance(command, Enqueue) else UNSET


def first_difference(was: Command, command: Command, *, is_member: bool = False) -> str | None:
    """The first field that the two ask otherwise; None if it is the same request.

    `kind`: nothing can be compared, since they are requests of two routes. All members of groups are of one.
    """
    if not (is_member and isinstance(was, Member)) and _route(was) != _route(command):
        return "kind"
    before, now = _marks(was), _marks(command)
    for mark in (*now, *before):
        if (mark in before) != (mark in now):
            return mark
    assert type(was) is type(command), "of one route, and with the same marks"
    asked = _ASKED[type(was)]
    if isinstance(was, OpenAccount | ChangeAccount) and was.email == ERASED:
        asked = [field for field in asked if field not in _PERSONAL]  # nobody knows any more what these were
    for field in asked:
        name = _BY_NAME.get(field)
        if name is not None and (getattr(was, name) or getattr(command, name)) is not None:
            if getattr(was, name) != getattr(command, name):
                return field if getattr(command, name) is None else name
        elif (then := getattr(was, field)) != (now := getattr(command, field)):
            difference = _first_difference_of_legs(field, then, now) if field in _LEGS else field
            if difference is not None:
                return difference
    return None


def _route(command: Command) -> object:
    """What stands for the route of a request that is no member."""
    if isinstance(command, Move):
        return command.kind
    if isinstance(command, EndSplit):
        return EndSplit, command.kind
    return Kind.TRANSFER if isinstance(command, Hold | Split) else type(command)


def _marks(command: Command) -> Sequence[str]:
    """The fields that make it another request than a transfer, if it has such."""
    if isinstance(command, Split):
        legs = "sources" if command.sources else "targets"
        return (legs, "hold") if command.kind is Kind.HOLD else (legs,)
    mark = _MARKS.get(type(command))
    return () if mark is None else (mark,)


_LEGS = frozenset({"sources", "targets"})


def _first_difference_of_legs(field: str, was: Sequence[_Leg], legs: Sequence[_Leg]) -> str | None:
    if len(was) != len(legs):
        return field
    side = field[:-1]
    for place, (then, now) in enumerate(zip(was, legs, strict=True)):
        asked = (getattr(then, side), getattr(now, side))
        if asked[0] != asked[1]:
            return f"{field}/{place}/{side}_account_id" if asked[1] is None else f"{field}/{place}/{side}"
        by_name = asked[1] is not None
        for name in then.__struct_fields__:
            if not (by_name and name == f"{side}_account_id") and getattr(then, name) != getattr(now, name):
                return f"{field}/{place}/{name}"
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
    answers: Sequence[Outcome | Member] = first.outcomes if isinstance(first, Grouped) else group.members
    for index, (earlier, answer, member) in enumerate(zip(group.members, answers, command.members, strict=True)):
        if isinstance(answer, Posted):
            field = first_difference(asked(answer), _as_rounded(answer, member), is_member=True)
        else:
            field = first_difference(earlier, member, is_member=True)
        if earlier.key != member.key:
            field = "idempotency_key"
        if field is not None:
            return f"transactions/{index}/{field}"
    return None


def _as_rounded(posted: Posted, command: Command) -> Command:
    """A posted move's amount was rounded: 12.345 sent again is the same request as the 12.34 on the books."""
    if type(command) is not Move:
        return command
    return replace(command, amount=rounded(command.amount, scale_of(posted.amount)))
