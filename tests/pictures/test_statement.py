"""A picture of a statement says whose it is, in which currency and of which time, and shows what it should."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from koshel.pictures import drawing
from koshel.pictures.statement import Of, StatementPicture
from tests.support.drawn import Drawn

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def picture(
    *lines: tuple[datetime, str, str, str], currency: str = "USD", end: datetime = BEGIN + 10 * DAY
) -> StatementPicture:
    """Each line: when, the change, and what it left: balance and held."""
    of = Of("@users:42 (account 7)", "main", currency, BEGIN, end, Decimal("5.00"), Decimal("0.00"), len(lines))
    times = [when for when, *_ in lines] or [BEGIN]
    made = StatementPicture(of, times[0], times[-1])
    for when, *amounts in lines:
        made.add(when, *map(Decimal, amounts))
    return made


THREE = (
    (BEGIN + DAY, "1000.00", "1005.00", "0.00"),
    (BEGIN + 2 * DAY, "0.00", "1005.00", "400.00"),
    (BEGIN + 5 * DAY, "-5.00", "1000.00", "400.00"),
)


def test_it_says_whose_it_is_and_of_which_time() -> None:
    drawn = Drawn.of(picture(*THREE).drawn())
    assert drawn.text("title") == "Statement of @users:42 (account 7)"
    assert drawn.text("facts") == "ledger main · USD · 2026-11-01 00:00 to 2026-11-11 00:00 UTC · 3 lines"
    assert {"balance, at the end 1,000.00", "held, at the end 400.00", "time (UTC)"} <= {*drawn.texts}
    assert drawn.texts.count("USD") == 2, "beside both axes"
    assert {"03 Nov", "09 Nov", "500", "1,000"} <= {*drawn.texts}


def test_balance_and_held_are_steps_from_the_beginning_to_the_end() -> None:
    drawn = Drawn.of(picture(*THREE).drawn())
    corners = drawn.points("balance")
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(corners))
    xs = sorted({x for x, _ in corners})
    whole = xs[-1] - xs[0]
    assert [round((x - xs[0]) / whole, 3) for x in xs] == [0, 0.1, 0.2, 0.5, 1]
    heights = [round(corners[0][1] - y) for _, y in corners]
    assert heights[0] == 0 < heights[-1] < max(heights)
    assert len({y for _, y in drawn.points("held")}) == 2


def test_below_is_what_came_in_and_what_left_by_bins() -> None:
    drawn = Drawn.of(picture(*THREE).drawn())
    assert [one for one in drawn.ids if one.startswith(("in.", "out."))] == [
        "in.20261102T000000",
        "out.20261106T000000",
    ]
    assert "out; a bar is 3 hours" in drawn.texts


def test_amounts_of_a_bin_are_added_up_exactly() -> None:
    many = [(BEGIN + timedelta(seconds=n), "0.1", "5", "0") for n in range(1_000)]
    made = picture(*many, end=BEGIN + DAY)
    assert sum(made._in.values()) == Decimal(100)
    great = picture((BEGIN, f"{10**17}", f"{10**17}", "0"), (BEGIN, "0.000000000000000001", "1", "0"))
    assert list(great._in.values()) == [Decimal(f"{10**17}.000000000000000001")]


def test_a_statement_without_lines_and_one_of_a_short_time_are_drawn() -> None:
    drawn = Drawn.of(picture(end=BEGIN + timedelta(seconds=40)).drawn())
    assert drawn.text("facts").endswith("2026-11-01 00:00:00 to 2026-11-01 00:00:40 UTC · 0 lines")
    assert "balance, at the end 5.00" in drawn.texts


@pytest.mark.parametrize("name", ["out.svg", "out.PNG"])
def test_it_is_there_as_a_whole_in_the_format_of_its_name(tmp_path: Path, name: str) -> None:
    drawing.save(picture(*THREE).drawn(), str(tmp_path / name))
    begin = (tmp_path / name).read_bytes()[:60]
    assert begin.startswith(b"<?xml" if name == "out.svg" else b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_same_picture_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        drawing.save(picture(*THREE).drawn(), str(tmp_path / name))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ([0.0], ["0"]),
        ([12_500.0], ["12,500"]),
        ([-2.5, 0.0, 2.5], ["-2.5", "0", "2.5"]),
        ([-1e-20, 0.25], ["0", "0.25"]),
        ([0.1 + 0.2, 0.4], ["0.3", "0.4"]),
        ([0.0, 2e-7, 4e-7, 6e-7], ["0", "0.0000002", "0.0000004", "0.0000006"]),
        ([1e-18, 2e-18], ["0.000000000000000001", "0.000000000000000002"]),
        ([1.0, 1.0000025, 1.000005], ["1", "1.0000025", "1.000005"]),
        ([999_999_999_999.98, 999_999_999_999.99], ["999,999,999,999.98", "999,999,999,999.99"]),
        ([0.0, 5e17, 1e18], ["0", "500,000,000,000,000,000", "1,000,000,000,000,000,000"]),
    ],
)
def test_numbers_at_an_axis_are_read_at_a_glance_and_tell_one_from_the_next(
    ticks: list[float], texts: list[str]
) -> None:
    assert drawing.Amounts().format_ticks(ticks) == texts


def test_a_picture_of_the_smallest_amounts_has_numbers_at_its_axis() -> None:
    shown = picture((BEGIN + DAY, "0.000000000000000005", "5.000000000000000005", "0.000000000000000000")).drawn()
    flows = shown.axes[1]
    texts = [one.get_text() for one in flows.get_yticklabels()]
    assert len({*texts}) == len(texts) > 2
    assert "0.000000000000000002" in texts
