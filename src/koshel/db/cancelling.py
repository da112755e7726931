"""A transaction that is queued is cancelled, over whichever connection."""

from typing import TYPE_CHECKING

from koshel.db.mapping.rows import FoundTransaction
from koshel.db.queries import Queries
from koshel.db.reads import find_transaction

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def cancel(
    connection: "AnyConnection", q: Queries, *, ledger_id: int, transaction_id: int, request_id: str | None
) -> FoundTransaction | None:
    """The transaction as it stands: cancelled, or decided before that; None if there is none.

    In a transaction of the caller's. Whoever decides it at the same moment has locked it: then this waits, and sees
    what came of that.
    """
    await connection.execute(q.cancel_queued, ledger_id, transaction_id, request_id)
    return await find_transaction(connection, q, ledger_id, transaction_id)
