"""What an import looks up in a ledger before anything is written to it."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.core.commands import Status
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Account(Struct, frozen=True):
    """An account that a line asks for."""

    id: int
    name: str | None
    currency: str
    is_open: bool


async def accounts_of(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, ids: Collection[int], names: Collection[str]
) -> Sequence[Account]:
    """Those of these accounts that there are."""
    rows = await connection.fetch(q.find_accounts_to_import_to, ledger_id, list(ids), list(names))
    return [Account(row["id"], row["name"], row["currency"], row["status"] == Status.OPEN) for row in rows]


async def answered_keys(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, keys: Collection[str]
) -> AbstractSet[str]:
    """Those of these keys that have answered something."""
    return {row["idempotency_key"] for row in await connection.fetch(q.find_keys, ledger_id, list(keys))}
