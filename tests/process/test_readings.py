"""What is read of metrics, and what two readings say together."""

import pytest

from koshel.telemetry.readings import Between, Reading, _values

BEFORE = """\
# TYPE requests_total counter
requests_total{route="a",status="200"} 10
requests_total{route="b",status="200"} 5
# TYPE took histogram
took_bucket{le="0.1"} 0
took_bucket{le="1.0"} 0
took_bucket{le="+Inf"} 0
took_count 0
took_sum 0
# TYPE info gauge
info{version="0005"} 1
"""
AFTER = """\
# TYPE requests_total counter
requests_total{route="a",status="200"} 30
requests_total{route="a",status="404"} 4
requests_total{route="b",status="200"} 2
# TYPE took histogram
took_bucket{le="0.1"} 50
took_bucket{le="1.0"} 90
took_bucket{le="+Inf"} 100
took_count 100
took_sum 60
# TYPE info gauge
info{version="0005"} 1
"""


def reading(moment: float, text: str) -> Reading:
    return Reading(moment, _values(text))


@pytest.fixture
def seen() -> Between:
    """Two seconds."""
    return Between(reading(100.0, BEFORE), reading(102.0, AFTER))


def test_a_value_is_the_sum_of_the_series_that_are_meant(seen: Between) -> None:
    assert seen.after.value("requests_total") == 36
    assert seen.after.value("requests_total", route="a") == 34
    assert seen.after.value("requests_total", route="a", status="404") == 4
    assert seen.after.value("nothing") == 0
    assert seen.after.label("info", "version") == "0005"
    assert seen.after.label("nothing", "version") == "?"


def test_what_was_not_there_before_has_grown_from_nothing_and_what_is_less_has_begun_anew(seen: Between) -> None:
    assert seen.grown("requests_total", status="404") == 4
    assert seen.grown("requests_total", route="b") == 2
    assert seen.rate("requests_total") == 13


def test_the_busiest_come_first_and_those_at_rest_not_at_all(seen: Between) -> None:
    assert list(seen.rates("requests_total", "route").items()) == [("a", 12), ("b", 1)]
    assert not Between(seen.after, seen.after).rates("requests_total", "route")


@pytest.mark.parametrize(
    ("part", "value"),
    [(0.25, 0.05), (0.5, 0.1), (0.7, 0.55), (0.9, 1.0), (0.99, 1.0)],
)
def test_a_quantile_lies_within_its_bucket(seen: Between, part: float, value: float) -> None:
    assert seen.quantile(part, "took") == pytest.approx(value)


def test_of_what_was_not_observed_there_is_neither_mean_nor_quantile(seen: Between) -> None:
    assert seen.mean("took") == pytest.approx(0.6)
    at_rest = Between(seen.after, seen.after)
    assert at_rest.mean("took") is at_rest.quantile(0.5, "took") is None
    assert at_rest.quantile(0.5, "nothing") is None
