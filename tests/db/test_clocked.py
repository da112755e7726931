"""How much of the event loop's time a coroutine takes."""

import asyncio
import time

import pytest

from koshel.db.sharing.clocked import Clock, clocked

WORK_S = 0.02


def work() -> None:
    until = time.perf_counter() + WORK_S
    while time.perf_counter() < until:
        pass


async def test_what_it_does_counts_and_what_it_waits_for_does_not() -> None:
    clock, loop = Clock(), asyncio.get_running_loop()

    async def call() -> int:
        work()
        await asyncio.sleep(0)
        work()
        await loop.run_in_executor(None, time.sleep, 5 * WORK_S)
        return 7

    began = time.perf_counter()
    assert await clocked(call(), clock) == 7
    took_s = time.perf_counter() - began
    assert 2 * WORK_S <= clock.took_s <= took_s - 4 * WORK_S


async def test_what_it_raises_is_raised() -> None:
    async def call() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    clock = Clock()
    with pytest.raises(ZeroDivisionError):
        await clocked(call(), clock)
    assert clock.took_s > 0


async def test_it_may_be_cancelled_and_may_go_on_nevertheless() -> None:
    waiting = asyncio.Event()

    async def call(*, goes_on: bool) -> str:
        try:
            await waiting.wait()
        except asyncio.CancelledError:
            if not goes_on:
                raise
            await asyncio.sleep(0)
            return "went on"
        return "waited"

    for goes_on in (True, False):
        task = asyncio.create_task(clocked(call(goes_on=goes_on), Clock()))
        await asyncio.sleep(0)
        task.cancel()
        found = await asyncio.gather(task, return_exceptions=True)
        assert [str(one) for one in found] == ["went on" if goes_on else ""]
        assert isinstance(found[0], str if goes_on else asyncio.CancelledError)
