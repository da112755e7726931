"""Lanes are bounded: they take their share of the queue, and no more."""

import asyncio

from koshel.errors import Overloaded
from tests.support.bank import WAIT_S, Bank, ask, bank_of


async def test_lanes_take_half_of_the_queue() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000, queue_max=20) as batcher:
        first = [batcher.submit(f"a{number}", size=1) for number in range(15)]
        await asyncio.sleep(5 * WAIT_S)
        ends = await asyncio.gather(*[one for one in first if one.done()], return_exceptions=True)
        assert [type(one) for one in ends] == [Overloaded] * 5
        assert await ask(batcher, *[f"b{number}" for number in range(9)]) == [f"B{number}" for number in range(9)]
        bank.unlock("a")
        rest = [one for one in first if not one.done()]
        assert await asyncio.gather(*rest) == [f"A{number}" for number in range(10)]
        # All that was taken was given back.
        assert len(await asyncio.gather(*(batcher.submit("b", size=1) for _ in range(20)))) == 20


async def test_what_is_heavy_in_a_lane_takes_nothing_of_the_share_of_others() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000, queue_max=20) as batcher:
        heavy = batcher.submit("a0", size=1, weight=10)
        await asyncio.sleep(5 * WAIT_S)
        assert await batcher.submit("b0", size=1, weight=10) == "B0"
        bank.unlock("a")
        assert await heavy == "A0"


async def test_what_is_heavier_than_half_of_the_queue_can_wait_in_a_lane() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000, queue_max=20, batch_max=4) as batcher:
        heavy = batcher.submit("a0", size=1, weight=15)
        await asyncio.sleep(5 * WAIT_S)
        bank.unlock("a")
        assert await heavy == "A0"
