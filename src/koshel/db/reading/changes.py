"""What was changed and when, read: of an account, and of the notes on a transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import Struct

from koshel.core.changes import Change
from koshel.core.turnovers import Limit
from koshel.db.mapping import rows
from koshel.db.queries import Queries
from koshel.db.reading.pages import Ask, turned
from koshel.db.reading.wanted import Id, Listed
from koshel.db.reads import find_transaction

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

AT_ONCE = 500  # changes that are read
NEWEST = 2**63 - 1  # no revision is later

_PLAIN = ("email", "min_balance", "max_balance", "status")  # columns of an account, as the driver gives them
_FIXED = ("currency", "name")  # what only its opening says


class Revision(Struct, frozen=True, array_like=True):
    """Where a page of changes has ended."""

    revision: Id


class Read(Protocol):
    """Reads a page of changes; None if what was changed is not there."""

    async def __call__(
        self, connection: "AnyConnection", q: Queries, ledger_id: int, of: Any, ask: Ask
    ) -> "Page | None":
        """A page."""


Page: TypeAlias = Listed[Change, Revision]


async def of_account(connection: "AnyConnection", q: Queries, ledger_id: int, of: int | str, ask: Ask) -> Page | None:
    """The changes of the account of an id or a name, the first of them its opening; None if there is none."""
    query = q.get_account if isinstance(of, int) else q.get_account_named
    row = await connection.fetchrow(query, ledger_id, of)
    if row is None:
        return None
    found = await connection.fetch(turned(q.list_account_changes, ask.order), ledger_id, row["id"], *_from(ask))
    fixed = {name: (None, row[name]) for name in _FIXED}
    return _page(ask, [_of_account(one, {} if one["has_before"] else fixed) for one in found])


async def of_transaction(connection: "AnyConnection", q: Queries, ledger_id: int, of: int, ask: Ask) -> Page | None:
    """The changes of its notes; None if there is no such transaction."""
    found = await connection.fetch(turned(q.list_transaction_changes, ask.order), ledger_id, of, *_from(ask))
    if not found and await find_transaction(connection, q, ledger_id, of) is None:
        return None
    changes = [
        _change(
            row,
            metadata=(rows.metadata(row["metadata_before"]), rows.metadata(row["metadata"])),
            description=(row["description_before"], row["description"]),
        )
        for row in found
    ]
    return _page(ask, changes)


async def all_of(
    connection: "AnyConnection", q: Queries, *, read: Read, ledger_id: int, of: int | str
) -> Sequence[Change] | None:
    """All changes, the oldest first; None if what was changed is not there."""
    changes: list[Change] = []
    start = None
    while True:
        page = await read(connection, q, ledger_id, of, Ask(AT_ONCE, "asc", start))
        if page is None:
            return None
        changes += page.items
        if page.ends_at is None:
            return changes
        start = page.ends_at


def _from(ask: Ask) -> tuple[int, int]:
    """The revision that a page begins behind, and how many changes to look for."""
    first = NEWEST if ask.order == "desc" else -1
    return (first if ask.start is None else ask.start.revision), ask.limit + 1


def _page(ask: Ask, found: list[Change]) -> Page:
    if len(found) <= ask.limit:
        return Listed(found, None)
    return Listed(found[: ask.limit], Revision(found[ask.limit - 1].revision))


def _of_account(row: Any, fixed: dict[str, tuple[Any, Any]]) -> Change:
    """`fixed`: what its opening says besides."""
    now = {name: row[name] for name in _PLAIN} | _decoded(row["metadata"], row["limits"])
    before = {name: row[f"{name}_before"] for name in _PLAIN}
    before |= _decoded(row["metadata_before"], row["limits_before"]) if row["has_before"] else dict.fromkeys(now)
    return _change(row, **fixed, **{name: (before[name], value) for name, value in now.items()})


def _decoded(metadata: str, limits: str | None) -> dict[str, Any]:
    given: tuple[Limit, ...] | None = None if limits is None else rows.limits(limits)
    return {"metadata": rows.metadata(metadata), "limits": given}


def _change(row: Any, **fields: tuple[Any, Any]) -> Change:
    differing = {name: (before, now) for name, (before, now) in fields.items() if before != now}
    return Change(row["revision"], differing, row["idempotency_key"], row["ctime"])
