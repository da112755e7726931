"""Personal data of an account, erased over whichever connection: email, metadata, and what keys keep of them."""

from typing import TYPE_CHECKING, NamedTuple

from koshel.core.commands import Status
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Erased(NamedTuple):
    """An account whose personal data was to be erased, and its status: if it is not closed, nothing was."""

    account_id: int
    status: Status


async def erase(connection: "AnyConnection", q: Queries, ledger_id: int, account: int | str) -> Erased | None:
    """The account of an id or a name, None if there is none.

    Only of a closed one is anything erased: it stays closed for ever. Its name stays.

    Done again, it erases what was sent since, in changes that were refused.
    """
    query = q.get_account if isinstance(account, int) else q.get_account_named
    row = await connection.fetchrow(query, ledger_id, account)
    if row is None:
        return None
    status = Status(row["status"])
    if status is Status.CLOSED:
        await connection.execute(q.erase_account, ledger_id, row["id"])
    return Erased(row["id"], status)


async def ledger_of(connection: "AnyConnection", q: Queries, account_id: int) -> int | None:
    """The id of an account's ledger, None if there is no such account."""
    found: int | None = await connection.fetchval(q.find_ledger_of_account, account_id)
    return found
