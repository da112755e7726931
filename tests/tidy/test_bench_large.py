"""What the bench of large books writes down."""

import pytest

from bench.large_books import Size
from bench.large_files import Filed
from bench.large_reads import Look
from bench.large_report import Measured, render
from bench.large_writes import KINDS, Settled

FAST = Look("page 1 of lines", 2.0, 5.0)


def report(deep: Look, rates: tuple[float, float, float], per_s: tuple[float, float]) -> str:
    settled = Settled(300, dict(zip(KINDS, rates, strict=True)))
    batched = Settled(100, dict(zip(KINDS, (1_000, 810, 800), strict=True)))
    out, brought = (Filed(one, 40, 44) for one in per_s)
    size, read = Size(100, 1_100), [FAST, deep]
    return render(Measured("it", size, 1, read, settled, batched, out, brought, [("cores", "2")], is_proved=True))


def test_what_is_reached_is_said() -> None:
    text = report(Look("page 10,000 of lines", 2.4, 6.0, FAST.name), (1_000, 960, 900), (200_000, 26_000))
    assert text.count("| reached |\n") == 5
    assert "| 0.96 | aim |" in text
    assert "| the same in batches of 200 |  | 0.81 |  |" in text
    assert "| page 10,000 of lines | 2.4 | 6.0 | 1.20 |" in text
    assert "| import | 26,000 | 40 | 44 |" in text
    assert "one account has 100 lines" in text
    assert "has proved them" in text


@pytest.mark.parametrize(
    ("deep", "rates", "per_s", "missed"),
    [
        (Look("deep", 2.4, 21.0, FAST.name), (1_000, 900, 900), (150_000, 25_000), "the slowest: deep"),
        (Look("deep", 3.2, 6.0, FAST.name), (1_000, 900, 900), (150_000, 25_000), "as page 1: deep"),
        (Look("deep", 2.4, 6.0, FAST.name), (1_000, 840, 840), (150_000, 25_000), "against small books"),
        (Look("deep", 2.4, 6.0, FAST.name), (1_000, 900, 700), (150_000, 25_000), "beside a reader"),
        (Look("deep", 2.4, 6.0, FAST.name), (1_000, 900, 900), (149_000, 25_000), "exported"),
        (Look("deep", 2.4, 6.0, FAST.name), (1_000, 900, 900), (150_000, 24_999), "imported"),
    ],
    ids=["p99", "ratio", "rate", "reader", "export", "import"],
)
def test_what_is_missed_is_said(
    deep: Look, rates: tuple[float, float, float], per_s: tuple[float, float], missed: str
) -> None:
    (row,) = [line for line in report(deep, rates, per_s).splitlines() if "**missed**" in line]
    assert missed in row
