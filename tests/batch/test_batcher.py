"""Many callers in, few flights out. The batcher is generic, so a plain async function is a real `settle` to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from koshel.errors import Overloaded
from tests.support.flights import Flights, Outage, Settle, grounded, open_queues, submit, turn

Outcomes = list[str | type[Exception]]


@pytest.fixture
async def settle() -> AsyncIterator[Settle]:
    settle = Settle()
    yield settle
    assert settle.in_the_air == 0


async def test_a_lone_caller_leaves_at_once_and_alone(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        for command in ("a", "b", "c"):
            assert await batcher.submit(command, size=1) == command.upper()
    assert settle.flights == [["a"], ["b"], ["c"]]


async def test_what_arrives_during_a_flight_leaves_together_when_it_lands(settle: Settle) -> None:
    async with grounded(settle) as batcher:
        answers = submit(batcher, "a", "b")
        await turn()
        answers += submit(batcher, "c")
        await turn()
        assert len(settle.flights) == 1
        settle.runway.set()
        assert await asyncio.gather(*answers) == ["A", "B", "C"]
    assert settle.flights == [["first"], ["a", "b", "c"]]


async def test_a_batch_has_at_most_batch_max_commands_and_all_leave_in_order(settle: Settle) -> None:
    async with grounded(settle, batch_max=3) as batcher:
        answers = submit(batcher, *"abcdefgh")
        settle.runway.set()
        assert await asyncio.gather(*answers) == [*"ABCDEFGH"]
    assert settle.flights == [["first"], list("abc"), list("def"), list("gh")]


@pytest.mark.parametrize("flights_max", [1, 2, 3])
async def test_at_most_flights_max_batches_are_in_the_air_in_each_partition(settle: Settle, flights_max: int) -> None:
    async with open_queues(settle, batch_max=1, flights_max=flights_max) as batcher:
        settle.runway.clear()
        answers = submit(batcher, *(f"x:{n}" for n in range(9)), *(f"y:{n}" for n in range(9)))
        await turn()
        assert settle.in_the_air == 2 * flights_max
        settle.runway.set()
        assert len(await asyncio.gather(*answers)) == 18
    assert settle.most_in_the_air == 2 * flights_max


async def test_partitions_neither_share_a_batch_nor_wait_for_each_other(settle: Settle) -> None:
    async with grounded(settle, "x:first") as batcher:
        answers = submit(batcher, "x:a", "y:a", "x:b", "y:b")
        await turn()
        assert settle.flights == [["x:first"], ["y:a", "y:b"]]
        settle.runway.set()
        assert await asyncio.gather(*answers) == ["X:A", "Y:A", "X:B", "Y:B"]
    assert settle.flights[2:] == [["x:a", "x:b"]]


async def test_every_caller_gets_the_one_answer_that_is_theirs(settle: Settle) -> None:
    commands = [f"{lane}:{n}" for n in range(100) for lane in "xyz"]
    async with open_queues(settle, batch_max=7, flights_max=2) as batcher:
        assert await asyncio.gather(*submit(batcher, *commands)) == [command.upper() for command in commands]
    assert sorted(command for flight in settle.flights for command in flight) == sorted(commands)


# Limits; sizes that fit together; the size that is one too many.
FULL = [
    ({"queue_max": 3}, [0, 0, 0], 0),
    ({"queue_bytes_max": 100}, [60, 40], 1),
    ({"queue_bytes_max": 100}, [100], 1),
    ({"queue_bytes_max": 100}, [], 101),
    ({"queue_max": 2, "queue_bytes_max": 100}, [1, 1], 1),
]


@pytest.mark.parametrize(("limits", "sizes", "too_much"), FULL)
async def test_what_does_not_fit_the_queue_is_overloaded_and_what_has_left_makes_room(
    settle: Settle, limits: dict[str, int], sizes: list[int], too_much: int
) -> None:
    async with grounded(settle, "first", **limits) as batcher:
        for _ in range(3):
            # The limits are over all partitions.
            waiting = [batcher.submit(f"{n}:fits" if n else "fits", size=size) for n, size in enumerate(sizes)]
            with pytest.raises(Overloaded):
                batcher.submit("too much", size=too_much)
            settle.runway.set()
            await asyncio.gather(*waiting)
            await turn()
    assert "too much" not in [command for flight in settle.flights for command in flight]


async def test_a_caller_who_hung_up_before_the_batch_is_skipped_and_takes_no_room(settle: Settle) -> None:
    async with grounded(settle, batch_max=2) as batcher:
        a, b, c, d = submit(batcher, *"abcd")
        a.cancel()
        c.cancel()
        settle.runway.set()
        assert (await b, await d) == ("B", "D")
    assert settle.flights == [["first"], ["b", "d"]]


async def test_a_caller_who_hangs_up_during_the_flight_disturbs_nobody(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        settle.runway.clear()
        a, b = submit(batcher, "a", "b")
        await turn()
        a.cancel()
        settle.runway.set()
        assert await b == "B"
    assert settle.flights == [["a", "b"]]


async def test_a_queue_of_callers_who_all_hung_up_flies_nowhere(settle: Settle) -> None:
    async with grounded(settle) as batcher:
        for answer in submit(batcher, *"abc"):
            answer.cancel()
    assert settle.flights == [["first"]]


async def test_what_waited_too_long_is_overloaded_and_never_settled(settle: Settle) -> None:
    async with grounded(settle, queue_timeout_ms=100) as batcher:
        (late,) = submit(batcher, "late")
        await asyncio.sleep(0.15)
        (fresh,) = submit(batcher, "fresh")
        settle.runway.set()
        assert await fresh == "FRESH"
        with pytest.raises(Overloaded):
            await late
    assert settle.flights == [["first"], ["fresh"]]


# What is submitted at once; what becomes of it; what flew.
ACCIDENTS: list[tuple[list[str], Outcomes, Flights]] = [
    (["a", "poison", "b"], ["A", ValueError, "B"], [["a", "poison", "b"], ["a"], ["poison"], ["b"]]),
    (["poison"], [ValueError], [["poison"]]),
    (["poison 1", "poison 2"], [ValueError] * 2, [["poison 1", "poison 2"], ["poison 1"], ["poison 2"]]),
    (["a", "outage", "b"], [Outage] * 3, [["a", "outage", "b"]]),
    (["outage"], [Outage], [["outage"]]),
    # An outage on the way one by one is the answer of those it meets.
    (
        ["a", "poison", "outage", "b"],
        ["A", ValueError, Outage, "B"],
        [["a", "poison", "outage", "b"], ["a"], ["poison"], ["outage"], ["b"]],
    ),
]


@pytest.mark.parametrize(("commands", "expected", "flights"), ACCIDENTS)
async def test_a_poisonous_command_hurts_itself_only_and_an_outage_is_everybodys_answer(
    settle: Settle, commands: list[str], expected: Outcomes, flights: Flights
) -> None:
    async with open_queues(settle) as batcher:
        answers = await asyncio.gather(*submit(batcher, *commands), return_exceptions=True)
        assert [type(one) if isinstance(one, Exception) else one for one in answers] == expected
        assert await batcher.submit("next", size=1) == "NEXT"
    assert settle.flights == [*flights, ["next"]]


async def test_a_caller_who_hung_up_is_not_settled_again_after_an_accident(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        settle.runway.clear()
        a, b, poison = submit(batcher, "a", "b", "poison")
        await turn()
        b.cancel()
        settle.runway.set()
        assert await a == "A"
        with pytest.raises(ValueError, match="poison"):
            await poison
    assert settle.flights == [["a", "b", "poison"], ["a"], ["poison"]]


async def test_what_has_waited_too_long_is_not_settled_again_after_an_accident(settle: Settle) -> None:
    async with open_queues(settle, queue_timeout_ms=400) as batcher:
        settle.runway.clear()
        answers = submit(batcher, "a", "poison")
        await asyncio.sleep(0.6)
        settle.runway.set()
        for answer in answers:
            with pytest.raises(Overloaded):
                await answer
    assert settle.flights == [["a", "poison"]]


@pytest.mark.parametrize("name", ["outage", "poison"])
async def test_callers_who_hung_up_before_their_batch_failed_get_nothing(settle: Settle, name: str) -> None:
    async with open_queues(settle) as batcher:
        settle.runway.clear()
        hung_up, other = submit(batcher, "a", name)
        await turn()
        hung_up.cancel()
        settle.runway.set()
        with pytest.raises((Outage, ValueError)):
            await other


async def test_a_batcher_that_closes_takes_no_more_and_answers_all_that_wait(settle: Settle) -> None:
    async with open_queues(settle, batch_max=2) as batcher:
        settle.runway.clear()
        answers = submit(batcher, "x:1", "x:2", "x:3", "y:1")
        draining = asyncio.create_task(batcher.drain())
        await turn()
        with pytest.raises(Overloaded):
            batcher.submit("z:1", size=1)
        assert not draining.done()
        settle.runway.set()
        await draining
        assert [answer.result() for answer in answers] == ["X:1", "X:2", "X:3", "Y:1"]
    with pytest.raises(Overloaded):
        batcher.submit("late", size=1)


async def test_a_thousand_partitions_leave_nothing_behind(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        commands = [f"{n}:{'poison' if n % 3 else 'a'}" for n in range(1_000)]
        await asyncio.gather(*submit(batcher, *commands), return_exceptions=True)
        await turn()
        assert not batcher._partitions
        assert not batcher._flights


async def test_the_age_of_the_oldest_without_an_answer_is_known_in_the_queue_and_under_way(settle: Settle) -> None:
    async with grounded(settle) as batcher:
        await asyncio.sleep(0.05)
        under_way = batcher.measure().oldest_s
        answers = submit(batcher, "a", "b")
        answers[0].cancel()
        later = batcher.measure().oldest_s
        settle.runway.set()
        await answers[1]
        await turn()
        assert 0.05 <= under_way < later
        assert batcher.measure().oldest_s == 0
        settle.runway.clear()
        answers = submit(batcher, "c", "d")
        await turn()
        await asyncio.sleep(0.02)
        assert 0.02 <= batcher.measure().oldest_s < later
        settle.runway.set()
        await asyncio.gather(*answers)
