"""Which ledgers a database transaction of the service sees, where PostgreSQL's row-level security confines it.

    SET koshel.ledgers, for the transaction ──▶ policies `ledger_id = ANY (…)` on every table with a ledger_id

So a statement that forgets its ledger finds nothing of another one's, and writes nothing there. One in a transaction
that has not said its ledgers raises. Where the tables have no such policies, nothing is sent.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from koshel.db.lease import undo
from koshel.db.namespace import Namespace

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection, Connection

ALL = "all"

T = TypeVar("T")


async def confine(connection: "AnyConnection", namespace: Namespace, ledger_ids: Iterable[int] | None) -> None:
    """The rest of the open transaction sees, and writes, these ledgers only; None: it sees all, and writes none."""
    if namespace.is_confined:
        seen = ALL if ledger_ids is None else f"{{{','.join(map(str, ledger_ids))}}}"
        await connection.execute(namespace.queries.see_ledgers, seen)


async def confined(
    connection: "Connection",
    namespace: Namespace,
    ledger_id: int | None,
    look: "Callable[[Connection], Awaitable[T]]",
) -> T:
    """What is found over a connection that sees one ledger; None: all. Raises what the driver raises."""
    if not namespace.is_confined:
        return await look(connection)
    transaction = connection.transaction(isolation="read_committed")
    await transaction.start()
    try:
        await confine(connection, namespace, None if ledger_id is None else [ledger_id])
        found = await look(connection)
    except BaseException as error:
        await undo(connection, transaction, error)
        raise
    await transaction.commit()
    return found
