"""How much of one ledger may wait for a connection: as much as lately ended in the time that one may wait."""

import pytest

from koshel.db.sharing.read_pace import FLOOR, UNKNOWN, Pace


def pace_of(per_s: float, *, weight: int = 1, seconds: float = 3.0, target_s: float = 1.0) -> Pace:
    pace, now = Pace(target_s), 50.0
    pace.began(now)
    while now < 50 + seconds:
        now += weight / per_s
        pace.ended(weight, now)
    return pace


@pytest.mark.parametrize("weight", [1, 3, 21])
@pytest.mark.parametrize("per_s", [500, 2_000])
def test_as_much_as_ended_in_that_time(per_s: float, weight: int) -> None:
    assert pace_of(per_s, weight=weight).limit == pytest.approx(max(per_s, FLOOR), rel=0.02)
    assert pace_of(per_s, weight=weight, target_s=0.5).limit == pytest.approx(max(per_s / 2, FLOOR), rel=0.02)


def test_a_little_may_always_wait_and_before_a_pace_is_seen_whatever_comes() -> None:
    assert pace_of(1, seconds=200).limit == FLOOR
    assert pace_of(10, seconds=1).limit == UNKNOWN


def test_a_standstill_is_soon_forgotten() -> None:
    pace = pace_of(1_000)
    pace.ended(1, 10_000.0)
    now = 10_000.0
    for _ in range(2_000):
        now += 0.001
        pace.ended(1, now)
    assert pace.limit == pytest.approx(1_000, rel=0.1)


def test_when_nothing_waited_nothing_is_known_of_it() -> None:
    pace = pace_of(1_000)
    pace.began(500.0)  # after minutes in which everybody found a connection
    pace.ended(1, 500.001)
    assert pace.limit == pytest.approx(1_000, rel=0.02)
