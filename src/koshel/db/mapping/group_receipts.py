"""A group's answer as its receipt keeps it: of plain moves only the ids, since their rows say all the rest."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from msgspec import Struct, convert
from msgspec.structs import fields, replace

from koshel.core.book import asked
from koshel.core.commands import Group, Member, Move, Split
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.model import Declined, First, Grouped, Posted, Queued, Replayed
from koshel.core.reach import QualifiedId
from koshel.db.mapping import split_receipts
from koshel.db.mapping.sides import TYPES, flat, names, sides
from koshel.db.mapping.split_receipts import SplitReceipt

_FIELDS = {field.name: field.type for field in fields(Posted) if field.name not in {"source", "target"}}


NamedMove: TypeAlias = tuple[int, str | None, str | None]  # the id, and the names by which its sides were asked for


class MemberReceipt(Struct, frozen=True):
    """A member that is more than a plain move, and its answer, as JSON has it."""

    command: Member
    outcome: Any


class GroupReceipt(Struct, frozen=True, tag="grouped", omit_defaults=True):
    """What a group's key has answered, or that of an exchange, or of the end of a split."""

    ledger_id: int
    key: str | None
    atomic: bool
    group_id: int | None
    members: list[int | NamedMove | MemberReceipt]  # the id of a plain move, or of what follows from the command below
    exchange: Exchange | None = None  # what was asked for, if it was one
    ending: EndSplit | None = None  # likewise


def kept(grouped: Grouped) -> "GroupReceipt | SplitReceipt":
    """The answer of a group, or of a split, once its transactions have their ids."""
    return split_receipts.to_receipt(grouped) if isinstance(grouped.command, Split) else to_receipt(grouped)


def to_receipt(grouped: Grouped) -> GroupReceipt:
    """The answer, once its transactions have their ids."""
    group = grouped.command
    if isinstance(group, Exchange | EndSplit):
        ids = [one.id for one in grouped.outcomes if isinstance(one, Posted)]
        exchange, ending = (group, None) if isinstance(group, Exchange) else (None, group)
        return GroupReceipt(group.ledger_id, group.key, group.atomic, grouped.group_id, [*ids], exchange, ending)
    assert isinstance(group, Group)
    members = [
        _of_move(command, one)
        if type(command) is Move and type(one) is Posted
        else MemberReceipt(command, _as_stored(one))
        for command, one in zip(group.members, grouped.outcomes, strict=True)
    ]
    return GroupReceipt(group.ledger_id, group.key, group.atomic, grouped.group_id, members)


Kept: TypeAlias = First | GroupReceipt | SplitReceipt  # a receipt's answer; of a group, or of a split, to be restored


def named(kept: Kept) -> set[QualifiedId]:
    """The transactions that must be read to restore it, each with its ledger id."""
    if isinstance(kept, SplitReceipt):
        return split_receipts.transactions(kept)
    return transactions(kept) if isinstance(kept, GroupReceipt) else set()


def answer(kept: Kept, posted: Mapping[int, Posted]) -> First:
    """The answer as it was, given those transactions by their ids."""
    if isinstance(kept, SplitReceipt):
        return split_receipts.restore(kept, posted)
    return restore(kept, posted) if isinstance(kept, GroupReceipt) else kept


def transactions(receipt: GroupReceipt) -> set[QualifiedId]:
    """The transactions that must be read to restore it, each with its ledger id."""
    ids = (id_of(one) for one in receipt.members)
    plain = {(receipt.ledger_id, one) for one in ids if one is not None}
    return plain.union(*map(named, together(receipt).values()))


def id_of(member: int | NamedMove | MemberReceipt) -> int | None:
    """The id of a plain move; None if the member is more."""
    return None if isinstance(member, MemberReceipt) else member if isinstance(member, int) else member[0]


def together(receipt: GroupReceipt) -> Mapping[int, SplitReceipt | GroupReceipt]:
    """Of the members those that are splits or exchanges, by their place. Raises ValidationError."""
    found: dict[int, SplitReceipt | GroupReceipt] = {}
    for place, one in enumerate(receipt.members):
        outcome = _first(one.outcome) if isinstance(one, MemberReceipt) else None
        kind = _TOGETHER.get(str(outcome.get("type"))) if isinstance(outcome, Mapping) else None
        if kind is not None:
            found[place] = convert(outcome, kind)
    return found


_TOGETHER = {"split": SplitReceipt, "grouped": GroupReceipt}  # by their tags


def _first(outcome: Any) -> Any:
    while isinstance(outcome, Mapping) and outcome.get("type") == "replayed":
        outcome = outcome.get("first")
    return outcome


def restore(receipt: GroupReceipt, posted: Mapping[int, Posted]) -> Grouped:
    """The answer as it was. A plain move's command says the amount that was posted: what was sent was rounded."""
    if (asked_for := receipt.exchange or receipt.ending) is not None:
        transactions = [posted[id_] for one in receipt.members if (id_ := id_of(one)) is not None]
        return Grouped(asked_for, [*transactions], receipt.group_id)
    commands: list[Member] = []
    outcomes: list[Any] = []
    for one in receipt.members:
        if isinstance(one, int):
            commands.append(asked(posted[one]))
            outcomes.append(posted[one])
        elif isinstance(one, tuple):
            id_, source, target = one
            commands.append(replace(asked(posted[id_]), source=source, target=target))
            outcomes.append(replace(posted[id_], request=commands[-1]))
        else:
            commands.append(one.command)
            outcomes.append(restored(one.outcome, posted))
    return Grouped(Group(receipt.ledger_id, tuple(commands), receipt.atomic, receipt.key), outcomes, receipt.group_id)


def _of_move(command: Move, posted: Posted) -> int | NamedMove:
    is_named = command.source is not None or command.target is not None
    return (posted.id, command.source, command.target) if is_named else posted.id


def _as_stored(outcome: object) -> object:
    """As 0.2 has written it, with the columns of the sides beside the other fields."""
    if isinstance(outcome, Posted):
        return {
            "type": "posted",
            **{name: getattr(outcome, name) for name in _FIELDS},
            **flat(outcome),
            **names(outcome),
        }
    if isinstance(outcome, Replayed):
        return {"type": "replayed", "first": _as_stored(outcome.first)}
    if isinstance(outcome, Grouped):
        return kept(outcome)
    return outcome


def restored(receipt: Mapping[str, Any], posted: Mapping[int, Posted] | None = None) -> Any:
    """The outcome that was kept; a field that is not there yet has its default. Raises KeyError, ValidationError.

    `posted`: the transactions of splits and exchanges, by their ids; without these there are none.
    """
    if receipt["type"] == "replayed":
        return Replayed(restored(receipt["first"], posted))
    if receipt["type"] == "split":
        return split_receipts.restore(convert(receipt, SplitReceipt), posted or {})
    if receipt["type"] == "grouped":  # of a member: an exchange
        return restore(convert(receipt, GroupReceipt), posted or {})
    if receipt["type"] != "posted":
        return convert(receipt, Declined | Queued)
    own = {name: convert(receipt[name], type_) for name, type_ in _FIELDS.items() if name in receipt}
    named = {f"{side}_name": receipt.get(f"{side}_name") for side in ("source", "target")}
    source, target = sides(named | {name: convert(receipt[name], type_ | None) for name, type_ in TYPES.items()})
    return Posted(source=source, target=target, **own)
