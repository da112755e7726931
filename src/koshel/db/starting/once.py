"""One connection for one database transaction: for commands, and for a library that has no ledger open yet."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from koshel.db.namespace import Namespace
from koshel.db.pools import TimeLimits
from koshel.db.queries import Queries
from koshel.db.row_security import confine
from koshel.db.starting import proof
from koshel.db.url import Target

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

T = TypeVar("T")


async def transact(
    url: str | Target,
    work: "Callable[[AnyConnection, Queries], Awaitable[T]]",
    *,
    ledger_id: int | None = None,
    schema: str | None = None,
    limits: TimeLimits | None = None,
) -> T:
    """What the work returns, once it is committed. Raises Unfit or Away, and what the work raises.

    `ledger_id`: whose rows it needs; None: it reads those of all.
    """
    async with proof.connect_to(url, limits or TimeLimits()) as connection:
        namespace = Namespace(schema)
        await namespace.look(connection)
        async with connection.transaction():
            await confine(connection, namespace, None if ledger_id is None else [ledger_id])
            return await work(connection, namespace.queries)
