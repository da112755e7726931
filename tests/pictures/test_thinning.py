"""A line of steps has few points in a picture, and all its peaks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.pictures import thinning
from koshel.pictures.thinning import RUNS_MAX, Point, Thinned

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def points_of(values: list[int]) -> list[Point]:
    return [(BEGIN + timedelta(seconds=place), Decimal(value)) for place, value in enumerate(values)]


def thinned(points: list[Point]) -> list[Point]:
    line = Thinned(len(points))
    for moment, value in points:
        line.add(moment, value)
    return list(line.points())


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-50, 50), max_size=200), runs=st.integers(1, 12))
def test_what_is_kept_has_the_ends_and_the_extremes_of_each_stretch(values: list[int], runs: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thinning, "RUNS_MAX", runs)
        points = points_of(values)
        kept = thinned(points)
    assert len(kept) <= 4 * runs
    assert kept == [one for one in points if one in kept], "in their order, each of them one that there was"
    if points:
        assert (kept[0], kept[-1]) == (points[0], points[-1])
        assert {min(values), max(values)} <= {int(value) for _, value in kept}
    length = max(1, -(-len(values) // runs))
    for place in range(0, len(values), length):
        run = points[place : place + length]
        assert {min(value for _, value in run), max(value for _, value in run)} <= {
            value for moment, value in kept if run[0][0] <= moment <= run[-1][0]
        }


def test_a_short_line_stays_as_it_is() -> None:
    points = points_of([5, 1, 4, 1, 5])
    assert thinned(points) == points


def test_a_peak_of_one_line_in_a_hundred_thousand_is_seen() -> None:
    values = [0] * 100_000
    values[77_777] = 9
    kept = thinned(points_of(values))
    assert len(kept) <= 4 * RUNS_MAX
    assert (BEGIN + timedelta(seconds=77_777), Decimal(9)) in kept
