"""What was changed and when, read: of an account, and of the notes on a transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from koshel.core.changes import Change
from koshel.core.turnovers import Limit
from koshel.db import rows
from koshel.db.queries import Queries
from koshel.db.reads import find_transaction

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

SHOWN_MAX = 500  # changes

_PLAIN = ("email", "min_balance", "max_balance", "status")  # columns of an account, as the driver gives them
_FIXED = ("currency", "name")  # what only its opening says


async def of_account(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, account: int | str
) -> Sequence[Change] | None:
    """The changes of the account of an id or a name, its opening first, SHOWN_MAX at most; None if there is none."""
    query = q.get_account if isinstance(account, int) else q.get_account_named
    row = await connection.fetchrow(query, ledger_id, account)
    if row is None:
        return None
    found = await connection.fetch(q.list_account_changes, ledger_id, row["id"], -1, SHOWN_MAX)
    return [
        _of_account(one, {} if one["has_before"] else {name: (None, row[name]) for name in _FIXED}) for one in found
    ]


async def of_transaction(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, transaction_id: int
) -> Sequence[Change] | None:
    """The changes of its notes, oldest first, SHOWN_MAX at most; None if there is no such transaction."""
    found = await connection.fetch(q.list_transaction_changes, ledger_id, transaction_id, 0, SHOWN_MAX)
    if not found and await find_transaction(connection, q, ledger_id, transaction_id) is None:
        return None
    return [
        _change(
            row,
            metadata=(rows.metadata(row["metadata_before"]), rows.metadata(row["metadata"])),
            description=(row["description_before"], row["description"]),
        )
        for row in found
    ]


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
