"""Stretches of time in which amounts are added up for a picture: of one length, as a calendar has them, in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

_ORIGIN: Final = datetime.min.replace(tzinfo=UTC)  # a Monday, and the first day of its month and its year
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_LENGTHS = {
    "a second": timedelta(seconds=1),
    "5 seconds": timedelta(seconds=5),
    "15 seconds": timedelta(seconds=15),
    "a minute": timedelta(minutes=1),
    "5 minutes": timedelta(minutes=5),
    "15 minutes": timedelta(minutes=15),
    "an hour": timedelta(hours=1),
    "3 hours": timedelta(hours=3),
    "6 hours": timedelta(hours=6),
    "a day": timedelta(days=1),
    "a week": timedelta(weeks=1),
}
_MONTHS = {"a month": 1, "a quarter": 3, "a year": 12, "10 years": 120, "100 years": 1_200}


class Bins(Struct, frozen=True):
    """Bins that follow each other: `place` says in which one a moment is, and `start` when one begins."""

    name: str  # of the length of one
    place: Callable[[datetime], int]
    start: Callable[[int], datetime]


def bins(first: datetime, last: datetime, most: int, *, least: str = "a second") -> Bins:
    """The shortest bins, but not shorter than `least`, of which at most so many reach from one moment to another."""
    names = [*_LENGTHS, *_MONTHS]
    for name in names[names.index(least) :]:
        found = _of_length(name, _LENGTHS[name]) if name in _LENGTHS else _of_months(name, _MONTHS[name])
        if found.place(last) - found.place(first) < most:
            return found
    raise AssertionError("a hundred bins of a hundred years are all there is")


def _of_length(name: str, length: timedelta) -> Bins:
    def start(place: int) -> datetime:
        try:
            return _ORIGIN + place * length
        except OverflowError:
            return _LAST

    return Bins(name, lambda moment: (moment - _ORIGIN) // length, start)


def _of_months(name: str, months: int) -> Bins:
    def start(place: int) -> datetime:
        year, month = divmod(place * months, 12)
        return _ORIGIN.replace(year=year + 1, month=month + 1) if year < _LAST.year else _LAST

    return Bins(name, lambda moment: ((moment.year - 1) * 12 + moment.month - 1) // months, start)
