"""A group's answer as its receipt keeps it: of plain moves only the ids, since their rows say all the rest."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, convert
from msgspec.structs import fields

from koshel.core.book import asked
from koshel.core.commands import Group, Member, Move
from koshel.core.model import Declined, Grouped, Posted, Queued, Replayed
from koshel.db.sides import TYPES, flat, sides

_FIELDS = {field.name: field.type for field in fields(Posted) if field.name not in {"source", "target"}}


class KeptMember(Struct, frozen=True):
    """A member that is more than a plain move, and its answer, as JSON has it."""

    command: Member
    outcome: Any


class KeptGroup(Struct, frozen=True, tag="grouped"):
    """What a group's key has answered."""

    ledger_id: int
    key: str | None
    atomic: bool
    group_id: int | None
    members: list[int | KeptMember]  # the id of a plain move


def keep(grouped: Grouped) -> KeptGroup:
    """The answer, once its transactions have their ids."""
    group = grouped.command
    members = [
        one.id if type(command) is Move and type(one) is Posted else KeptMember(command, _kept(one))
        for command, one in zip(group.members, grouped.outcomes, strict=True)
    ]
    return KeptGroup(group.ledger_id, group.key, group.atomic, grouped.group_id, members)


def transactions(kept: KeptGroup) -> set[tuple[int, int]]:
    """The transactions that must be read to restore it, each with its ledger id."""
    return {(kept.ledger_id, one) for one in kept.members if isinstance(one, int)}


def restore(kept: KeptGroup, posted: Mapping[int, Posted]) -> Grouped:
    """The answer as it was. A plain move's command says the amount that was posted: what was sent was rounded."""
    commands: list[Member] = []
    outcomes: list[Any] = []
    for one in kept.members:
        if isinstance(one, int):
            commands.append(asked(posted[one]))
            outcomes.append(posted[one])
        else:
            commands.append(one.command)
            outcomes.append(restored(one.outcome))
    return Grouped(Group(kept.ledger_id, tuple(commands), kept.atomic, kept.key), outcomes, kept.group_id)


def _kept(outcome: object) -> object:
    """As 0.2 has written it, with the columns of the sides beside the other fields."""
    if isinstance(outcome, Posted):
        return {"type": "posted", **{name: getattr(outcome, name) for name in _FIELDS}, **flat(outcome)}
    if isinstance(outcome, Replayed):
        return {"type": "replayed", "first": _kept(outcome.first)}
    return outcome


def restored(kept: Mapping[str, Any]) -> Any:
    """The outcome that was kept; a field that is not there yet has its default. Raises KeyError, ValidationError."""
    if kept["type"] == "replayed":
        return Replayed(restored(kept["first"]))
    if kept["type"] != "posted":
        return convert(kept, Declined | Queued)
    own = {name: convert(kept[name], type_) for name, type_ in _FIELDS.items() if name in kept}
    source, target = sides({name: convert(kept[name], type_ | None) for name, type_ in TYPES.items()})
    return Posted(source=source, target=target, **own)
