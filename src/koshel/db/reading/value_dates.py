"""What an account had by value date: its lines by the days that they count for, and not by when they were posted.

    balance at the end of the day, as it was posted
      + what was posted later, and counts for the day or one before
      - what was posted by then, and counts for a later day
Nearly all lines count for their own day. An index has the others, and these two sums are over them alone.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from koshel.core.model import AccountDetails
from koshel.core.money import add
from koshel.db.errors import HistoryArchived
from koshel.db.queries import Queries
from koshel.db.reading import archived, lines
from koshel.db.reading.lines import State
from koshel.db.reading.wanted import LAST_MOMENT

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

LINES_MAX = 10_000  # that a sum is taken over, of each side and in each direction


class TooManyValueDates(Exception):
    """More lines than a sum is taken over are posted on the one side of a day, and count for the other."""

    def __init__(self, account_id: int, day: date, most: int) -> None:
        super().__init__(account_id, day, most)
        self.account_id = account_id
        self.day = day
        self.most = most


async def state_as_of(connection: "AnyConnection", q: Queries, account: AccountDetails, day: date) -> State:
    """What an account was left with at the end of a day in UTC, with the balance by value date.

    All of it is of one snapshot, that of the version of the account that is given: a version never changes.
    Raises TooManyValueDates, HistoryArchived.
    """
    try:
        (at_end,) = await lines.states_before(connection, q, account, (_end_of(day),))
        if at_end.version > account.version:
            at_end = await lines.state(connection, q, account, account.version)
    except HistoryArchived:
        raise _no_day(account) from None
    version = at_end.version
    row = await connection.fetchrow(
        q.sum_by_value_date, account.ledger_id, account.id, day.isoformat(), version, account.version, LINES_MAX + 1
    )
    assert row is not None, "an aggregate has a row"
    if await archived.lacks(connection, q, account, 1, account.version):
        raise _no_day(account)
    if row["most"] > LINES_MAX:
        raise TooManyValueDates(account.id, day, LINES_MAX)
    return at_end if row["change"] is None else replace(at_end, balance=add(at_end.balance, row["change"]))


def _no_day(account: AccountDetails) -> HistoryArchived:
    """A line may count for any day, and so may one that nobody can read: no later day helps."""
    return HistoryArchived(account.id, None)


def _end_of(day: date) -> datetime:
    """The first moment that is later than the day."""
    return LAST_MOMENT if day == date.max else datetime.combine(day + timedelta(days=1), time(), UTC)
