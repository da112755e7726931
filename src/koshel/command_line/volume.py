"""How much has moved in a ledger, in as many steps as it takes: as a table, as JSON, as CSV or as a picture."""

import csv
import io
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, json
from msgspec.structs import asdict, replace

from koshel.command_line.commands import CommandError
from koshel.command_line.tables import Table
from koshel.core.commands import Kind
from koshel.core.money import add
from koshel.db.reading.volume import Grouping, Volume
from koshel.errors import Refused
from koshel.files.cells import safe
from koshel.http.bodies.volume_bodies import LedgerVolumes, shown
from koshel.inputs import moments
from koshel.library.ledger import Ledger
from koshel.library.volumes import TOO_LARGE, grouping

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORTEST = timedelta(seconds=1)
NUMBERS = ("transactions", "total", "total_in", "total_out")
COLUMNS = ("name_prefix", "currency", "kind", "day", *NUMBERS)


class Found(Struct, frozen=True):
    """The volumes between two moments."""

    by: Grouping
    since: datetime | None
    until: datetime | None
    volumes: Sequence[Volume]


async def find(
    ledger: Ledger,
    group_by: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    progress: Callable[[float], None],
) -> Found:
    """The volumes of any stretch of time: what is too large at once is read in steps. Raises CommandError."""
    sums: dict[tuple[str | None, str, Kind | None, date | None], Volume] = {}
    begin, end = since, None
    first, last = since, until or datetime.now(UTC)
    while True:
        try:
            found = await ledger.volume(group_by, since=begin, until=end or until)
        except Refused as error:
            if error.code != TOO_LARGE:
                raise
            first = first or await _beginning(ledger)
            begin = begin or first
            end = _earlier(error, begin, end or last)
            progress((end - first) / max(last - first, end - first, SHORTEST))
            continue
        for one in found:
            key = (one.name_prefix, one.currency, one.kind, one.day)
            sums[key] = _together(sums[key], one) if key in sums else one
        if begin is None or end is None:
            break
        begin, end = end, _onward(begin, end, last)
    ordered = sorted(sums.values(), key=_place)
    return Found(grouping(group_by), since, until, ordered)


async def _beginning(ledger: Ledger) -> datetime:
    """A time before which nothing has moved."""
    async for one in ledger.transactions(newest_first=False):
        return one.ctime
    return datetime.now(UTC)


def _earlier(error: Refused, begin: datetime, end: datetime) -> datetime:
    """The end of a shorter step: until when it fits, if that is known, and else half of it. Raises CommandError."""
    fits_until = error.facts.get("fits_until")
    if fits_until is not None:
        return moments.moment(str(fits_until), "fits_until")
    middle = begin + (end - begin) / 2
    if not begin < middle < end:
        raise CommandError(_too_large(error)) from None
    return middle


def _onward(begin: datetime, end: datetime, last: datetime) -> datetime | None:
    """The end of the step after one that was answered: twice as long; None: all that is left."""
    length = 2 * (end - begin)
    return end + length if length < last - end else None


def _too_large(error: Refused) -> str:
    most = f"{error.facts['volumes_max']} volumes, or {error.facts['transactions_max']} transactions, of one moment"
    return f"it is more than {most}; --group-by less, or ask for another time"


def _together(first: Volume, second: Volume) -> Volume:
    return replace(
        first,
        transactions=first.transactions + second.transactions,
        total=add(first.total, second.total),
        total_in=_sum(first.total_in, second.total_in),
        total_out=_sum(first.total_out, second.total_out),
    )


def _sum(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return None if first is None or second is None else add(first, second)


def _place(one: Volume) -> tuple[bool, str, str, str, date]:
    return one.name_prefix is None, one.name_prefix or "", one.currency, one.kind or "", one.day or date.min


def as_json(found: Found) -> str:
    """The body of GET /ledger/volume."""
    return json.encode(LedgerVolumes(shown(found.volumes, found.by))).decode() + "\n"


def as_csv(found: Found) -> str:
    """A row for each volume, after the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text)
    heads, rows = _cells(found)
    writer.writerow(heads)
    writer.writerows([safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def as_table(found: Found) -> str:
    """A table."""
    heads, rows = _cells(found)
    return Table(heads, NUMBERS).text(rows) if rows else "Nothing has moved.\n"


def _cells(found: Found) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The columns that were asked for, and their cells."""
    by = found.by
    of_names = dict.fromkeys(("name_prefix", "total_in", "total_out"), by.name_parts > 0)
    asked = {"kind": by.by_kind, "day": by.by_day, **of_names}
    heads = [name for name in COLUMNS if asked.get(name, True)]
    every = [asdict(one) for one in shown(found.volumes, by)]
    return heads, [["" if one[name] in {None, UNSET} else str(one[name]) for name in heads] for one in every]


def picture(found: Found, ledger: str) -> "Figure":
    """The volumes as a picture."""
    from koshel.pictures.volume import Of, drawn  # noqa: PLC0415  it needs an extra

    return drawn(Of(ledger, found.since, found.until, found.by), found.volumes)
