"""The changes of accounts, each with how it has left the account: what a batch writes of them, beside openings."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from koshel.core.model import Changed
from koshel.db.mapping import columns
from koshel.db.mapping.tables import ACCOUNT_CHANGE, Mostly
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_COLUMNS = [column for column in ACCOUNT_CHANGE if column.mostly is not Mostly.ONE]


async def record(connection: "AnyConnection", q: Queries, changed: Sequence[Changed], now: datetime) -> None:
    """Write the changes of a batch, at its one time; an opening is written with its account."""
    values = [{column.name: attrgetter(column.at)(one) for column in _COLUMNS} for one in changed]
    await connection.execute(q.record_account_changes, *columns.arrays(values, _COLUMNS), now)
