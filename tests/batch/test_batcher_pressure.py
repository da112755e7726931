"""The batcher when its callers come back for more, and when `settle` itself is at fault."""

import asyncio
import gc
import weakref
from collections.abc import Sequence

import pytest

from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.waiting import BatcherLimits
from koshel.errors import Overloaded
from tests.support.flights import Settle, open_queues, send


async def test_a_settle_that_forgets_a_command_is_a_fault_and_leaves_nobody_waiting() -> None:
    calls = []

    async def forgetful(commands: Sequence[str]) -> list[str]:
        calls.append([*commands])
        return [command.upper() for command in commands][:2]

    async with open_batcher(forgetful, partition=lambda _: None, limits=BatcherLimits()) as batcher:
        answers = [batcher.submit(command, size=1) for command in "abc"]
        done = await asyncio.gather(*answers, return_exceptions=True)
        assert done[:2] == ["A", "B"]
        assert isinstance(done[2], RuntimeError)
        assert await batcher.submit("d", size=1) == "D"
    assert calls == [["a", "b", "c"], ["d"]]


async def test_who_comes_back_at_once_leaves_together() -> None:
    settle = Settle()

    async def caller(batcher: Batcher[str, str], name: str, turns: int) -> None:
        for lap in range(3):
            await batcher.submit(f"{name}{lap}", size=1)
            for _ in range(turns):  # as a request takes a few turns of the loop to come in
                await asyncio.sleep(0)

    async with open_queues(settle) as batcher:
        await asyncio.gather(*(caller(batcher, name, turns) for turns, name in enumerate("abc")))
    assert [len(flight) for flight in settle.flights] == [3, 3, 3]


async def test_what_is_withdrawn_makes_room_at_once() -> None:
    settle = Settle()
    async with open_queues(settle, queue_max=2) as batcher:
        settle.runway.clear()
        first = batcher.submit("first", size=1)
        await asyncio.sleep(0)
        gone = [send(batcher, name) for name in "ab"]
        with pytest.raises(Overloaded):
            batcher.submit("c", size=1)
        assert all(withdraw() for _, withdraw in gone)
        kept = [batcher.submit(name, size=1) for name in "de"]
        with pytest.raises(Overloaded):
            batcher.submit("f", size=1)
        settle.runway.set()
        assert await asyncio.gather(first, *kept) == ["FIRST", "D", "E"]
        assert await batcher.submit("g", size=1) == "G"
    assert settle.flights == [["first"], ["d", "e"], ["g"]]


class _Command:
    """Something that can be seen to be gone."""


async def test_a_batch_that_fails_leaves_nothing_in_memory() -> None:
    """An exception holds its frames, and those what was settled: all of it must be the collector's to take."""
    seen = []

    async def failing(_: Sequence[_Command]) -> Sequence[None]:
        raise ConnectionError

    limits = BatcherLimits()
    async with open_batcher(failing, partition=lambda _: None, limits=limits, outages=(ConnectionError,)) as batcher:
        commands = [_Command() for _ in range(10)]
        seen = [weakref.ref(command) for command in commands]
        await asyncio.gather(*(batcher.submit(command, size=1) for command in commands), return_exceptions=True)
        commands.clear()
    gc.collect()
    assert [one() for one in seen] == [None] * 10


async def test_light_callers_have_half_of_the_time_beside_heavy_ones_though_they_are_a_moment_away() -> None:
    """A heavy batch takes ten times as long as a light one; so about five light ones follow it, not one."""
    landed = {"heavy": 0, "light": 0}

    async def settle(commands: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0.1 if "heavy" in commands else 0.01)
        for command in commands:
            landed[command] += 1
        return commands

    async def call(command: str, weight: int) -> None:
        while landed["heavy"] < 8:
            await batcher.submit(command, size=1, weight=weight)
            await asyncio.sleep(0.001)

    async with open_batcher(settle, partition=lambda _: None, limits=BatcherLimits(batch_max=100)) as batcher:
        heavy, light = (call("heavy", 100) for _ in range(3)), (call("light", 1) for _ in range(4))
        await asyncio.gather(*heavy, *light)
    assert landed["light"] > 4 * 3 * landed["heavy"], landed
