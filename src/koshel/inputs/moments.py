"""Points in time and days, as callers say them: RFC 3339 over HTTP, and aware datetimes and dates in a program."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from msgspec import ValidationError, convert

from koshel.inputs.values import Invalid

Moment: TypeAlias = datetime | str  # str: RFC 3339

LENGTH_MAX = 64
REASON = "must be a time such as 2027-01-31T09:00:00Z or 2027-01-31T10:00:00.5+01:00"

DAY_REASON = "must be a date such as 2026-11-22"

# RFC 3339, section 5.6, with the digits of the fraction that are kept. Its patterns see a bounded length only.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]((?:[01][0-9]|2[0-3]):[0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,6})[0-9]*)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LEAP_SECOND = "60"
_NO_LEAP_SECOND = "must have seconds from 00 to 59: a leap second is the last of a month in UTC"
OUT_OF_RANGE = "must be in the years 1 to 9999, in UTC"


def text(moment: datetime) -> str:
    """RFC 3339, with microseconds and Z; the moment is in UTC already."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(value: Moment, field: str) -> datetime:
    """The point in time, in UTC; of a fraction of a second six digits count. Raises Invalid.

    A leap second is the same as the second after it, as PostgreSQL and POSIX have it.
    """
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise Invalid(field, "must have an offset from UTC: an aware datetime")
        return _in_utc(value, field)
    text = str(value)
    match = _TIME.fullmatch(text) if len(text) <= LENGTH_MAX else None
    if match is None:
        raise Invalid(field, REASON)
    on, minute, second, fraction, zone = match.groups()
    is_leap = second == _LEAP_SECOND
    told_at = f"{on}T{minute}:{'59' if is_leap else second}.{(fraction or '').ljust(6, '0')}"
    try:
        told = datetime.fromisoformat(told_at + ("+00:00" if zone in "Zz" else zone))
    except ValueError:
        raise Invalid(field, REASON) from None
    found = _in_utc(told, field)
    return _after_leap_second(found, field) if is_leap else found


def between(since: Moment | None, until: Moment | None) -> tuple[datetime | None, datetime | None]:
    """From when on, and before when, as `moment`; None: without end. Raises Invalid."""
    begin, end = (None if one is None else moment(one, field) for field, one in (("since", since), ("until", until)))
    if begin is not None and end is not None and begin > end:
        raise Invalid("since", "must not be after until")
    return begin, end


def day(value: date | str, field: str) -> date:
    """The day of the calendar. Raises Invalid: a moment is none."""
    if type(value) is date:
        return value
    try:
        return convert(value if isinstance(value, str) else None, date)
    except (ValidationError, UnicodeEncodeError):
        raise Invalid(field, DAY_REASON) from None


def _in_utc(told: datetime, field: str) -> datetime:
    try:
        return told.astimezone(UTC)
    except OverflowError:
        raise Invalid(field, OUT_OF_RANGE) from None


def _after_leap_second(before: datetime, field: str) -> datetime:
    """The second after a leap second, given the one before it. It is the last of a month in UTC, or there is none."""
    if (before.hour, before.minute) != (23, 59):
        raise Invalid(field, _NO_LEAP_SECOND)
    try:
        following = before + timedelta(seconds=1)
    except OverflowError:
        raise Invalid(field, OUT_OF_RANGE) from None
    if following.day != 1:
        raise Invalid(field, _NO_LEAP_SECOND)
    return following
