"""How many batches are settled together: as many as fit into a time; one where a lock was in the way."""

from collections.abc import Sequence

import pytest

from koshel.files.together import APART, BATCHES_MAX, HELD_ALONE_S, HELD_S, SHORT, Together


@pytest.mark.parametrize("held_s", [HELD_S, HELD_ALONE_S])
@pytest.mark.parametrize(
    ("part", "counts"),
    [
        (0.0, [1, 2, 4, 8, 16, 24, 24]),
        (1 / 100, [1, 2, 4, 8, 16, 24, 24]),
        (1 / 5.5, [1, 2, 4, 5, 5]),
        (1 / 1.5, [1, 1, 1]),
        (40.0, [1, 1, 1]),
    ],
)
def test_as_many_as_fit_by_what_the_last_ones_took(held_s: float, part: float, counts: Sequence[int]) -> None:
    together, taken = Together(), []
    for _ in counts:
        taken.append(together.count())
        together.settled(taken[-1], taken[-1] * part * held_s, is_waited_for=held_s == HELD_S)
    assert taken == counts


def test_when_all_becomes_slower_there_are_fewer_at_once() -> None:
    together = Together()
    for _ in range(6):
        together.settled(together.count(), 0.01)
    assert together.count() == BATCHES_MAX
    together.settled(BATCHES_MAX, HELD_ALONE_S * 4)
    assert together.count() == BATCHES_MAX // 4
    together.settled(4, HELD_ALONE_S * 10)
    assert together.count() == 1


def test_where_somebody_was_seen_to_wait_accounts_are_locked_for_a_short_time_for_a_while() -> None:
    together = Together()
    each_s = HELD_ALONE_S / 15
    for _ in range(5):
        together.settled(together.count(), together.count() * each_s)
    assert together.count() == 15
    together.settled(15, 15 * each_s, is_waited_for=True)
    for _ in range(SHORT - 1):
        assert together.count() == 2
        together.settled(2, 2 * each_s)
    assert together.count() == 2
    together.settled(2, 2 * each_s)
    assert together.count() == 4


def test_after_a_lock_was_in_the_way_batches_go_one_by_one_for_a_while() -> None:
    together = Together()
    for _ in range(4):
        together.settled(together.count(), 0.01)
    together.obstructed()
    for _ in range(APART):
        assert (together.count(), together.is_apart) == (1, True)
        together.settled(1, 0.001)
    assert (together.count(), together.is_apart) == (2, False)


def test_what_had_been_taken_before_the_lock_counts_among_those_that_go_one_by_one() -> None:
    together = Together()
    together.obstructed()
    together.settled(APART, 0.1)
    assert not together.is_apart
