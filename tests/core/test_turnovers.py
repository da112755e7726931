"""What counts against a limit by time, held to a plain list of all that ever moved."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.turnovers import (
    EPOCH,
    LENGTHS,
    PARTS,
    WIDTHS,
    Bucket,
    Limit,
    Minute,
    Period,
    Turnover,
    Way,
    Window,
    number_at,
    of_minutes,
    turnover,
)
from tests.support.wallets import NOW

ZERO = Decimal(0)
PERIODS: list[Period] = [*LENGTHS]
PARTS_MAX = 200  # of a window, that pass in a test


class Moved(NamedTuple):
    """What was moved, and when."""

    at: datetime
    change: Decimal


def stored(per: Period, moves: list[Moved]) -> Window:
    """The window as it is kept, after batches of one move each."""
    window = Window(per, 0)
    for one in moves:
        (window,) = moved(loaded(window, one.at), one.change).counted(one.at)
        (window,) = msgspec.json.decode(msgspec.json.encode([window]), type=list[Window])
    return window


def moved(one: Turnover, change: Decimal) -> Turnover:
    return one.sent(-change) if change < 0 else one.taken(change)


def loaded(window: Window, now: datetime) -> Turnover:
    return turnover((Limit(window.per),), 0, [window], now)


def truly(moves: list[Moved], now: datetime, reach: timedelta) -> dict[Way, Decimal]:
    """What moved from so long ago on, to the last microsecond."""
    changes = [one.change for one in moves if now - reach <= one.at <= now]
    return {
        "out": sum((-change for change in changes if change < 0), ZERO),
        "in": sum((change for change in changes if change > 0), ZERO),
    }


def drawn(seed: int, per: Period, size: int) -> list[Moved]:
    """Moves in their order: some at the same time, some where one part ends and the next begins."""
    dice, at = Random(seed), NOW
    moves = []
    for _ in range(size):
        at += WIDTHS[per] * dice.choice((0, 0, 1, 2, 7)) + timedelta(microseconds=dice.choice((0, 0, 1, 999_999)))
        if dice.random() < 0.2:
            at = EPOCH + (number_at(per, at) + 1) * WIDTHS[per]
        moves.append(Moved(at, Decimal(dice.randint(-500, 500) or 1).scaleb(-2)))
    return moves


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(PERIODS), st.integers(0, 40), st.integers(0, PARTS_MAX))
def test_what_counts_is_all_of_the_window_and_a_sixtieth_of_it_more_at_most(
    seed: int, per: Period, size: int, parts: int
) -> None:
    moves = drawn(seed, per, size)
    last = moves[-1].at if moves else NOW
    now = last + WIDTHS[per] * parts + timedelta(microseconds=Random(seed).choice((0, 1, 999_999)))
    counted = loaded(stored(per, moves), now)
    least, most = truly(moves, now, LENGTHS[per]), truly(moves, now, LENGTHS[per] + WIDTHS[per])
    for way in least:
        assert least[way] <= counted.used(per, way) <= most[way]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(PERIODS), st.integers(1, 40), st.sampled_from(["out", "in"]))
def test_it_fits_at_the_moment_that_is_told_and_not_before(seed: int, per: Period, size: int, way: Way) -> None:
    moves = drawn(seed, per, size)
    now, window = moves[-1].at, stored(per, moves)
    used = loaded(window, now).used(per, way)
    over = Decimal(Random(seed).randint(1, 500)).scaleb(-2)
    fits_at = loaded(window, now).fits_at(per, way, over, now)
    if fits_at is None:
        assert over > used
    else:
        assert fits_at > now
        assert loaded(window, fits_at).used(per, way) <= used - over
        assert loaded(window, fits_at - timedelta(microseconds=1)).used(per, way) > used - over


@pytest.mark.parametrize("per", PERIODS)
def test_a_window_is_of_sixty_parts_of_whole_minutes(per: Period) -> None:
    assert WIDTHS[per] * PARTS == LENGTHS[per]
    assert WIDTHS[per] % timedelta(minutes=1) == timedelta(0)


@pytest.mark.parametrize("per", PERIODS)
def test_a_window_never_has_more_buckets_than_its_parts_and_one(per: Period) -> None:
    every = [Moved(NOW + WIDTHS[per] * n, Decimal(-1)) for n in range(3 * PARTS)]
    assert len(stored(per, every).buckets) == PARTS + 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(PERIODS), st.integers(0, 40))
def test_a_window_that_is_made_of_a_history_is_the_one_that_would_have_been_counted(
    seed: int, per: Period, size: int
) -> None:
    moves = drawn(seed, per, size)
    now = moves[-1].at if moves else NOW
    minutes: dict[int, Minute] = {}
    for one in moves:
        number = (one.at - EPOCH) // timedelta(minutes=1)
        _, out, in_ = minutes.get(number, Minute(number, ZERO, ZERO))
        minutes[number] = Minute(number, out + max(-one.change, ZERO), in_ + max(one.change, ZERO))
    made = of_minutes(per, 7, minutes.values())
    assert made.since == 7
    assert loaded(made, now).windows[per].buckets == loaded(stored(per, moves), now).windows[per].buckets


def test_what_moves_in_one_batch_counts_at_once_in_every_window() -> None:
    limits = (Limit("1h"), Limit("365d"))
    one = Turnover((), 0, {}, {}).given(limits, 3).sent(Decimal("2.50")).taken(Decimal("4.00")).sent(Decimal(1))
    for per in ("1h", "365d"):
        assert (one.used(per, "out"), one.used(per, "in")) == (Decimal("3.50"), Decimal("4.00"))
    assert [window.buckets for window in one.counted(NOW)] == [
        (Bucket(number_at(limit.per, NOW), Decimal("3.50"), Decimal("4.00")),) for limit in limits
    ]


def test_a_clock_that_was_set_back_makes_nothing_count_for_a_shorter_time() -> None:
    early = NOW - timedelta(days=3)
    moves = [Moved(NOW, Decimal(-1)), Moved(early, Decimal(-2))]
    assert stored("1d", moves).buckets == (Bucket(number_at("1d", NOW), Decimal(3), ZERO),)


def test_a_sum_may_have_more_digits_than_a_balance() -> None:
    most = Decimal("999999999999999999.999999999999999999")
    one = Turnover((), 0, {}, {}).given((Limit("1d", most),), 0)
    for _ in range(1_000):
        one = one.taken(most)
    assert one.used("1d", "in") == Decimal("999999999999999999999.999999999999999000")


def test_other_limits_keep_what_is_counted() -> None:
    one = Turnover((), 0, {}, {}).given((Limit("1d", Decimal(5)),), 1).sent(Decimal(2))
    other = one.given((Limit("1d", Decimal(7)), Limit("7d", Decimal(9))), 4)
    assert (other.limits_version, other.used("1d", "out"), other.used("7d", "out")) == (4, Decimal(2), Decimal(2))
