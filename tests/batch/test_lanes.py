"""Lanes: what others have locked for long stops nobody else, and order along a line is kept."""

import asyncio
import time
from random import Random

import pytest

from tests.support.bank import TIMEOUT_MS, WAIT_S, Bank, Locked, ask, bank_of


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


async def test_what_others_have_not_locked_stops_nobody() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        asked = [batcher.submit(one, size=1) for one in ("ab0", "bc0", "c0")]
        await asyncio.sleep(5 * WAIT_S)
        later = [batcher.submit(one, size=1) for one in ("b0", "ac0", "b1")]
        await asyncio.sleep(5 * WAIT_S)
        assert bank.settled == ["bc0", "c0", "b0", "b1"]
        bank.unlock("a")
        await asyncio.gather(*asked, *later)
        assert bank.settled[4:] == ["ab0", "ac0"]


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


async def test_what_waits_for_one_row_and_then_for_another_keeps_its_place_on_both() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        asked = [batcher.submit("ab0", size=1)]
        await asyncio.sleep(5 * WAIT_S)
        bank.locked.add("b")
        asked += [batcher.submit("b0", size=1)]
        await asyncio.sleep(5 * WAIT_S)
        bank.unlock("a")
        await asyncio.sleep(5 * WAIT_S)
        asked += [batcher.submit("a0", size=1)]
        await asyncio.sleep(5 * WAIT_S)
        bank.unlock("b")
        await asyncio.gather(*asked)
        along = [one for one in bank.settled if "a" in one]
        assert along == ["ab0", "a0"]


@pytest.mark.parametrize("count", [5, 26])
async def test_however_many_rows_are_locked_few_flights_are_under_way_and_each_is_told_in_time(count: int) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"[:count]
    bank, loop = Bank(letters), asyncio.get_running_loop()
    async with bank_of(bank, lane_flights_max=2) as batcher:
        began = loop.time()
        asked = [batcher.submit(f"{letter}{number}", size=1) for number in range(3) for letter in letters]
        assert await ask(batcher, "X", "Y") == ["X", "Y"]
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(one) for one in ends} == {Locked}
        assert loop.time() - began < 3 * TIMEOUT_MS / 1_000
        assert bank.most_in_the_air <= 2 + 1
        assert bank.settled == ["X", "Y"]
        bank.unlock(letters)
        assert await ask(batcher, *letters) == [*letters.upper()]


async def test_each_of_many_is_settled_soon_after_its_row_is_free() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    bank, loop = Bank(letters), asyncio.get_running_loop()
    async with bank_of(bank, lane_timeout_ms=60_000, lane_flights_max=2) as batcher:
        asked = {
            f"{letter}{number}": batcher.submit(f"{letter}{number}", size=1)
            for number in range(3)
            for letter in letters
        }
        await asyncio.sleep(20 * WAIT_S)
        for letter in "qcz":
            bank.unlock(letter)
            began = loop.time()
            await asyncio.gather(*(asked[f"{letter}{number}"] for number in range(3)))
            assert loop.time() - began < 10 * WAIT_S
        bank.unlock(letters)
        await asyncio.gather(*asked.values())
        for letter in letters:
            assert [one for one in bank.settled if one[0] == letter] == [f"{letter}{number}" for number in range(3)]


async def test_a_key_that_somebody_has_stops_only_those_that_have_it() -> None:
    bank = Bank("K")
    async with bank_of(bank) as batcher:
        stopped = [batcher.submit(one, size=1) for one in ("aK0", "bK0")]
        others = [f"{letter}{number}" for number in range(5) for letter in "abcL"]
        assert await ask(batcher, *others) == [one.upper() for one in others]
        for number in range(20):
            assert await ask(batcher, f"d{number}", f"dM{number}") == [f"D{number}", f"DM{number}"]
        ends = await asyncio.gather(*stopped, return_exceptions=True)
        assert {type(one) for one in ends} == {Locked}
        bank.unlock("K")
        assert await ask(batcher, "aK1") == ["AK1"]


