"""Personal data of an account, erased over whichever connection: email, metadata, and what keys keep of them."""

from typing import TYPE_CHECKING

from koshel.core.commands import Status
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def erase(connection: "AnyConnection", q: Queries, ledger_id: int, account_id: int) -> Status | None:
    """The account's status, None if there is none. Only of a closed one is anything erased: it stays closed for ever.

    Done again, it erases what was sent since, in changes that were refused.
    """
    row = await connection.fetchrow(q.get_account, ledger_id, account_id)
    if row is None:
        return None
    status = Status(row["status"])
    if status is Status.CLOSED:
        await connection.execute(q.erase_account, ledger_id, account_id)
    return status


async def ledger_of(connection: "AnyConnection", q: Queries, account_id: int) -> int | None:
    """The id of an account's ledger, None if there is no such account."""
    found: int | None = await connection.fetchval(q.find_ledger_of_account, account_id)
    return found
