"""What weighs more than one command, what is taken back, and whether anything is under way."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from koshel.batching.batcher import Batcher
from koshel.errors import Overloaded
from tests.support.flights import Settle, grounded, open_queues, send, submit, turn


@pytest.fixture
async def settle() -> AsyncIterator[Settle]:
    settle = Settle()
    yield settle
    assert settle.in_the_air == 0


def submit_weighed(batcher: Batcher[str, str], *weighed: tuple[str, int]) -> "list[asyncio.Future[str]]":
    return [batcher.submit(command, size=1, weight=weight) for command, weight in weighed]


# What waits, with its weight; what leaves together, if a batch may weigh 5.
LOADS: list[tuple[list[tuple[str, int]], list[str]]] = [
    ([("a", 1), ("b", 4), ("c", 1)], ["ba", "c"]),
    ([("a", 5), ("b", 5)], ["a", "b"]),
    ([("a", 2), ("b", 2), ("c", 2), ("d", 1)], ["abd", "c"]),
    ([("a", 1), ("b", 9), ("c", 1)], ["b", "ac"]),
    ([("a", 9), ("b", 9), ("c", 9)], ["a", "b", "c"]),
    ([("a", 3), ("b", 3)], ["a", "b"]),
    ([("a", 4), ("b", 2), ("c", 1)], ["ac", "b"]),
    ([("a", 0), ("b", 5), ("c", 0)], ["bac"]),
]


@pytest.mark.parametrize(("waiting", "flights"), LOADS)
async def test_a_batch_weighs_at_most_batch_max_and_what_weighs_more_leaves_alone(
    settle: Settle, waiting: list[tuple[str, int]], flights: list[str]
) -> None:
    async with grounded(settle, batch_max=5) as batcher:
        answers = submit_weighed(batcher, *waiting)
        settle.runway.set()
        assert await asyncio.gather(*answers) == [command.upper() for command, _ in waiting]
    assert settle.flights[1:] == [list(flight) for flight in flights]


async def test_the_queue_holds_so_much_weight_over_all_partitions(settle: Settle) -> None:
    async with grounded(settle, queue_max=10) as batcher:
        for _ in range(3):
            waiting = submit_weighed(batcher, ("x:a", 4), *(("y:b", 1) for _ in range(6)))
            with pytest.raises(Overloaded):
                batcher.submit("too much", size=1, weight=1)
            settle.runway.set()
            await asyncio.gather(*waiting)
            await turn()
            settle.runway.clear()
            submit(batcher, "first")  # in the air again
            await turn()


async def test_a_unit_that_weighs_more_than_the_whole_queue_is_let_in_when_there_is_room(settle: Settle) -> None:
    async with grounded(settle, queue_max=10) as batcher:
        (heavy,) = submit_weighed(batcher, ("heavy", 1_000))
        with pytest.raises(Overloaded):
            batcher.submit("light", size=1)
        settle.runway.set()
        assert await heavy == "HEAVY"
        assert await batcher.submit("light", size=1) == "LIGHT"


async def test_who_hung_up_takes_no_weight_of_the_batch(settle: Settle) -> None:
    async with grounded(settle, batch_max=5) as batcher:
        _, gone, _ = answers = submit_weighed(batcher, ("a", 2), ("b", 3), ("c", 3))
        gone.cancel()
        settle.runway.set()
        assert await answers[2] == "C"
    assert settle.flights[1:] == [["a", "c"]]


async def test_an_accident_of_what_leaves_alone_is_its_own(settle: Settle) -> None:
    async with grounded(settle, batch_max=5) as batcher:
        a, poison, c = submit_weighed(batcher, ("a", 1), ("poison", 9), ("c", 1))
        settle.runway.set()
        assert (await a, await c) == ("A", "C")
        with pytest.raises(ValueError, match="poison"):
            await poison
    assert settle.flights[1:] == [["poison"], ["a", "c"]]


async def test_what_has_not_left_can_be_withdrawn_and_is_never_settled(settle: Settle) -> None:
    async with grounded(settle) as batcher:
        (a,) = submit(batcher, "a")
        b, withdraw_b = send(batcher, "y:b")
        _, withdraw_c = send(batcher, "c")
        (d,) = submit(batcher, "d")
        await turn()
        assert withdraw_c()
        assert not withdraw_b()  # nothing keeps its partition waiting
        settle.runway.set()
        assert [await a, await b, await d] == ["A", "Y:B", "D"]
    assert settle.flights == [["first"], ["y:b"], ["a", "d"]]


async def test_what_has_left_cannot_be_withdrawn_and_is_answered(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        settle.runway.clear()
        answer, withdraw = send(batcher, "a")
        await turn()
        assert not withdraw()
        settle.runway.set()
        assert await answer == "A"
        assert not withdraw()


async def test_what_was_withdrawn_or_given_up_cannot_be_withdrawn_again(settle: Settle) -> None:
    async with grounded(settle) as batcher:
        _, withdraw_a = send(batcher, "a")
        b, withdraw_b = send(batcher, "b")
        assert withdraw_a()
        assert not withdraw_a()
        b.cancel()
        assert not withdraw_b()
    assert settle.flights == [["first"]]


async def test_a_batcher_is_idle_unless_something_waits_or_is_under_way(settle: Settle) -> None:
    async with open_queues(settle) as batcher:
        assert batcher.is_idle
        settle.runway.clear()
        first = batcher.submit("x:1", size=1)
        assert not batcher.is_idle  # before the loop has turned
        await turn()
        second = batcher.submit("y:2", size=1)
        settle.runway.set()
        await asyncio.gather(first, second)
        await turn()
        assert batcher.is_idle
        _, withdraw = send(batcher, "z:3")
        assert withdraw()
        await turn()
        assert batcher.is_idle
    assert batcher.is_idle


async def test_a_batcher_is_not_idle_while_an_accident_is_settled_one_by_one(settle: Settle) -> None:
    idle = []

    async with open_queues(settle) as batcher:
        answers = submit(batcher, "a", "poison", "b")
        for answer in answers:
            answer.add_done_callback(lambda _: idle.append(batcher.is_idle))
        await asyncio.gather(*answers, return_exceptions=True)
        await turn()
        assert batcher.is_idle
    assert idle[:2] == [False, False]
