"""The turnover of an account: what has gone out of it, and come into it, in the windows of its limits by time.

A window rolls: it is counted in buckets, a sixtieth of its length each. A bucket counts until all of it is past, so
what counts is never less than what the window holds, and reaches back a sixtieth further at most.

    now - length                                                now
         │                                                       │
    ┌────┴──┬───────┬───────┬─  ...  ─┬───────┬───────┬──────────┴┐
    └───────┴───────┴───────┴─  ...  ─┴───────┴───────┴───────────┘   61 buckets count
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, reduce
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct, field

from koshel.core.money import add, subtract

Period: TypeAlias = Literal["1h", "1d", "7d", "30d", "365d"]  # how long a window of a limit by time is
Way: TypeAlias = Literal["out", "in"]
Sums: TypeAlias = Mapping[Way, Decimal]

PARTS = 60  # of a window
LENGTHS: Mapping[Period, timedelta] = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "365d": timedelta(days=365),
}
WIDTHS: Mapping[Period, timedelta] = {per: length / PARTS for per, length in LENGTHS.items()}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)  # later than all times

_ZERO = Decimal(0)


class Limit(Struct, frozen=True, gc=False):
    """How much may go out of an account, and how much may come in, in any window of this length; None: any amount."""

    per: Period
    out: Decimal | None = None
    in_: Decimal | None = field(default=None, name="in")


class Bucket(Struct, frozen=True, array_like=True, gc=False):
    """What moved in one part of a window; the parts are numbered from 1970 on, so all accounts have the same ones."""

    number: int
    out: Decimal
    in_: Decimal


class Minute(NamedTuple):
    """What moved in a minute, numbered from 1970 on."""

    number: int
    out: Decimal
    in_: Decimal


class Window(Struct, frozen=True, gc=False):
    """What moved in the last hours or days: the buckets that count, the oldest first, without those of nothing."""

    per: Period
    since: int  # the version of the account after which it is counted
    buckets: tuple[Bucket, ...] = ()

    def sums(self) -> Sums:
        """What has gone out in all of it, and what has come in."""
        out = in_ = _ZERO
        for one in self.buckets:
            out, in_ = add(out, one.out), add(in_, one.in_)
        return {"out": out, "in": in_}


class Excess(NamedTuple):
    """A limit that an amount does not fit into."""

    per: Period
    limit: Decimal
    left: Decimal  # what would fit
    fits_at: datetime | None  # when the amount fits, if nothing else moves; None: not by waiting


class Turnover(Struct, frozen=True, gc=False):
    """What the limits of an account are measured against, at the one time of a book.

    An account that may be given limits has its windows too: what moves before it is given them counts.
    """

    limits: tuple[Limit, ...]
    limits_version: int  # the account's when it was given these limits
    windows: Mapping[Period, Window]  # as they stood when the book was read
    sums: Mapping[Period, Sums]  # theirs
    out: Decimal = _ZERO  # what has gone out since the book was read
    in_: Decimal = _ZERO  # what has come in since

    def used(self, per: Period, way: Way) -> Decimal:
        """What counts against a limit."""
        return add(self.sums[per][way], self.out if way == "out" else self.in_)

    def fits_at(self, per: Period, way: Way, over: Decimal, now: datetime) -> datetime | None:
        """When less counts, by `over`, if nothing else moves; None: that is more than all that counts."""
        for bucket in self._counted(per, now).buckets:
            over = subtract(over, bucket.out if way == "out" else bucket.in_)
            if over <= 0:
                return leaves_at(per, bucket.number)
        return None

    def releases(self, per: Period, way: Way, now: datetime) -> list[datetime]:
        """The times at which less counts, if nothing else moves, in their order."""
        buckets = self._counted(per, now).buckets
        return [leaves_at(per, one.number) for one in buckets if (one.out if way == "out" else one.in_)]

    def used_at(self, per: Period, way: Way, moment: datetime, now: datetime) -> Decimal:
        """What counts against a limit then, if nothing else moves."""
        counted = self._counted(per, now).buckets
        counting = [one for one in counted if moment <= now or leaves_at(per, one.number) > moment]
        return reduce(add, [one.out if way == "out" else one.in_ for one in counting], _ZERO)

    def sent(self, amount: Decimal) -> "Turnover":
        """The same once so much has gone out."""
        return Turnover(self.limits, self.limits_version, self.windows, self.sums, add(self.out, amount), self.in_)

    def taken(self, amount: Decimal) -> "Turnover":
        """The same once so much has come in."""
        return Turnover(self.limits, self.limits_version, self.windows, self.sums, self.out, add(self.in_, amount))

    def given(self, limits: tuple[Limit, ...], version: int) -> "Turnover":
        """The same with other limits, which the account is given at this version."""
        missing = {limit.per: Window(limit.per, 0) for limit in limits if limit.per not in self.windows}
        windows = {**self.windows, **missing}
        sums = {**self.sums, **{per: one.sums() for per, one in missing.items()}}
        return Turnover(limits, version, windows, sums, self.out, self.in_)

    def counted(self, now: datetime) -> list[Window]:
        """The windows of its limits at the end of the book, which is of this time."""
        return [self._counted(limit.per, now) for limit in self.limits]

    def _counted(self, per: Period, now: datetime) -> Window:
        """With what has moved since the book was read."""
        window = self.windows[per]
        if not self.out and not self.in_:
            return window
        *older, last = window.buckets or (Bucket(0, _ZERO, _ZERO),)
        # If the clock was set back, in the bucket that is there: it must not count for a shorter time.
        number = max(number_at(per, now), last.number)
        if last.number == number:
            newest = Bucket(number, add(last.out, self.out), add(last.in_, self.in_))
            return Window(per, window.since, (*older, newest))
        return Window(per, window.since, (*window.buckets, Bucket(number, self.out, self.in_)))


Turnovers: TypeAlias = dict[int, Turnover]  # by the ids of accounts


def turnover(limits: tuple[Limit, ...], version: int, windows: Iterable[Window], now: datetime) -> Turnover:
    """The turnover by a book of this time: the buckets that are past are left out."""
    counting = {one.per: _counting(one, now) for one in windows}
    return Turnover(limits, version, counting, {per: one.sums() for per, one in counting.items()})


@lru_cache(maxsize=64)  # a batch has one time
def number_at(per: Period, moment: datetime) -> int:
    """Which bucket a moment is in."""
    return (moment - EPOCH) // WIDTHS[per]


def leaves_at(per: Period, number: int) -> datetime:
    """When a bucket counts no more."""
    return EPOCH + (number + 1) * WIDTHS[per] + LENGTHS[per]


def of_minutes(per: Period, since: int, minutes: Iterable[Minute]) -> Window:
    """The window of an account with a history, from its oldest minute on."""
    sums: dict[int, Bucket] = {}
    for minute in minutes:
        number = minute.number // (WIDTHS[per] // timedelta(minutes=1))
        before = sums.get(number, Bucket(number, _ZERO, _ZERO))
        sums[number] = Bucket(number, add(before.out, minute.out), add(before.in_, minute.in_))
    return Window(per, since, tuple(sums.values()))


def _counting(window: Window, now: datetime) -> Window:
    oldest = number_at(window.per, now) - PARTS
    if not window.buckets or window.buckets[0].number >= oldest:
        return window
    return Window(window.per, window.since, tuple(one for one in window.buckets if one.number >= oldest))
