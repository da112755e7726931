"""A batcher whose large batches do not wait for what others have locked: what needs it leaves with the next one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Any

import pytest

from koshel.batching.answering import Free, Way
from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.queue import FREE_MIN, PUT_OFF_MAX, WAITING_FLIGHTS
from koshel.batching.waiting import BatcherLimits
from koshel.errors import Overloaded
from tests.support.flights import turn

FILLING = [f"filling {number}" for number in range(FREE_MIN)]


class Others:
    """Have locked what some commands need: those are put off. Whoever waits for the locks gets them."""

    def __init__(self, *locked: str) -> None:
        self.locked = set(locked)
        self.waited: list[list[str]] = []  # by batch
        self.free: list[list[str]] = []
        self.in_lanes: list[list[str]] = []

    async def settle(
        self,
        commands: Sequence[str],
        taken: AbstractSet[Hashable] = frozenset(),
        watched: AbstractSet[Hashable] = frozenset(),
    ) -> list[Any]:
        assert watched <= {*commands}
        self.waited.append([*commands])
        await asyncio.sleep(0)
        return [frozenset({command}) if command in taken else command.upper() for command in commands]

    async def settle_free(
        self,
        way: Way,
        commands: Sequence[str],
        taken: AbstractSet[Hashable] = frozenset(),
        watched: AbstractSet[Hashable] | None = None,
    ) -> list[Any]:
        assert (watched is None) == (way is Way.NOT)
        (self.in_lanes if way is Way.FIRST else self.free).append([*commands])
        await asyncio.sleep(0)
        stopped = taken | (set() if way is Way.FIRST else self.locked)
        return [frozenset({command}) if command in stopped else command.upper() for command in commands]


@asynccontextmanager
async def batcher_beside(others: Others, **limits: int) -> AsyncIterator[Batcher[str, str]]:
    """Its first batch is `first`, and is under way."""
    async with open_batcher(
        others.settle,
        free=Free(others.settle_free, (), lambda command: {command}, lambda _: set(), RuntimeError),
        partition=lambda _: None,
        limits=BatcherLimits(**limits),
    ) as batcher:
        first = batcher.submit("first", size=1)
        await asyncio.sleep(0)
        yield batcher
        assert await first == "FIRST"


async def test_a_large_batch_settles_what_is_free_and_the_rest_leaves_first_with_the_next() -> None:
    others = Others("b", "a")
    async with batcher_beside(others) as batcher:
        answers = [batcher.submit(name, size=1) for name in ("a", *FILLING, "b")]
        await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        assert [one.done() for one in answers] == [False, *[True] * FREE_MIN, False]
        later = batcher.submit("later", size=1)
        assert await asyncio.gather(*answers, later) == ["A", *map(str.upper, FILLING), "B", "LATER"]
    assert others.free == [["a", *FILLING, "b"]]
    assert others.waited == [["first"], ["a", "b", "later"]]


@pytest.mark.parametrize("count", [1, 2, FREE_MIN - 1])
async def test_a_small_batch_waits(count: int) -> None:
    others = Others("a")
    async with batcher_beside(others) as batcher:
        names = ["a", *FILLING[1:count]]
        await asyncio.gather(*(batcher.submit(name, size=1) for name in names))
    assert (others.waited, others.free) == ([["first"], names], [])


async def test_a_batch_with_a_heavy_command_waits() -> None:
    others = Others("a")
    async with batcher_beside(others, batch_max=1_000) as batcher:
        heavy = batcher.submit("heavy", size=1, weight=100)
        await asyncio.gather(heavy, *(batcher.submit(name, size=1) for name in FILLING))
    assert others.free == []


async def test_with_several_flights_a_batch_waits_or_a_later_one_would_overtake_what_it_put_off() -> None:
    others = Others("a")
    async with batcher_beside(others, flights_max=2, batch_max=FREE_MIN) as batcher:
        await asyncio.gather(*(batcher.submit(name, size=1) for name in [*FILLING, *FILLING]))
    assert others.free == []


async def test_what_is_put_off_again_and_again_is_waited_for() -> None:
    """In a lane, while many others come: they stop for it no longer."""
    others = Others("a")
    async with batcher_beside(others) as batcher:
        one = batcher.submit("a", size=1)
        while not one.done():
            await asyncio.gather(*(batcher.submit(name, size=1) for name in FILLING))
        assert await one == "A"
    assert [batch[0] for batch in others.free[:PUT_OFF_MAX]] == ["a"] * PUT_OFF_MAX
    assert (others.in_lanes, others.waited) == ([["a"]], [["first"]])


async def test_where_much_is_put_off_batches_wait_for_a_while_and_then_one_tries_again() -> None:
    others = Others("hot")
    async with batcher_beside(others) as batcher:

        async def batch() -> None:
            names = [*["hot"] * FREE_MIN, *FILLING]
            await asyncio.gather(*(batcher.submit(name, size=1) for name in names))

        await batch()
        assert (len(others.free), len(others.waited)) == (1, 2)  # what was put off waited right after
        while len(others.free) == 1:
            await batch()
        assert len(others.waited) == 1 + WAITING_FLIGHTS + 1  # and what the second try has put off


@pytest.mark.parametrize("leave", ["cancel", "withdraw", "time"])
async def test_who_leaves_while_put_off_was_not_settled(leave: str) -> None:
    others = Others("a")
    async with batcher_beside(others, queue_timeout_ms=60_000) as batcher:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = batcher.send("a", answer, size=1)
        rest = [batcher.submit(name, size=1) for name in FILLING]
        await until_put_off(others, lambda: waiting.put_off == 1)
        assert not answer.done()
        if leave == "cancel":
            answer.cancel()
        elif leave == "withdraw":
            assert waiting.withdraw()
        else:
            waiting.deadline = 0.0  # which is long ago
        await asyncio.gather(*rest)
        await turn()
        if leave == "time":
            with pytest.raises(Overloaded):
                await answer
    assert others.waited == [["first"]]


async def until_put_off(others: Others, is_so: Callable[[], bool]) -> None:
    for _ in range(100):
        if is_so():
            return
        await asyncio.sleep(0)
    raise AssertionError(others.free)


async def test_what_is_put_off_takes_room_and_is_never_refused_for_want_of_it() -> None:
    others = Others("a")
    async with batcher_beside(others, queue_max=FREE_MIN + 1) as batcher:
        answers = [batcher.submit(name, size=1) for name in ("a", *FILLING)]
        await until_put_off(others, lambda: len(others.free) == 1)
        more = [batcher.submit(name, size=1) for name in FILLING]  # come while the batch is under way
        assert await asyncio.gather(*answers, *more) == ["A", *map(str.upper, [*FILLING, *FILLING])]
        full = [batcher.submit(str(number), size=1) for number in range(FREE_MIN + 1)]
        with pytest.raises(Overloaded):
            batcher.submit("one too many", size=1)
        await asyncio.gather(*full)
        assert await batcher.submit("b", size=1) == "B"


async def test_what_is_put_off_takes_bytes_too() -> None:
    others = Others("a")
    async with batcher_beside(others, queue_bytes_max=1_000) as batcher:
        answers = [batcher.submit("a", size=900), *(batcher.submit(name, size=1) for name in FILLING)]
        await until_put_off(others, lambda: any(one.done() for one in answers))
        with pytest.raises(Overloaded):
            batcher.submit("b", size=101)
        assert (await asyncio.gather(*answers))[0] == "A"
        assert await batcher.submit("b", size=1_000) == "B"


async def test_a_batcher_that_closes_settles_what_was_put_off() -> None:
    others = Others("a")
    async with batcher_beside(others) as batcher:
        answers = [batcher.submit(name, size=1) for name in ("a", *FILLING)]
    assert [await one for one in answers] == ["A", *map(str.upper, FILLING)]
