"""A group's answer as its receipt keeps it: of plain moves only the ids, since their rows say all the rest."""

from collections.abc import Mapping

from msgspec import Struct

from koshel.core.commands import Group, Member, Move
from koshel.core.model import Declined, Executed, Grouped, Posted, Replayed


class KeptMember(Struct, frozen=True):
    """A member that is more than a plain move, and its answer."""

    command: Member
    outcome: Posted | Declined | Executed | Replayed


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
        one.id if type(command) is Move and type(one) is Posted else KeptMember(command, one)
        for command, one in zip(group.members, grouped.outcomes, strict=True)
    ]
    return KeptGroup(group.ledger_id, group.key, group.atomic, grouped.group_id, members)


def transactions(kept: KeptGroup) -> set[tuple[int, int]]:
    """The transactions that must be read to restore it, each with its ledger id."""
    return {(kept.ledger_id, one) for one in kept.members if isinstance(one, int)}


def restore(kept: KeptGroup, posted: Mapping[int, Posted]) -> Grouped:
    """The answer as it was. A plain move's command says the amount that was posted: what was sent was rounded."""
    pairs = [
        (_move(posted[one]), posted[one]) if isinstance(one, int) else (one.command, one.outcome)
        for one in kept.members
    ]
    group = Group(kept.ledger_id, tuple(command for command, _ in pairs), kept.atomic, kept.key)
    return Grouped(group, [outcome for _, outcome in pairs], kept.group_id)


def _move(posted: Posted) -> Move:
    return Move(
        posted.ledger_id,
        posted.kind,
        posted.source_account_id,
        posted.target_account_id,
        posted.amount,
        posted.metadata,
        posted.key,
    )