async def test_after_an_accident_what_is_locked_waits_in_a_lane_and_order_is_kept() -> None:
    bank = Bank("a")
    bank.poison = {"b7"}
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        names = ["a0", *[f"b{number}" for number in range(10)], "a1", "ab0", *[f"c{number}" for number in range(10)]]
        asked = [batcher.submit(one, size=1) for one in names]
        await asyncio.sleep(10 * WAIT_S)
        assert [one for one, answer in zip(names, asked, strict=True) if not answer.done()] == ["a0", "a1", "ab0"]
        bank.unlock("a")
        ends = await asyncio.gather(*asked, return_exceptions=True)
    assert [one for one in ends if isinstance(one, BaseException)] == [ends[8]]
    for letter in "abc":
        along = [one for one in bank.settled if one[0] == letter and one != "ab0"]
        assert along == [one for one in names if one[0] == letter and one not in ("b7", "ab0")]


async def test_it_is_idle_while_only_lanes_wait() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        waiting = batcher.submit("a0", size=1)
        assert not batcher.is_idle
        await asyncio.sleep(5 * WAIT_S)
        assert batcher.is_idle
        bank.unlock("a")
        assert await waiting == "A0"


async def test_who_hangs_up_while_it_waits_in_a_lane_is_not_settled() -> None:
    bank = Bank("a")
    async with bank_of(bank, lane_timeout_ms=60_000) as batcher:
        one = batcher.submit("a0", size=1)
        await asyncio.sleep(5 * WAIT_S)
        one.cancel()
        await asyncio.sleep(10 * WAIT_S)
        bank.unlock("a")
        assert await batcher.submit("a1", size=1) == "A1"
    assert bank.settled == ["a1"]


async def test_a_batcher_that_closes_waits_for_its_lanes_as_long_as_they_may_take() -> None:
    bank = Bank("a")
    async with bank_of(bank) as batcher:
        answers = [batcher.submit(one, size=1) for one in ("a0", "b0")]
    locked, free = await asyncio.gather(*answers, return_exceptions=True)
    assert (type(locked), free) == (Locked, "B0")


@pytest.mark.parametrize("seed", range(30))
async def test_whatever_happens_nothing_is_lost_or_overtaken_where_it_was_stopped(seed: int) -> None:
    dice, bank = Random(seed), Bank()
    weight = 20 if seed % 4 == 0 else 1  # of all, since light ones overtake heavy ones that have not left yet
    answers: dict[str, asyncio.Future[str]] = {}
    async with bank_of(bank, lane_timeout_ms=60_000, lane_flights_max=2, queue_max=10_000) as batcher:
        for number in range(400):
            rows = "".join(sorted(dice.sample("abcdefgh", dice.choice((1, 1, 2)))))
            command = f"{rows}{dice.choice(('', '', '', 'K', 'L'))}{number}"
            bank.poison |= {command} if dice.random() < 0.02 else set()
            answers[command] = batcher.submit(command, size=1, weight=weight)
            bank.locked |= {dice.choice("abcdefghK")} if dice.random() < 0.05 else set()
            bank.unlock(dice.choice("abcdefghK") if dice.random() < 0.5 else "")
            if dice.random() < 0.02 and answers[hung_up := dice.choice([*answers])].cancel():
                bank.gone(hung_up)
            await asyncio.sleep(dice.choice((0, 0, 0, 0, 0, 0, 0, 0.001, 0.01)))
            if dice.random() < 0.02:
                time.sleep(dice.random() * 3 * WAIT_S)  # noqa: ASYNC251  as where other processes have the processor
        bank.unlock("abcdefghK")
        ends = dict(zip(answers, await asyncio.gather(*answers.values(), return_exceptions=True), strict=True))
    assert len(bank.settled) == len(set(bank.settled))
    assert not bank.overtaken
    for command, end in ends.items():
        wanted = (asyncio.CancelledError, ValueError) if command in bank.poison else (asyncio.CancelledError, str)
        assert isinstance(end, wanted), end
        assert command in bank.settled or not isinstance(end, str)
