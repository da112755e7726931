"""Calls of several shares: one that floods waits for itself, and what would wait too long is refused at once."""

import asyncio

import pytest

from koshel.db.errors import Crowded, DatabaseUnavailable
from koshel.db.sharing.calls import CallLimits, Calls
from koshel.db.sharing.read_pace import FLOOR
from koshel.shares import NOBODY, Neighbours, Share
from tests.support.desk import LONG_S, Desk, busy
from tests.support.flights import turn

A, B, C = (1, "a"), (1, "b"), (2, "c")
LIMITS = CallLimits(running_max=2, waiting_max=10_000, wait_s=LONG_S)
WORK_S = 0.03
PACE = 512  # what a ledger's pace lets wait


async def tried(calls: Calls, share: Share, weight: int = 1) -> "asyncio.Task[None]":
    """A call that waits, or is refused."""
    task = asyncio.create_task(calls.run(nothing, share=share, weight=weight))
    await turn()
    return task


def has_pace(calls: Calls, share: Share, most: int) -> None:
    """So much of the share's ledger may wait."""
    calls._round.both(share, 0.0)[0].pace.limit = most


async def nothing() -> None:
    pass


async def finds(calls: Calls, share: Share, weight: int = 1) -> bool:
    """Whether a call finds a place, which is given back."""
    task = await tried(calls, share, weight)
    if task.done():
        assert isinstance(task.exception(), Crowded)
        return False
    task.cancel()
    await asyncio.wait([task])
    return True


async def test_who_comes_is_next_however_many_of_another_wait() -> None:
    ended: list[Share] = []

    async with busy(LIMITS, share=A) as (calls, _, first):

        async def one(share: Share) -> None:
            await calls.run(nothing, share=share)
            ended.append(share)

        rest = [asyncio.create_task(one(A)) for _ in range(100)]
        await turn()
        rest.append(asyncio.create_task(one(C)))
        await turn()
    await asyncio.gather(*first, *rest)
    assert ended.index(C) <= 2


@pytest.mark.parametrize(("weight", "most"), [(1, PACE), (21, PACE // 2)])
async def test_a_share_alone_may_wait_for_as_long_as_its_ledger_has_a_pace_for(weight: int, most: int) -> None:
    async with busy(LIMITS, share=A) as (calls, _, first):
        has_pace(calls, A, PACE)
        tasks = [await tried(calls, A, weight) for _ in range(most // weight + 10)]
        waiting = [task for task in tasks if not task.done()]
        assert sum(isinstance(task.exception(), Crowded) for task in tasks if task.done()) == len(tasks) - len(waiting)
        assert most <= len(waiting) * weight < most + weight
        assert await finds(calls, C), "another ledger has its own"
        assert await finds(calls, B), "another key has a part"
        assert not await finds(calls, A, weight)
        assert await finds(calls, A, 0), "the service itself always may"
    await asyncio.gather(*first, *waiting)
    assert calls.waiting == 0


async def test_a_ledger_of_many_keys_has_no_more_than_twice_what_it_may() -> None:
    async with busy(LIMITS, share=A) as (calls, _, first):
        has_pace(calls, A, PACE)
        keys = [(1, str(key)) for _ in range(3 * PACE // 30) for key in range(30)]
        tasks = [await tried(calls, key) for key in keys]
        waiting = [task for task in tasks if not task.done()]
        assert PACE <= len(waiting) <= 2 * PACE
        assert await finds(calls, C)
    await asyncio.gather(*first, *waiting)


@pytest.mark.parametrize("share", [NOBODY, A])
async def test_who_is_alone_in_a_new_process_is_not_refused_before_anything_is_known(share: Share) -> None:
    calls = Calls(CallLimits(4, 2_000, LONG_S))
    await asyncio.gather(*(calls.run(nothing, share=share) for _ in range(2_000)))
    assert calls.waiting == 0


async def test_before_a_pace_is_known_no_more_wait_than_there_are_places() -> None:
    async with busy(CallLimits(2, 600, LONG_S), share=A) as (calls, _, first):
        waiting = [await tried(calls, A) for _ in range(600)]
        assert not any(task.done() for task in waiting)
        assert not await finds(calls, A)
        assert await finds(calls, C)
    await asyncio.gather(*first, *waiting)


async def test_of_all_places_a_ledger_has_its_part() -> None:
    async with busy(CallLimits(2, 8, LONG_S), share=A) as (calls, _, first):
        waiting = [await tried(calls, A) for _ in range(8)]
        assert not await finds(calls, A)
        waiting += [await tried(calls, C) for _ in range(4)]
        assert not await finds(calls, C)
        assert await finds(calls, (3, "d"))
    await asyncio.gather(*first, *waiting)


async def test_a_pace_that_was_slow_lets_some_wait_nevertheless() -> None:
    async with busy(LIMITS, share=A) as (calls, _, first):
        has_pace(calls, A, FLOOR)
        tasks = [await tried(calls, A) for _ in range(FLOOR + 1)]
        assert [task.done() for task in tasks] == [False] * FLOOR + [True]
        assert isinstance(tasks[-1].exception(), Crowded)
    await asyncio.gather(*first, *tasks[:-1])


async def work() -> None:
    """What takes the loop's time."""
    until = asyncio.get_running_loop().time() + WORK_S
    while asyncio.get_running_loop().time() < until:
        pass


async def test_beside_others_calls_that_take_time_leave_most_of_it_and_go_on_by_themselves() -> None:
    neighbours, loop = Neighbours(), asyncio.get_running_loop()
    calls = Calls(CallLimits(4, 1_000, LONG_S), neighbours)
    neighbours.saw([C], loop.time())
    began = loop.time()
    await asyncio.gather(*(calls.run(work, share=A) for _ in range(4)))
    beside_s = loop.time() - began
    alone = Calls(CallLimits(4, 1_000, LONG_S))
    began = loop.time()
    await asyncio.gather(*(alone.run(work, share=A) for _ in range(4)))
    alone_s = loop.time() - began
    assert beside_s > 2 * alone_s


@pytest.mark.parametrize(("connections", "part"), [(1, 1), (2, 1), (3, 1), (4, 2)])
async def test_beside_others_a_share_has_half_of_the_connections_and_one_at_least(connections: int, part: int) -> None:
    neighbours, desk = Neighbours(), Desk()
    calls = Calls(CallLimits(connections, 1_000, LONG_S), neighbours)
    neighbours.saw([C], asyncio.get_running_loop().time())
    tasks = [asyncio.create_task(calls.run(desk.ask, share=A)) for _ in range(8)]
    await turn()
    assert desk.begun == part
    desk.opened.set()
    await asyncio.gather(*tasks)


async def test_who_leaves_in_the_moment_of_its_turn_leaves_it_to_another() -> None:
    async with busy(LIMITS, share=A) as (calls, desk, first):
        left = await tried(calls, A)
        stays = await tried(calls, C)
        desk.opened.set()
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
    await asyncio.wait([left, stays])
    assert stays.exception() is None
    assert calls._running == calls.waiting == 0


async def test_who_waited_in_vain_leaves_no_trace() -> None:
    async with busy(CallLimits(2, 8, 0.02), share=A) as (calls, _, first):
        with pytest.raises(DatabaseUnavailable):
            await calls.run(nothing, share=C)
        assert calls.waiting == 0
        assert len(calls._round) == 0
    await asyncio.gather(*first)
