"""Calls that outlive who asked: a few at a time, a bounded number waiting, none broken off."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from koshel.db.errors import Crowded, DatabaseUnavailable
from koshel.db.sharing.calls import CallLimits, Calls
from tests.support.desk import LIMITS, LONG_S, Desk, busy
from tests.support.flights import turn

SOON_S = 0.05


async def test_each_gets_its_own_answer() -> None:
    async with busy() as (calls, desk, first):
        rest = [asyncio.create_task(calls.run(desk.ask)) for _ in range(4)]
        await turn()
    assert await asyncio.gather(*first, *rest) == [1, 2, 3, 4, 5, 6]


async def test_no_more_are_under_way_than_there_is_room_for() -> None:
    async with busy() as (calls, desk, _):
        rest = [asyncio.create_task(calls.run(desk.ask)) for _ in range(4)]
        await turn()
        assert desk.begun == 2
    await asyncio.gather(*rest)


async def test_a_call_ends_without_who_asked() -> None:
    async with busy() as (_, desk, first):
        for one in first:
            one.cancel()
        await asyncio.wait(first)
        assert desk.ended == 0
        desk.opened.set()
        await turn()
        assert desk.ended == 2


async def test_a_call_without_who_asked_keeps_its_room_until_it_ends() -> None:
    async with busy() as (calls, desk, first):
        for one in first:
            one.cancel()
        await asyncio.wait(first)
        next_one = asyncio.create_task(calls.run(desk.ask))
        await turn()
        assert desk.begun == 2
    assert await next_one == 3


async def test_who_leaves_while_waiting_has_not_asked_and_leaves_the_place_to_another() -> None:
    async with busy() as (calls, desk, _):
        waiting = [asyncio.create_task(calls.run(desk.ask)) for _ in range(4)]
        await turn()
        waiting[0].cancel()
        await turn()
        waiting.append(asyncio.create_task(calls.run(desk.ask)))
        await turn()
    assert sum(one.cancelled() for one in await settled(waiting)) == 1
    assert desk.ended == 6


async def settled(tasks: "Sequence[asyncio.Task[Any]]") -> "Sequence[asyncio.Task[Any]]":
    await asyncio.gather(*tasks, return_exceptions=True)
    return tasks


async def test_who_finds_no_place_is_told_at_once() -> None:
    async with busy() as (calls, desk, _):
        waiting = [asyncio.create_task(calls.run(desk.ask)) for _ in range(4)]
        await turn()
        with pytest.raises(Crowded):
            await asyncio.wait_for(calls.run(desk.ask), LONG_S)
        assert desk.begun == 2
    await settled(waiting)


# the weights of those that wait, and whether one more, of what weight, finds a place among four
PLACES = [
    ([], 1, True),
    ([1, 1, 1], 1, True),
    ([1, 1, 1, 1], 1, False),
    ([], 1_000, True),
    ([1], 1_000, True),
    ([1, 1], 1_000, False),
    ([1_000], 2, False),
    ([1_000], 1, True),
    ([1_000, 1, 1], 1, False),
    ([2], 2, False),
    ([1, 1, 1, 1], 0, True),
    ([1_000, 0, 0], 1, True),
]


@pytest.mark.parametrize(("waiting", "weight", "finds"), PLACES)
async def test_what_is_heavy_leaves_half_of_the_places_to_what_is_light(
    waiting: list[int], weight: int, *, finds: bool
) -> None:
    async with busy() as (calls, desk, _):
        tasks = [asyncio.create_task(calls.run(desk.ask, weight=one)) for one in waiting]
        await turn()
        last = asyncio.create_task(calls.run(desk.ask, weight=weight))
        await turn()
        assert last.done() is not finds
    await settled(tasks)
    assert isinstance((await settled([last]))[0].exception(), Crowded) is not finds


async def test_with_one_place_only_what_is_heavy_never_waits() -> None:
    async with busy(CallLimits(1, 1, LONG_S)) as (calls, desk, _):
        with pytest.raises(Crowded):
            await calls.run(desk.ask, weight=2)


async def test_who_has_waited_too_long_while_others_were_answered_is_one_too_many() -> None:
    async with busy(CallLimits(2, 4, 1.0)) as (calls, desk, _):
        waiting = asyncio.create_task(calls.run(desk.ask))
        await turn()
        calls._answered += 1  # another one was, whose room went to a third
        with pytest.raises(Crowded):
            await waiting


async def test_if_nobody_is_answered_it_is_the_database() -> None:
    async with busy(CallLimits(2, 4, SOON_S)) as (calls, desk, _):
        with pytest.raises(DatabaseUnavailable):
            await calls.run(desk.ask)
        assert desk.begun == 2


async def test_an_outage_is_no_answer() -> None:
    calls = Calls(LIMITS)

    async def fail(error: Exception) -> None:
        raise error

    for error, answered in ((DatabaseUnavailable(), 0), (ValueError(), 1)):
        with pytest.raises(type(error)):
            await calls.run(lambda error=error: fail(error))  # type: ignore[misc]
        assert calls._answered == answered


async def test_the_failure_of_a_call_that_nobody_waits_for_is_no_complaint() -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    calls, failing = Calls(LIMITS), asyncio.Event()

    async def fail() -> None:
        await failing.wait()
        raise ValueError

    asked = asyncio.create_task(calls.run(fail))
    await turn()
    asked.cancel()
    await settled([asked])
    failing.set()
    await turn()
    assert (calls._tasks, complaints) == (set(), [])


async def test_closing_waits_for_what_is_under_way_and_takes_no_more() -> None:
    calls, desk = Calls(LIMITS), Desk()
    asked = asyncio.create_task(calls.run(desk.ask))
    await turn()
    closing = asyncio.create_task(calls.close(LONG_S))
    await turn()
    with pytest.raises(Crowded):
        await calls.run(desk.ask)
    assert not closing.done()
    desk.opened.set()
    await closing
    assert await asked == 1


async def test_closing_takes_no_longer_than_it_may() -> None:
    async with busy() as (calls, desk, first):
        await asyncio.wait_for(calls.close(SOON_S), LONG_S)
        await settled(first)
        assert [type(one.exception()) for one in first] == [DatabaseUnavailable] * 2
        assert desk.ended == 0
