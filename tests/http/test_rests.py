"""How long connections rest after refusals: the more a caller is refused, the longer, and each caller for itself."""

import asyncio

import pytest

from koshel.http.rests import CALLERS_MAX, REFUSALS_PER_S, REST_MAX_S, REST_S, Rests


def test_one_refusal_rests_shortly() -> None:
    assert Rests().until(b"key", 100.0) == 100.0 + REST_S


@pytest.mark.parametrize("connections", [1, 10, 100, 1_000, 20_000])
def test_however_many_connections_a_caller_has_its_refusals_have_a_rate(connections: int) -> None:
    one, now, refused = Rests(), 0.0, 0
    again = [0.0] * connections
    while now < 20.0:
        for number, until in enumerate(again):
            if until <= now:
                again[number], refused = one.until(b"key", now), refused + 1
        now += REST_S / 2
    most = max(REFUSALS_PER_S, connections / REST_MAX_S)
    assert refused <= 1.2 * most * 20 + connections + REFUSALS_PER_S * REST_MAX_S


def test_no_connection_rests_longer_than_the_most() -> None:
    one = Rests()
    assert max(one.until(b"key", 5.0) for _ in range(10_000)) == 5.0 + REST_MAX_S


def test_the_refusals_of_one_caller_are_nothing_to_another() -> None:
    one = Rests()
    for _ in range(10_000):
        one.until(b"flood", 5.0)
    assert one.until(b"quiet", 5.0) == 5.0 + REST_S
    assert one.until(b"flood", 5.0 + 2 * REST_MAX_S) == 5.0 + 2 * REST_MAX_S + REST_S, "what is over is forgotten"


def test_a_flood_of_callers_takes_no_more_memory_than_is_meant_for_it() -> None:
    one = Rests()
    for number in range(3 * CALLERS_MAX):
        until = one.until(str(number), 1.0 + number / 1_000_000)
        assert until >= 1.0 + REST_S
    assert len(one._next) <= CALLERS_MAX
    assert one.until("late", 100.0) == 100.0 + REST_S


async def test_what_is_refused_at_leisure_has_the_same_rate_and_the_first_does_not_wait() -> None:
    one, loop = Rests(), asyncio.get_running_loop()
    began = loop.time()
    await one.pause("127.0.0.1")
    assert loop.time() - began < REST_S
    count = 100
    await asyncio.gather(*(one.pause("127.0.0.1") for _ in range(count)))
    assert loop.time() - began >= (count - 1) / REFUSALS_PER_S
    await asyncio.gather(one.pause("127.0.0.2"))


async def test_no_refusal_waits_longer_than_the_most() -> None:
    one, loop = Rests(), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(one.pause("127.0.0.1") for _ in range(3 * REFUSALS_PER_S)))
    assert loop.time() - began < 2 * REST_MAX_S
