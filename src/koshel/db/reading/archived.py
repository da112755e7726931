"""What of the books is archived: the oldest partitions of transactions are detached, and nothing here can read them.

An account's lines are numbered without a gap, so that some of them are archived if there are fewer than their numbers
say. Of a ledger as a whole nothing says what was archived, only that something was: then it is not trusted to have all.
Each of these looks comes after the read that it vouches for, so that what is detached in between is noticed.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from koshel.core.model import AccountDetails
from koshel.db.errors import HistoryArchived
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

MICROSECOND = timedelta(microseconds=1)


async def is_any(connection: "AnyConnection", q: Queries) -> bool:
    """Whether any partition of the database is archived."""
    found: bool = await connection.fetchval(q.find_archived)
    return found


async def lacks(connection: "AnyConnection", q: Queries, account: AccountDetails, first: int, last: int) -> bool:
    """Whether any line of an account, from the version `first` to `last`, is archived."""
    if last < first or not await is_any(connection, q):
        return False
    return not await _are_there(connection, q, account, first, last)


async def _are_there(connection: "AnyConnection", q: Queries, account: AccountDetails, first: int, last: int) -> bool:
    lines: int = await connection.fetchval(q.count_lines, account.ledger_id, account.id, first, last)
    return lines == last - first + 1


async def refusal(connection: "AnyConnection", q: Queries, account: AccountDetails) -> HistoryArchived:
    """What is raised, with the time from which on the account's lines are all there."""
    low, high = 0, account.version  # the last line that is archived is between them
    while low < high:
        middle = (low + high) // 2
        if await _are_there(connection, q, account, middle + 1, high):
            high = middle
        else:
            low = middle + 1
    row = await connection.fetchrow(q.get_state, account.ledger_id, account.id, low + 1)
    return HistoryArchived(account.id, None if row is None else row["ctime"] + MICROSECOND)


async def require_since(connection: "AnyConnection", q: Queries, ledger_id: int, since: datetime | None) -> None:
    """Raises HistoryArchived if a ledger's transactions from this moment on (None: all) may be archived in part.

    Those of one batch have one time, and may be in two partitions.
    """
    if not await is_any(connection, q):
        return
    found = await connection.fetchrow(q.find_first, ledger_id)
    assert found is not None, "a row without a table"
    first: datetime | None = found["ctime"]
    if first is None and not found["has_moved"]:
        return
    if first is None or since is None or since <= first:
        raise HistoryArchived(None, None if first is None else first + MICROSECOND)
