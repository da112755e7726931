"""Claims: what is due, taken by the very transaction that will settle it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from koshel.core.commands import AutoCapture, Execute, Expire, Group
from koshel.core.originals import Pending
from koshel.db.mapping import rows
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

LOCK_TIMEOUT_MS = 100  # for accounts: what is claimed can wait, and what it has locked already others may want
FOLLOW_PAUSE_S = 0.2  # before what follows a queued transaction is tried again, at least


class ClaimQueued(Struct):
    """Claim up to `count` queued transactions of a ledger that are due, without some, or the one with the id `only`."""

    ledger_id: int
    count: int
    only: int | None = None
    without: list[int] = field(default_factory=list)  # ids
    claimed: list[int] = field(default_factory=list)  # ids, once they are


class ClaimHolds(Struct):
    """Claim up to `count` holds of a ledger to be captured, or that have expired, without some, or the one `only`."""

    ledger_id: int
    count: int
    only: int | None = None
    without: list[int] = field(default_factory=list)  # ids
    claimed: list[int] = field(default_factory=list)  # ids, once they are


Claim: TypeAlias = ClaimQueued | ClaimHolds


async def claim(connection: "AnyConnection", q: Queries, wanted: Claim) -> Group:
    """A group of what is due, which nobody else gets while this transaction is open."""
    ledger_id = wanted.ledger_id
    await connection.execute(q.limit_lock_wait, str(LOCK_TIMEOUT_MS))
    if isinstance(wanted, ClaimHolds):
        if wanted.only is None:
            due = await connection.fetch(q.claim_holds, ledger_id, wanted.count, wanted.without)
        else:
            due = await connection.fetch(q.claim_one_hold, ledger_id, wanted.only)
        wanted.claimed = [row["id"] for row in due]
        ends = (Expire(ledger_id, id_) if is_over else AutoCapture(ledger_id, id_) for id_, is_over in due)
        return Group(ledger_id, tuple(ends), atomic=False)
    if wanted.only is None:
        due = await connection.fetch(q.claim_queued, ledger_id, wanted.count, wanted.without)
    else:
        due = await connection.fetch(q.claim_one_queued, ledger_id, wanted.only)
    wanted.claimed = [row["id"] for row in due]
    return Group(ledger_id, tuple(rows.execution(ledger_id, row) for row in due), atomic=False)


async def ripe(connection: "AnyConnection", q: Queries, group: Group, pending: Mapping[int, Pending]) -> Group:
    """The group without what follows a queued transaction that is not in the group: that stays queued too."""
    kept: dict[int, Execute] = {}
    early: dict[int, int] = {}  # parent's id by its own
    for member in group.members:
        assert isinstance(member, Execute)
        parent_id = member.command.parent_id
        parent = None if parent_id is None else pending.get(parent_id)
        is_queued = parent is not None and parent.status == "queued"
        if parent_id is not None and is_queued and parent_id < member.id and parent_id not in kept:
            early[member.id] = parent_id
        else:
            kept[member.id] = member
    if not early:
        return group
    await connection.execute(q.defer, group.ledger_id, list(early), list(early.values()), FOLLOW_PAUSE_S)
    return Group(group.ledger_id, tuple(kept.values()), atomic=False)
