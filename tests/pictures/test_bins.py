"""Stretches of time follow each other without a gap, and begin where a calendar has them begin."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.pictures.bins import bins

NOON = datetime(2026, 11, 25, 12, 34, 56, tzinfo=UTC)  # a Wednesday
MOMENTS = st.datetimes(timezones=st.just(UTC))
LAST = datetime.max.replace(tzinfo=UTC)


@settings(max_examples=100, deadline=None)
@given(first=MOMENTS, last=MOMENTS, moment=MOMENTS, most=st.integers(100, 120))
def test_each_moment_is_in_one_of_them(first: datetime, last: datetime, moment: datetime, most: int) -> None:
    first, last = sorted((first, last))
    found = bins(first, last, most)
    assert found.place(last) - found.place(first) < most
    place = found.place(moment)
    assert found.start(place) <= moment
    assert moment < found.start(place + 1) or found.start(place + 1) == LAST
    assert found.place(found.start(place)) == place


@pytest.mark.parametrize(
    ("length", "name", "start"),
    [
        (timedelta(0), "a second", datetime(2026, 11, 25, 12, 34, 56, tzinfo=UTC)),
        (timedelta(minutes=5), "15 seconds", datetime(2026, 11, 25, 12, 34, 45, tzinfo=UTC)),
        (timedelta(minutes=40), "a minute", datetime(2026, 11, 25, 12, 34, tzinfo=UTC)),
        (timedelta(hours=10), "15 minutes", datetime(2026, 11, 25, 12, 30, tzinfo=UTC)),
        (timedelta(days=2), "an hour", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        (timedelta(days=14), "6 hours", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        (timedelta(days=40), "a day", datetime(2026, 11, 25, tzinfo=UTC)),
        (timedelta(days=365), "a week", datetime(2026, 11, 23, tzinfo=UTC)),
        (timedelta(days=1_500), "a month", datetime(2026, 11, 1, tzinfo=UTC)),
        (timedelta(days=5_000), "a quarter", datetime(2026, 10, 1, tzinfo=UTC)),
        (timedelta(days=15_000), "a year", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_they_are_as_short_as_fits(length: timedelta, name: str, start: datetime) -> None:
    found = bins(NOON, NOON + length, 60)
    assert (found.name, found.start(found.place(NOON))) == (name, start)


def test_they_are_not_shorter_than_asked_for() -> None:
    assert bins(NOON, NOON, 60, least="a day").name == "a day"
