"""Whether lines are in the order of their times."""

from collections.abc import Sequence

import pytest

from koshel.files.lines import Line
from koshel.files.order import Order


@pytest.mark.parametrize(
    ("times", "older"),
    [
        ([], None),
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.000001+00:00"], None),
        (["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"], 2),
        (["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-02T12:00:00Z"], 3),
        (["2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+02:00"], 2),
        (["2026-01-01T01:00:00+02:00", "2026-01-01T00:00:00+00:00"], None),
        ([None, "2026-01-02T00:00:00Z", None, 5, True, {}, "", "soon", "2026-01-01", "2026-01-03T00:00:00Z"], None),
        (["2026-01-02T00:00:00Z", None, "2026-01-01T00:00:00Z"], 3),
        (["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00-23:59"], None),
        (["9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z"], 2),
    ],
)
def test_the_first_line_that_is_older_than_one_above_it_is_remembered(
    times: Sequence[object], older: int | None
) -> None:
    order = Order()
    for number, time in enumerate(times, 1):
        order.look(Line(number, {} if time is None else {"ctime": time}, 0))
    assert order.older == older
