"""Which transactions have held locks for long, by how often and when they were seen at it."""

import pytest

from koshel.db.holders import FORGOTTEN_S, LASTS_S, Holders


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def holders(clock: Clock) -> Holders:
    return Holders(clock)


def test_a_transaction_that_was_seen_once_may_be_another_batch(holders: Holders, clock: Clock) -> None:
    assert holders.lasting() == []
    holders.saw([7])
    clock.now += 10 * LASTS_S
    assert holders.lasting() == []


def test_one_that_is_seen_again_after_longer_than_a_batch_takes_lasts(holders: Holders, clock: Clock) -> None:
    holders.saw([7, 8])
    clock.now += LASTS_S / 2
    holders.saw([7])
    assert holders.lasting() == []
    clock.now += LASTS_S
    holders.saw([7, 9])
    assert holders.lasting() == [7]


def test_it_is_forgotten_when_nobody_has_met_it_for_a_while(holders: Holders, clock: Clock) -> None:
    holders.saw([7])
    clock.now += 2 * LASTS_S
    holders.saw([7])
    clock.now += FORGOTTEN_S - LASTS_S
    assert holders.lasting() == [7]
    clock.now += LASTS_S
    assert holders.lasting() == []
    holders.saw([7])
    assert holders.lasting() == []
