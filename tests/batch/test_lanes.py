"""Lanes: what others have locked for long stops nobody else, and order along a line is kept."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from koshel.batcher import Batcher
from koshel.queue import Overloaded
from tests.support.bank import TIMEOUT_MS, WAIT_S, Bank, Locked, bank_of


async def ask(batcher: Batcher[str, str], *commands: str) -> list[str | BaseException]:
    return await asyncio.gather(*(batcher.submit(one, size=1) for one in commands), return_exceptions=True)


async def test_what_is_not_locked_is_settled_while_something_is() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        stopped = [batcher.submit(f"a{number}", size=1) for number in range(3)]
        for number in range(50):
            assert await ask(batcher, f"b{number}", f"c{number}") == [f"B{number}", f"C{number}"]
        assert not any(one.done() for one in stopped)
        bank.unlock("a")
        assert await asyncio.gather(*stopped) == ["A0", "A1", "A2"]
        assert bank.settled[-3:] == ["a0", "a1", "a2"]
        assert await ask(batcher, "a3", "b") == ["A3", "B"]


async def test_who_waits_for_long_enough_is_told_and_nothing_of_it_is_done() -> None:
    bank, loop = Bank("a"), asyncio.get_running_loop()
    async with bank_of(bank) as batcher:
        began = loop.time()
        first = batcher.submit("a0", size=1)
        await asyncio.sleep(TIMEOUT_MS / 2_000)
        second = batcher.submit("a1", size=1)
        with pytest.raises(Locked):
            await first
        first_s = loop.time() - began
        assert not second.done()
        with pytest.raises(Locked):
            await second
        assert 0.9 * TIMEOUT_MS / 1_000 <= first_s <= loop.time() - began - TIMEOUT_MS / 4_000
        assert bank.settled == []
        bank.unlock("a")
        assert await batcher.submit("a2", size=1) == "A2"


async def test_what_shares_an_account_with_what_waits_waits_behind_it() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        names = ["ab0", "bc0", "c0", "d0", "cd0", "d1", "e0"]
        asked = [batcher.submit(one, size=1) for one in names]
        await asyncio.sleep(5 * WAIT_S)
        later = [batcher.submit(one, size=1) for one in ("d2", "e1", "b0")]
        await asyncio.sleep(5 * WAIT_S)
        assert bank.settled == ["d0", "e0", "e1"]
        bank.unlock("a")
        await asyncio.gather(*asked, *later)
        assert bank.settled[3:] == ["ab0", "bc0", "c0", "cd0", "d1", "d2", "b0"]


async def test_a_command_that_needs_two_lanes_makes_one_of_them() -> None:
    bank = Bank("ab")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        for one in ("a0", "b0", "ab0", "a1", "b1"):
            batcher.submit(one, size=1)
            await asyncio.sleep(3 * WAIT_S)
        bank.unlock("b")
        await asyncio.sleep(10 * WAIT_S)
        assert bank.settled == ["b0"]
        bank.unlock("a")
        assert await batcher.submit("ab1", size=1) == "AB1"
        assert bank.settled == ["b0", "a0", "ab0", "a1", "b1", "ab1"]


async def test_lanes_are_bounded_in_number_and_share_where_there_are_more() -> None:
    bank = Bank("abcdefgh")
    async with bank_of(bank, lane_timeout_ms=60_000, lane_flights_max=3) as batcher:
        asked = [batcher.submit(f"{letter}{number}", size=1) for number in range(3) for letter in "abcdefgh"]
        await asyncio.sleep(10 * WAIT_S)
        assert await ask(batcher, "x", "y") == ["X", "Y"]
        assert bank.most_in_the_air <= 3 + 1
        bank.unlock("c")
        await asyncio.sleep(10 * WAIT_S)
        assert [one for one in bank.settled if one not in "xy"] == ["c0", "c1", "c2"]
        bank.unlock("abcdefgh")
        await asyncio.gather(*asked)
        for letter in "abcdefgh":
            along = [one for one in bank.settled if one[0] == letter]
            assert along == [f"{letter}{number}" for number in range(3)]


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


@pytest.mark.parametrize("leave", ["cancel", "withdraw"])
async def test_who_leaves_a_lane_between_its_flights_was_not_settled(leave: str) -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        one = batcher.send("a0", answer, size=1)
        await asyncio.sleep(5 * WAIT_S)
        if leave == "cancel":
            answer.cancel()
        else:
            assert one.withdraw() or await between_flights(one.withdraw)
        await asyncio.sleep(10 * WAIT_S)
        bank.unlock("a")
        assert await batcher.submit("a1", size=1) == "A1"
    assert "a1" in bank.settled
    assert ("a0" in bank.settled) <= (leave == "cancel")


async def between_flights(withdraw: Callable[[], bool]) -> bool:
    """It can be taken back once a flight has landed in vain."""
    for _ in range(1_000):
        await asyncio.sleep(0)
        if withdraw():
            return True
    return False


async def test_a_batcher_that_closes_waits_for_its_lanes_as_long_as_they_may_take() -> None:
    bank = Bank("a")
    async with bank_of(bank) as batcher:
        answers = [batcher.submit(one, size=1) for one in ("a0", "b0")]
    ends = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(ends[0], Locked)
    assert ends[1] == "B0"


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_is_locked_and_unlocked_each_account_sees_its_commands_in_order(seed: int) -> None:
    dice, bank = Random(seed), Bank()
    async with bank_of(bank, lane_timeout_ms=60_000, lane_flights_max=2) as batcher:
        answers = []
        for number in range(400):
            accounts = "".join(sorted(dice.sample("abcdefgh", dice.choice((1, 1, 2)))))
            answers.append(batcher.submit(f"{accounts}{number}", size=1))
            if dice.random() < 0.05:
                bank.locked |= {dice.choice("abcdefgh")}
            if dice.random() < 0.08 and bank.locked:
                bank.unlock(dice.choice(sorted(bank.locked)))
            if dice.random() < 0.3:
                await asyncio.sleep(dice.choice((0, 0, 0.001, 0.01)))
        bank.unlock("abcdefgh")
        await asyncio.gather(*answers)
    assert len(bank.settled) == 400
    for letter in "abcdefgh":
        along = [int(one.lstrip("abcdefgh")) for one in bank.settled if letter in one]
        assert along == sorted(along)
