"""A flight takes what waits in its lanes when it leaves, and what it has put off comes back to its place."""

import asyncio

import pytest

from koshel.batching.lanes import Lanes
from koshel.batching.queue import PUT_OFF_MAX, Queue
from koshel.batching.room import Room
from koshel.batching.waiting import BatcherLimits, Waiting
from koshel.errors import Overloaded
from koshel.shares import NOBODY, Share

LIMITS = BatcherLimits(batch_max=3, queue_max=20)


class Waiter:
    """Makes commands that were put off often enough, each on the lines of its name."""

    def __init__(self) -> None:
        self.room = Room(LIMITS)
        self.lanes: Lanes[str, str] = Lanes(self.room, LIMITS)
        self._queue: Queue[str, str] = Queue(self.room, LIMITS)

    def one(self, number: int, lines: str, weight: int = 1, share: Share = NOBODY) -> Waiting[str, str]:
        recipient = asyncio.get_running_loop().create_future()
        values = (lines, 1, weight, 0.0, recipient, self._queue, share, number)
        return Waiting(*values, put_off=PUT_OFF_MAX, lines=frozenset(lines))

    def enter(self, *commands: Waiting[str, str]) -> None:
        for one in commands:
            self.lanes.enter(one)


async def test_what_other_lines_stop_now_stays_in_its_lane() -> None:
    waiter = Waiter()
    waiter.enter(one := waiter.one(1, "a"))
    turn = waiter.lanes.next()
    assert turn is not None
    assert waiter.lanes.take(turn) == [one]
    one.lines = frozenset("b")
    waiter.lanes.landed(turn, [one], in_vain=False)
    assert waiter.lanes.lines() == {"b"}
    again = waiter.lanes.next()
    assert again is not None
    assert waiter.lanes.take(again) == [one]
    waiter.lanes.landed(again, [], in_vain=False)
    assert not waiter.lanes


async def test_what_comes_back_before_a_flight_leaves_leaves_first() -> None:
    waiter = Waiter()
    waiter.enter(early := waiter.one(1, "a"))
    flight = waiter.lanes.next()
    assert flight is not None
    assert waiter.lanes.take(flight) == [early]
    waiter.enter(late := waiter.one(2, "b"))
    later = waiter.lanes.next()
    assert later is not None
    early.lines = frozenset("ab")  # the other line stops it too, so both lanes are one from now on
    waiter.lanes.landed(flight, [early], in_vain=False)
    assert waiter.lanes.take(later) == [early, late]


async def test_a_flight_leaves_alone_a_lane_that_was_joined_to_one_under_way() -> None:
    waiter = Waiter()
    waiter.enter(first := waiter.one(1, "a"), waiter.one(2, "b"))
    flight, other = waiter.lanes.next(), waiter.lanes.next()
    assert flight is not None
    assert other is not None
    assert waiter.lanes.take(flight) == [first]
    waiter.enter(both := waiter.one(3, "ab"))
    assert waiter.lanes.take(other) == []
    waiter.lanes.landed(other, [], in_vain=False)
    assert waiter.lanes.next() is None
    waiter.lanes.landed(flight, [], in_vain=False)
    again = waiter.lanes.next()
    assert again is not None
    assert [one.number for one in waiter.lanes.take(again)] == [2, both.number]


async def test_what_came_before_and_still_waits_keeps_its_lines() -> None:
    waiter = Waiter()
    waiter.enter(waiter.one(2, "a"))
    flight = waiter.lanes.next()
    assert flight is not None
    (taken,) = waiter.lanes.take(flight)
    waiter.enter(waiter.one(1, "ab"), waiter.one(3, "ac"))
    assert waiter.lanes.lines(flight.lanes, last=taken.number) == {"a", "b"}


async def test_there_is_as_much_in_a_flight_as_there_is_room_for() -> None:
    waiter = Waiter()
    waiter.enter(*(waiter.one(number, "a") for number in range(5)), waiter.one(5, "b"), waiter.one(6, "c"))
    flights = [waiter.lanes.next() for _ in range(3)]
    taken = []
    for one in flights:
        assert one is not None
        taken.append([each.number for each in waiter.lanes.take(one)])
        waiter.lanes.landed(one, [], in_vain=False)
    assert taken == [[0, 1, 2], [5], [6]]
    waiter.enter(waiter.one(7, "a", weight=9))
    rest = []
    while flight := waiter.lanes.next():
        rest.append([each.number for each in waiter.lanes.take(flight)])
        waiter.lanes.landed(flight, [], in_vain=False)
    assert rest == [[3, 4], [7]]


async def test_heavy_ones_and_light_ones_have_each_their_place() -> None:
    waiter = Waiter()
    waiter.enter(*(waiter.one(number, "a", weight=5) for number in (1, 2)))
    waiter.enter(*(waiter.one(number, "ab") for number in range(3, 13)))
    for one in (waiter.one(13, "c", weight=5), waiter.one(14, "c")):
        with pytest.raises(Overloaded):
            waiter.enter(one)
    flight = waiter.lanes.next()
    assert flight is not None
    assert [one.number for one in waiter.lanes.take(flight)] == [1]
    waiter.enter(waiter.one(15, "c", weight=5))
    with pytest.raises(Overloaded):
        waiter.enter(waiter.one(16, "c"))


async def test_whose_part_of_the_lanes_is_small_has_a_place_though_another_one_fills_them() -> None:
    waiter = Waiter()
    flood, quiet = ("house", "flood"), ("house", "quiet")
    waiter.enter(*(waiter.one(number, "a", share=flood) for number in range(10)))
    with pytest.raises(Overloaded):
        waiter.enter(waiter.one(10, "a", share=flood))
    waiter.enter(*(waiter.one(number, "a", share=quiet) for number in range(11, 16)))
    for share in (quiet, flood):
        with pytest.raises(Overloaded):
            waiter.enter(waiter.one(16, "a", share=share))
