"""Token buckets: never more than the rate and what was saved, in however many processes."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel.rates import PROBES, Buckets, Rate

NOW = 1_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [NOW]
    monkeypatch.setattr("koshel.rates.monotonic", lambda: now[0])
    return now


def takes(buckets: Buckets, rate: Rate, name: object, count: int) -> int:
    """How many of so many were given."""
    return sum(buckets.take(rate, name) is None for _ in range(count))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    per_s=st.integers(1, 50),
    window_s=st.integers(1, 5),
    asked=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), max_size=40),
)
def test_in_no_time_more_is_given_than_was_saved_and_has_come_since(
    per_s: int, window_s: int, asked: list[tuple[float, int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        now, rate, buckets = NOW, Rate(per_s, window_s), Buckets(16)
        given_at: list[float] = []
        for pause, count in asked:
            now += pause
            patch.setattr("koshel.rates.monotonic", lambda at=now: at)
            given_at += [now] * takes(buckets, rate, "key", count)
        for first, start in enumerate(given_at):
            for last, end in enumerate(given_at[first:], first):
                assert last - first + 1 <= rate.quota + (end - start) * per_s + 1e-3


def test_a_refusal_says_when_it_would_be_given_and_it_is(clock: list[float]) -> None:
    buckets, rate = Buckets(16), Rate(4, 2)
    assert takes(buckets, rate, "key", 20) == 8
    refusal = buckets.take(rate, "key", 3)
    assert refusal is not None
    assert refusal.wait_s == pytest.approx(0.75)
    clock[0] += refusal.wait_s - 0.01
    assert buckets.take(rate, "key", 3) is not None
    clock[0] += 0.02
    assert buckets.take(rate, "key", 3) is None


def test_what_is_given_back_can_be_taken_again(clock: list[float]) -> None:
    buckets, rate = Buckets(16), Rate(1, 3)
    assert takes(buckets, rate, "key", 5) == 3
    buckets.give_back(rate, "key", 2)
    assert takes(buckets, rate, "key", 5) == 2
    clock[0] += 100
    assert takes(buckets, rate, "key", 5) == 3


@pytest.mark.usefixtures("clock")
def test_each_name_has_a_bucket_of_its_own_though_they_want_the_same_place() -> None:
    buckets, rate = Buckets(PROBES), Rate(1, 2)
    names = [(7, f"key-{number}") for number in range(PROBES)]
    assert [takes(buckets, rate, name, 5) for name in names] == [2] * PROBES
    assert [takes(buckets, rate, name, 5) for name in names] == [0] * PROBES


def test_one_that_is_full_again_gives_its_place_away(clock: list[float]) -> None:
    buckets, rate = Buckets(PROBES), Rate(1, 2)
    for number in range(1_000):
        assert takes(buckets, rate, (1, number), 5) == 2, "a thousand names, in eight places, one after another"
        clock[0] += 1


@pytest.mark.usefixtures("clock")
def test_forks_take_from_the_same_bucket() -> None:
    buckets, rate = Buckets(), Rate(1, 100)
    assert takes(buckets, rate, (1, None), 60) == 60
    child = os.fork()
    if not child:
        os._exit(takes(buckets, rate, (1, None), 100))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 40
    assert takes(buckets, rate, (1, None), 100) == 0
