"""Points in time, as callers write them: what each means, and which mean nothing."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from koshel.inputs.moments import LENGTH_MAX, moment
from koshel.inputs.values import Invalid

BERLIN = ZoneInfo("Europe/Berlin")
MEANT = {
    "2027-01-31T09:00:00Z": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31T10:00:00+01:00": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31T00:30:00+01:00": datetime(2027, 1, 30, 23, 30, tzinfo=UTC),
    "2027-01-31T03:30:00-05:30": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31t09:00:00z": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31 09:00:00Z": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31T09:00:00.5Z": datetime(2027, 1, 31, 9, 0, 0, 500_000, tzinfo=UTC),
    "2027-01-31T09:00:00.123456999Z": datetime(2027, 1, 31, 9, 0, 0, 123_456, tzinfo=UTC),
    "2027-01-31T09:00:00-00:00": datetime(2027, 1, 31, 9, tzinfo=UTC),
    "2027-01-31T09:00:00+23:59": datetime(2027, 1, 30, 9, 1, tzinfo=UTC),
    "2028-02-29T00:00:00Z": datetime(2028, 2, 29, tzinfo=UTC),
    # The night in which clocks go back in Berlin has an hour twice, the one in which they go forward lacks one.
    "2026-10-25T02:30:00+02:00": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    "2026-10-25T02:30:00+01:00": datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    "2027-03-28T02:30:00+01:00": datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
    # Leap seconds: one that was, one that may be, and one as clocks in Los Angeles had it.
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
    "2027-06-30T23:59:60.25Z": datetime(2027, 7, 1, 0, 0, 0, 250_000, tzinfo=UTC),
    "2016-12-31T15:59:60-08:00": datetime(2017, 1, 1, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59.999999Z": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}
MEANINGLESS = [
    "",
    "now",
    "tomorrow",
    "1795683600",
    "2027-01-31",
    "09:00:00Z",
    "2027-01-31T09:00:00",  # whose nine o'clock?
    "2027-01-31T09:00Z",
    "2027-01-31T9:00:00Z",
    "20270131T090000Z",
    "2027-W04-7T09:00:00Z",
    "2027-01-31T09:00:00+01",
    "2027-01-31T09:00:00+0100",
    "2027-01-31T09:00:00 +01:00",
    "2027-01-31T09:00:00+24:00",
    "2027-01-31T09:00:00+01:60",
    "2027-01-31T09:00:00+01:00[Europe/Berlin]",
    "2027-01-31T09:00:00 Europe/Berlin",
    "2027-01-31T09:00:00CET",
    "2027-01-31T09:00:00,5Z",
    "2027-01-31T09:00:00.Z",
    "2027-01-31T24:00:00Z",
    "2027-01-31T09:60:00Z",
    "2027-01-31T09:00:61Z",
    "2027-01-31T09:00:60Z",
    "2016-12-31T23:59:60+01:00",  # a leap second is the last of a month in UTC
    "2016-12-30T23:59:60Z",
    "2027-02-29T00:00:00Z",
    "2027-02-30T00:00:00Z",
    "2027-13-01T00:00:00Z",
    "2027-00-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "+2027-01-31T09:00:00Z",
    "-2027-01-31T09:00:00Z",
    "12027-01-31T09:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-01:00",
    "9999-12-31T23:59:60Z",
    " 2027-01-31T09:00:00Z",
    "2027-01-31T09:00:00Z\n",
    "2027-01-31T09:00:00Z\x00",
    "\u0662027-01-31T09:00:00Z",
    "\u0660027-01-31T09:00:00Z",
    "2027-01-31T09:00:00." + "1" * LENGTH_MAX + "Z",
    "2" * 1_000_000,
]


@pytest.mark.parametrize("text", MEANT)
def test_a_time_is_one_moment_whichever_way_it_is_written(text: str) -> None:
    found = moment(text, "execute_at")
    assert (found, found.tzinfo) == (MEANT[text], UTC)


@pytest.mark.parametrize("text", MEANINGLESS, ids=lambda text: repr(text[:40]))
def test_what_is_no_moment_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        moment(text, "execute_at")
    assert refused.value.field == "execute_at"
    assert refused.value.reason.startswith("must ")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (datetime(2027, 1, 31, 9, tzinfo=UTC), "2027-01-31T09:00:00+00:00"),
        (datetime(2027, 1, 31, 9, tzinfo=timezone(timedelta(hours=5, minutes=45))), "2027-01-31T03:15:00+00:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "2026-10-25T00:30:00+00:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), "2026-10-25T01:30:00+00:00"),
        (datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN), "2027-03-28T01:30:00+00:00"),
    ],
)
def test_a_program_says_an_aware_datetime(given: datetime, meant: str) -> None:
    assert moment(given, "capture_at").isoformat() == meant


@pytest.mark.parametrize(
    "given",
    [
        datetime(2027, 1, 31, 9),  # noqa: DTZ001  that is what is refused
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
        date(2027, 1, 31),
        1_795_683_600,
        None,
        b"2027-01-31T09:00:00Z",
    ],
)
def test_what_is_none_is_refused_in_a_program_too(given: Any) -> None:
    with pytest.raises(Invalid):
        moment(given, "capture_at")
