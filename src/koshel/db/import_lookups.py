"""What an import looks up in a ledger before anything is written to it."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def currencies_of(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, ids: Collection[int], names: Collection[str]
) -> tuple[dict[int, str], dict[str, str]]:
    """The currencies of those of these accounts that there are: by id, and by name."""
    rows = await connection.fetch(q.find_accounts_to_import_to, ledger_id, list(ids), list(names))
    return (
        {row["id"]: row["currency"] for row in rows},
        {row["name"]: row["currency"] for row in rows if row["name"] is not None},
    )


async def answered_keys(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, keys: Collection[str]
) -> AbstractSet[str]:
    """Those of these keys that have answered something."""
    return {row["idempotency_key"] for row in await connection.fetch(q.find_keys, ledger_id, list(keys))}
