"""Whoever traces is told, before a batch is settled and in the same context, whose commands it has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

from koshel.batching.batcher import Batcher, open_batcher
from koshel.batching.waiting import BatcherLimits
from tests.support.flights import Settle

carried: ContextVar[Sequence[object]] = ContextVar("carried", default=())


class Telling(Settle):
    """Notes with each flight what was carried in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[list[str], Sequence[object]]] = []

    async def __call__(self, commands: Sequence[str]) -> Sequence[str]:
        self.told.append((list(commands), carried.get()))
        return await super().__call__(commands)


@asynccontextmanager
async def telling(settle: Telling, **limits: int) -> AsyncIterator[Batcher[str, str]]:
    async with open_batcher(
        settle, partition=lambda command: command.rpartition(":")[0], limits=BatcherLimits(**limits), carry=carried.set
    ) as batcher:
        yield batcher


def send(batcher: Batcher[str, str], *commands: str) -> "list[asyncio.Future[str]]":
    """Commands, each with a trace that is named after it, but for those that end in `x`."""
    answers = []
    for command in commands:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = batcher.send(command, answer, size=1)
        waiting.trace = None if command.endswith("x") else f"trace of {command}"
        answers.append(answer)
    return answers


async def test_a_batch_carries_the_traces_of_its_commands_in_order() -> None:
    settle = Telling()
    async with telling(settle) as batcher:
        await asyncio.gather(*send(batcher, "a", "b", "cx"))
        await asyncio.gather(*send(batcher, "d"))
    assert settle.told == [(["a", "b", "cx"], ["trace of a", "trace of b", None]), (["d"], ["trace of d"])]


async def test_batches_that_are_under_way_together_do_not_carry_each_other_s() -> None:
    settle = Telling()
    settle.runway.clear()
    async with telling(settle) as batcher:
        first, second = send(batcher, "one:a", "two:b")
        while settle.in_the_air < 2:  # noqa: ASYNC110  it is no event that anybody tells of
            await asyncio.sleep(0)
        settle.runway.set()
        await asyncio.gather(first, second)
    assert settle.told == [(["one:a"], ["trace of one:a"]), (["two:b"], ["trace of two:b"])]


async def test_what_is_settled_alone_after_an_accident_carries_its_own_only() -> None:
    settle = Telling()
    async with telling(settle, singles_max=2) as batcher:
        answers = send(batcher, "a", "poison", "b")
        await asyncio.gather(*answers, return_exceptions=True)
    assert settle.told[0] == (["a", "poison", "b"], ["trace of a", "trace of poison", "trace of b"])
    assert sorted(settle.told[1:]) == [([one], [f"trace of {one}"]) for one in ("a", "b", "poison")]


async def test_what_carries_a_command_is_no_business_of_whoever_sent_it() -> None:
    async with telling(Telling()) as batcher:
        await asyncio.gather(*send(batcher, "a"))
    assert carried.get() == ()
