"""How much has moved in a ledger between two moments, from one snapshot.

Volume is money that moved: payments, withdrawals, transfers, captures and refunds. Holds and what ends them move none.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from koshel.core.commands import Kind
from koshel.db.queries import Queries
from koshel.db.reading import archived
from koshel.db.reading.wanted import FIRST_MOMENT, LAST_MOMENT

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

# So many take PostgreSQL a good half of a second, and with a cold cache less than the time limit of a statement.
TRANSACTIONS_MAX = 100_000
VOLUMES_MAX = 5_000  # half a year of days, of five kinds, in five currencies; as JSON they are half a megabyte


class Grouping(Struct, frozen=True):
    """What transactions are added up by, besides the currency: amounts of two currencies are never added up."""

    name_parts: int = 0  # of the names of accounts, the first of those that colons part; 0: whatever their names
    by_kind: bool = False
    by_day: bool = False


class Volume(Struct, frozen=True, kw_only=True):
    """What some transactions have moved that have these things in common, each of them once; None: not grouped by that.

    With a prefix of names a transaction belongs to that of its source and to that of its target.
    """

    name_prefix: str | None  # None, too, of accounts without a name
    currency: str
    kind: Kind | None
    day: date | None  # in UTC
    transactions: int
    total: Decimal
    total_in: Decimal | None  # with a prefix: what came into its accounts, from others of them too
    total_out: Decimal | None  # ... and what left them


class TooMuch(Exception):
    """It is more than may be read, or answered, at once.

    `fits_until`: from the same moment on until this one it is few enough to read; None: there is no such moment.
    """

    def __init__(self, what: Literal["transactions", "volumes"], fits_until: datetime | None = None) -> None:
        super().__init__(what, fits_until)
        self.what = what
        self.fits_until = fits_until


async def of_ledger(
    connection: "AnyConnection",
    q: Queries,
    *,
    ledger_id: int,
    grouping: Grouping,
    since: datetime | None,
    until: datetime | None,
) -> Sequence[Volume]:
    """The volumes, in the order of prefix, currency, kind and day; accounts without a name last.

    Raises TooMuch, HistoryArchived.
    """
    begin, end = since or FIRST_MOMENT, until or LAST_MOMENT
    arguments = (TRANSACTIONS_MAX + 1, grouping.name_parts, grouping.by_kind, grouping.by_day, VOLUMES_MAX + 1)
    found = await connection.fetch(q.sum_volume, ledger_id, begin, end, *arguments)
    await archived.require_since(connection, q, ledger_id, since)
    if found and found[0]["ends_at"] is not None:
        ends_at = found[0]["ends_at"]
        raise TooMuch("transactions", ends_at if ends_at > begin else None)
    if len(found) > VOLUMES_MAX:
        raise TooMuch("volumes")
    return [
        Volume(
            name_prefix=row["prefix"],
            currency=row["currency"],
            kind=None if row["kind"] is None else Kind(row["kind"]),
            day=row["day"],
            transactions=row["transactions"],
            total=row["total"],
            total_in=row["total_in"] if grouping.name_parts else None,
            total_out=row["total_out"] if grouping.name_parts else None,
        )
        for row in found
    ]
