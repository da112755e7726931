"""Which connections have to go: the idle ones for new ones, and those whose answers nobody takes."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from koshel.http.connection.connections import STOP_PATIENCE_S, Connections
from koshel.http.rests import Waits
from tests.support.waiting import until

MOST = 10
PATIENCE_S = 0.4


class Connection:
    """A connection and its transport in one."""

    def __init__(self, number: float = 0) -> None:
        self.is_idle = True
        self.idle_until = number
        self.unsent = 0
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def get_extra_info(self, name: str) -> str:
        return name


def open_all(connections: Connections, opened: Sequence[Any]) -> None:
    for one in opened:
        connections.opened(one, one)


def gone(opened: Sequence[Connection]) -> list[int]:
    return [number for number, one in enumerate(opened) if one.aborted]


async def seconds_until(condition: Callable[[], bool]) -> float:
    began = time.monotonic()
    await until(condition, "the end of a test")
    return time.monotonic() - began


@pytest.fixture
def connections() -> Connections:
    return Connections(MOST, PATIENCE_S, OrderedDict())


def test_as_many_as_there_may_be_stay(connections: Connections) -> None:
    opened = [Connection() for _ in range(MOST)]
    with capture_logs() as logs:
        open_all(connections, opened)
    assert gone(opened) == []
    assert logs == []


def test_for_one_more_the_one_that_was_idle_longest_goes(connections: Connections) -> None:
    opened = [Connection(number=-number) for number in range(MOST)]
    open_all(connections, [*opened, Connection()])
    assert gone(opened) == [MOST - 1]


def test_who_is_busy_or_was_busy_since_stays(connections: Connections) -> None:
    opened = [Connection(number) for number in range(MOST)]
    opened[0].is_idle = False
    open_all(connections, [*opened, Connection(100)])
    assert gone(opened) == [1]
    opened[2].idle_until = 99
    open_all(connections, [Connection(100)])
    assert gone(opened) == [1, 3]
    for one in opened:
        one.idle_until += 1
    open_all(connections, [Connection(100)])  # who was idle before is not any more, so they are searched again
    assert gone(opened) == [1, 3, 4]


def test_who_waits_for_a_refusal_goes_before_any_that_is_idle_the_one_that_waits_longest_first() -> None:
    waiting: Waits = OrderedDict()
    connections = Connections(MOST, PATIENCE_S, waiting)
    opened = [Connection(number) for number in range(MOST)]
    open_all(connections, opened)
    for number in (7, 3, 5):
        opened[number].is_idle = False
        waiting[opened[number]] = None
    connections.ended(opened[5])  # there is room for one
    open_all(connections, [Connection(100), Connection(100)])
    assert gone(opened) == [7]
    open_all(connections, [Connection(100)])
    assert gone(opened) == [3, 7]
    open_all(connections, [Connection(100)])
    assert gone(opened) == [0, 3, 7], "of those that wait only one was left, and that had ended"


def test_if_all_are_busy_the_new_one_goes(connections: Connections) -> None:
    opened = [Connection() for _ in range(MOST)]
    for one in opened:
        one.is_idle = False
    new = Connection()
    open_all(connections, [*opened, new])
    assert gone(opened) == []
    assert new.aborted


async def test_that_all_are_busy_is_not_found_out_anew_for_each_new_one() -> None:
    connections = Connections(20_000, PATIENCE_S, OrderedDict())
    opened = [Connection() for _ in range(20_000)]
    for one in opened:
        one.is_idle = False
    open_all(connections, opened)
    began = time.monotonic()
    open_all(connections, [Connection() for _ in range(5_000)])
    assert time.monotonic() - began < 3  # a search for each would take ten seconds
    opened[7].is_idle = True

    def is_found() -> bool:
        open_all(connections, [Connection()])
        return opened[7].aborted

    await seconds_until(is_found)


def test_an_episode_is_two_lines_however_many_it_costs(connections: Connections) -> None:
    opened = [Connection(number) for number in range(5 * MOST)]
    with capture_logs() as logs:
        open_all(connections, opened)
        assert gone(opened) == list(range(4 * MOST))
        for one in opened:
            connections.ended(one)
            connections.ended(one)  # those that were closed are told of too
    first, last = logs
    assert (first["log_level"], first["connections_max"]) == ("warning", MOST)
    assert (last["log_level"], last["closed"]) == ("info", 4 * MOST)


@pytest.mark.parametrize("unsent", [1, 70_000])
async def test_whose_answers_nobody_takes_is_cut_off(connections: Connections, unsent: int) -> None:
    stuck, other = Connection(), Connection()
    stuck.unsent = unsent
    open_all(connections, [stuck, other])
    connections.watch()
    took = await seconds_until(lambda: stuck.aborted)
    assert took >= PATIENCE_S * 0.9
    assert not other.aborted
    stuck.unsent = 0
    await connections.flush(60)


async def test_who_reads_however_slowly_is_not(connections: Connections) -> None:
    slow, slower = Connection(), Connection()
    slow.unsent = slower.unsent = 20_000
    open_all(connections, [slow, slower])
    connections.watch()

    def read() -> bool:
        slow.unsent -= 200
        slower.unsent -= 1
        return slower.aborted

    await seconds_until(read)
    assert not slow.aborted
    slow.unsent = slower.unsent = 0
    await connections.flush(60)


async def test_who_is_sent_more_all_the_time_is_given_time(connections: Connections) -> None:
    busy = Connection()
    busy.unsent = 1
    open_all(connections, [busy])
    connections.watch()
    began = time.monotonic()

    def more() -> bool:
        busy.unsent += 1  # what was taken meanwhile cannot be told
        return time.monotonic() - began > 3 * PATIENCE_S

    await seconds_until(more)
    assert not busy.aborted
    busy.unsent = 0
    await connections.flush(60)


async def test_a_worker_that_stops_gives_up_sooner_on_who_does_not_read() -> None:
    connections = Connections(MOST, 60, OrderedDict())
    stuck, reading = Connection(), Connection()
    stuck.unsent = 1_000
    reading.unsent = 100_000
    open_all(connections, [stuck, reading])
    connections.watch()
    connections.hurry()
    flushing = asyncio.create_task(connections.flush(60))

    def read() -> bool:
        reading.unsent = max(0, reading.unsent - 1_000)
        if stuck.aborted:
            stuck.unsent = 0
        return flushing.done()

    took = await seconds_until(read)
    assert took >= STOP_PATIENCE_S * 0.9
    assert stuck.aborted
    assert not reading.aborted
    assert reading.unsent == 0


async def test_a_stop_does_not_wait_longer_than_it_may() -> None:
    connections = Connections(MOST, 60, OrderedDict())
    endless = Connection()
    endless.unsent = 1
    open_all(connections, [endless])
    connections.watch()
    async with asyncio.timeout(60):
        await connections.flush(0.05)
    assert not endless.aborted
