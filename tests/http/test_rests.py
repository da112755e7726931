"""How long connections rest after refusals: the more a caller is refused, the longer, and each caller for itself."""

import asyncio
import heapq
from collections import Counter

import pytest

from koshel.http.rests import (
    CALLERS_MAX,
    REFUSALS_PER_S,
    REST_MAX_S,
    REST_S,
    TOGETHER_S,
    UNKNOWN_OF_ALL_PER_S,
    UNKNOWN_PER_S,
    Rests,
)


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
    assert refused <= 1.4 * most * 20 + connections + REFUSALS_PER_S * REST_MAX_S


def test_no_connection_rests_longer_than_the_most() -> None:
    one = Rests()
    longest = [one.until(b"key", 5.0) for _ in range(10_000)][-1_000:]
    assert 5.0 + REST_MAX_S / 2 <= min(longest) < max(longest) <= 5.0 + REST_MAX_S


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


def floods(one: Rests, addresses: list[str], seconds: float) -> list[float]:
    """When requests with wrong keys are refused, each connection of an address sending the next one at once."""
    refused, asked = [], [(0.0001 * number, address) for number, address in enumerate(addresses)]
    heapq.heapify(asked)
    while asked[0][0] < seconds:
        now, address = heapq.heappop(asked)
        due = one.turn_of_unknown(address, now)
        refused.append(due)
        heapq.heappush(asked, (due + 0.0001, address))
    return sorted(refused)


@pytest.mark.parametrize(
    ("addresses", "connections"), [(1, 10), (1, 100), (2, 100), (4, 60), (40, 6), (1, 1_000), (2, 500), (25, 400)]
)
def test_wrong_keys_have_a_rate_as_far_as_none_of_them_waits_longer_than_the_most(
    addresses: int, connections: int
) -> None:
    floods_from = [f"2001:db8::{number:x}" for number in range(addresses)] * connections
    refused = floods(Rests(), floods_from, 10.0)
    rate = min(UNKNOWN_OF_ALL_PER_S, addresses * UNKNOWN_PER_S)
    forced = len(floods_from) / (REST_MAX_S * 0.75)  # they wait as long as they may, some of them three quarters of it
    assert len([due for due in refused if 5.0 < due < 10.0]) <= 5 * 1.05 * max(rate, forced)


@pytest.mark.parametrize("connections", [1_000, 20_000])
def test_a_burst_of_wrong_keys_does_not_come_back_as_one(connections: int) -> None:
    """Else all others would wait for it, again and again."""
    refused = floods(Rests(), ["flood"] * connections, 5 * REST_MAX_S)
    by_tenth = Counter(int(10 * due) for due in refused if 2 * REST_MAX_S < due < 5 * REST_MAX_S)
    assert max(by_tenth.values()) < 2.5 * max(UNKNOWN_PER_S, connections / REST_MAX_S) / 10


@pytest.mark.parametrize(("addresses", "connections"), [(1, 1_000), (4, 250), (10, 100)])
def test_beside_floods_of_wrong_keys_another_address_is_refused_at_once(addresses: int, connections: int) -> None:
    one = Rests()
    floods(one, [f"2001:db8::{number:x}" for number in range(addresses)] * connections, 3.0)
    assert one.turn_of_unknown("quiet", 3.0) == 3.0


def test_addresses_that_do_not_flood_share_a_rate_too() -> None:
    one = Rests()
    turns = [one.turn_of_unknown(f"2001:db8::{number:x}", 5.0) for number in range(UNKNOWN_OF_ALL_PER_S)]
    assert turns == sorted(turns)
    assert 5.0 + REST_MAX_S - 2 * TOGETHER_S < turns[-1] <= 5.0 + REST_MAX_S + TOGETHER_S


def test_no_request_with_a_wrong_key_waits_longer_than_the_most() -> None:
    one = Rests()
    assert max(one.turn_of_unknown("flood", 5.0) for _ in range(50_000)) <= 5.0 + REST_MAX_S + TOGETHER_S


def test_wrong_keys_are_refused_several_at_a_time() -> None:
    one = Rests()
    turns = [one.turn_of_unknown("flood", 5.0) for _ in range(UNKNOWN_PER_S)]
    assert turns == sorted(turns)
    assert len(set(turns)) <= 1 / TOGETHER_S + 1


async def test_nobody_rests_once_the_worker_stops() -> None:
    one, loop = Rests(), asyncio.get_running_loop()
    resting = [asyncio.create_task(one.pause_unknown("flood", number)) for number in range(REFUSALS_PER_S)]
    await asyncio.sleep(0.01)
    assert 0 < len(one.waiting) == sum(not task.done() for task in resting)
    one.end()
    began = loop.time()
    await asyncio.gather(*resting)
    assert loop.time() - began < REST_S
    assert not one.waiting
    assert one.turn_of_unknown("flood", began) == began


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
