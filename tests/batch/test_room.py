"""Who still has a place when much waits: whoever has less than its part. The rest is told at once."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel.batching.lane import Lane
from koshel.batching.pace import FLOOR, SHARED_S
from koshel.batching.queue import Queue
from koshel.batching.room import Room
from koshel.batching.waiting import BatcherLimits, Waiting
from koshel.errors import Overloaded
from koshel.shares import Share
from tests.batch.test_queue import NOWHERE, Caller

FLOOD: Share = (1, "flood")
OTHER: Share = (1, "other")
ELSEWHERE: Share = (2, "else")


def queue_with(**limits: int) -> "Queue[str, str]":
    chosen = BatcherLimits(**limits)
    return Queue(Room(chosen), chosen)


def send(queue: "Queue[str, str]", share: Share, weight: int = 1, size: int = 1) -> "Waiting[str, str] | None":
    """What waits now; None if it was refused."""
    one: Waiting[str, str] = Waiting("x", size, weight, 1e9, Caller(), NOWHERE, share)
    try:
        queue.enter(one)
    except Overloaded:
        return None
    return one


def fill(queue: "Queue[str, str]", share: Share, weight: int = 1, size: int = 1) -> int:
    """Send until one is refused; how many came in."""
    count = 0
    while send(queue, share, weight, size):
        count += 1
        assert count < 100_000
    return count


def test_what_is_heavy_in_lanes_and_in_the_queue_does_not_keep_light_ones_out() -> None:
    limits = BatcherLimits(queue_max=100, queue_bytes_max=100)
    room = Room(limits)
    queue: Queue[str, str] = Queue(room, limits)
    lane: Lane[str, str] = Lane(room)
    for _ in range(5):
        lane.enter(Waiting("x", 10, 10, 1e9, Caller(), NOWHERE, FLOOD))
    assert fill(queue, FLOOD, weight=10, size=10) == 5
    assert fill(queue, FLOOD) == 50, "beside the heavy ones of the queue"
    assert len(lane.take(1_000)) == 5
    assert room.weight == 100
    assert not send(queue, FLOOD)


def test_a_flood_has_the_whole_queue_while_it_is_alone_and_all_others_still_come_in() -> None:
    queue = queue_with(queue_max=100)
    assert fill(queue, FLOOD) == 100
    assert fill(queue, OTHER) == 50, "half, of two"
    assert fill(queue, ELSEWHERE) == 50, "half again: it is the only one of its ledger, and there are two"
    assert not send(queue, FLOOD)


def test_what_leaves_makes_room_for_its_own_share() -> None:
    queue = queue_with(queue_max=10, batch_max=10)
    assert fill(queue, FLOOD) == 10
    assert fill(queue, OTHER) == 5
    left = queue.take(0.0)
    assert {one.share for one in left[:2]} == {FLOOD, OTHER}
    assert send(queue, OTHER)
    assert send(queue, FLOOD)


def test_withdrawing_makes_room_for_its_own_share() -> None:
    queue = queue_with(queue_max=2)
    assert fill(queue, FLOOD) == 2
    one = send(queue, OTHER)
    assert one is not None
    assert not send(queue, OTHER)
    assert queue.withdraw(one)
    assert send(queue, OTHER)


def test_bytes_are_shared_as_commands_are() -> None:
    queue = queue_with(queue_bytes_max=1_000)
    assert fill(queue, FLOOD, size=100) == 10
    assert fill(queue, OTHER, size=100) == 5


def test_heavy_ones_of_others_find_a_place_for_one_each_beside_a_flood_of_heavy_ones() -> None:
    queue = queue_with(queue_max=100, batch_max=10)
    assert fill(queue, FLOOD, weight=10) == 5
    assert fill(queue, OTHER, weight=10) == 1
    assert fill(queue, ELSEWHERE, weight=10) == 1
    assert send(queue, OTHER), "and light ones too"


def test_the_queue_never_has_more_than_twice_its_limits_however_many_share_it() -> None:
    queue = queue_with(queue_max=50)
    came = sum(fill(queue, (house, who)) for house in range(40) for who in range(5))
    assert 50 <= came <= 100


@given(sent=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 3)), max_size=120))
def test_whoever_has_nothing_waiting_is_let_in_and_nobody_alone_takes_more_than_the_limit(
    sent: Sequence[tuple[int, int, int]],
) -> None:
    queue = queue_with(queue_max=20, batch_max=20)
    waiting: dict[Share, int] = {}
    for house, who, _ in sent:
        share = (house, who)
        if send(queue, share) is not None:
            waiting[share] = waiting.get(share, 0) + 1
        else:
            assert waiting.get(share), "it has some waiting already"
        assert waiting.get(share, 0) <= 20
        assert queue.weight == sum(waiting.values()) <= 40


def paced(each_s: float, *, target_ms: int) -> "Queue[str, str]":
    """A queue whose commands have lately taken so long, each."""
    queue = queue_with(queue_target_ms=target_ms, batch_max=1_000)
    now = 0.0
    for _ in range(8):
        for _ in range(100):
            assert send(queue, FLOOD)
        batch = queue.take(now)
        now += 100 * each_s
        queue.landed(batch, now, 100 * each_s)
    return queue


@pytest.mark.parametrize(("each_s", "most"), [(0.000_1, 1_000), (0.000_05, 2_000), (0.1, FLOOR)])
def test_no_more_may_wait_than_is_settled_within_the_target(each_s: float, most: int) -> None:
    queue = paced(each_s, target_ms=100)
    assert fill(queue, FLOOD) == pytest.approx(most, rel=0.02)
    assert fill(queue, OTHER) == pytest.approx(most / 2, rel=0.02), "others have their part nevertheless"


def test_small_batches_say_nothing_of_the_pace() -> None:
    queue = queue_with(queue_max=1_000, queue_target_ms=1)
    for now in range(10):
        assert send(queue, FLOOD)
        queue.landed(queue.take(now), now + 0.5, 0.5)
    assert fill(queue, FLOOD) == 1_000


def test_after_a_standstill_the_pace_is_found_again_within_a_few_batches() -> None:
    queue = paced(1.0, target_ms=100)
    now, counts = 1_000.0, []
    for _ in range(10):
        counts.append(fill(queue, FLOOD))
        batch = queue.take(now)
        took = len(batch) * 0.000_1
        now += took
        queue.landed(batch, now, took)
    assert counts[0] == FLOOR
    assert counts[-1] > 900


def test_beside_a_flood_a_batch_is_no_larger_than_is_settled_in_a_moment() -> None:
    queue = paced(0.000_1, target_ms=200)
    assert fill(queue, FLOOD) == 2_000
    assert len(queue.take(0.0)) == 1_000, "nobody else waits for it"
    assert send(queue, OTHER)
    left = queue.take(0.0)
    assert len(left) == round(SHARED_S / 0.000_1)
    assert OTHER in {one.share for one in left[:2]}
    assert len(queue.take(0.0)) == 40, "those of one share are left, but the others may be back in a moment"
    while queue.take(0.0):
        pass
    assert fill(queue, FLOOD) == 2_000
    assert len(queue.take(0.0)) == 1_000, "and now they are forgotten"


def test_where_nobody_floods_batches_are_as_large_as_ever() -> None:
    queue = paced(0.000_1, target_ms=200)
    for number in range(1_000):
        assert send(queue, (number % 250, "key"))
    assert len(queue.take(0.0)) == 1_000
    for share in (OTHER, ELSEWHERE):
        for _ in range(200):
            assert send(queue, share)
    assert len(queue.take(0.0)) == 400, "two with as much each"


def test_batches_of_whoever_floods_the_heavy_lane_leave_the_light_ones_as_large_as_ever() -> None:
    queue = paced(0.000_1, target_ms=200)
    assert fill(queue, FLOOD, weight=500) > 5
    for share in (OTHER, ELSEWHERE):
        for _ in range(200):
            assert send(queue, share)
    queue.landed(queue.take(0.0), 1.0, 1.0)  # a heavy one
    assert len(queue.take(1.5)) == 400
