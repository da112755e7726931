"""Which of what waits leaves together: light before heavy, and heavy no more than its share. The clock is ours."""

import pytest

from koshel.lane import HEAVY_BYTES, BatcherLimits, Lane, Overloaded, Room, Waiting

Asked = Waiting[str, str]


class Caller:
    """Whoever waits for an answer."""

    def __init__(self) -> None:
        self.told: str | Exception | None = None

    def done(self) -> bool:
        return self.told is not None

    def set_result(self, outcome: str) -> None:
        self.told = outcome

    def set_exception(self, error: Exception) -> None:
        self.told = error


NOWHERE: "Lane[str, str]" = Lane(Room(BatcherLimits()), BatcherLimits())


def waiting(command: str, weight: int = 1, *, size: int = 1, deadline: float = 1e9) -> Asked:
    return Waiting(command, size, weight, deadline, Caller(), NOWHERE)


def lane_of(*waits: Asked, **limits: int) -> "Lane[str, str]":
    chosen = BatcherLimits(**limits)
    lane: Lane[str, str] = Lane(Room(chosen), chosen)
    for one in waits:
        lane.enter(one)
    return lane


def names(batch: "list[Asked]") -> str:
    return "".join(one.command for one in batch)


def taken(lane: "Lane[str, str]", now: float, *, takes: float = 0.0) -> str:
    """What leaves now, and has landed so much later."""
    batch = lane.take(now)
    lane.landed(batch, now + takes, takes)
    return names(batch)


def flights(lane: "Lane[str, str]", *, takes: float) -> list[str]:
    """What leaves until nothing waits, if each flight takes so long."""
    now, left = 100.0, []
    while batch := taken(lane, now, takes=takes):
        left.append(batch)
        now += takes
    return left


# What waits, with its weight, where a batch may weigh 5; what leaves together.
QUEUES: list[tuple[list[tuple[str, int]], list[str]]] = [
    ([("a", 1), ("b", 1), ("c", 1)], ["abc"]),
    ([("a", 1), ("H", 4), ("b", 1)], ["Ha", "b"]),
    ([("H", 5), ("J", 5), ("a", 1)], ["H", "a", "J"]),
    ([("H", 9), ("J", 9), ("a", 1), ("b", 1)], ["H", "ab", "J"]),
    ([("H", 2), ("J", 2), ("K", 2), ("a", 1)], ["HJa", "K"]),
    ([("H", 2), *((c, 1) for c in "abcdefghijklm")], ["Habc", "defgh", "ijklm"]),
    ([("H", 5), ("J", 5), *((c, 1) for c in "abcdefghijk")], ["H", "abcde", "J", "fghij", "k"]),
]


@pytest.mark.parametrize(("queue", "left"), QUEUES)
def test_light_ones_have_as_much_time_as_the_heavy_one_before_them_took(
    queue: list[tuple[str, int]], left: list[str]
) -> None:
    assert flights(lane_of(*(waiting(*one) for one in queue), batch_max=5), takes=1.0) == left


def test_a_heavy_one_that_took_long_lets_all_light_ones_past_for_as_long() -> None:
    lane = lane_of(waiting("H", 5), waiting("J", 5), waiting("a"), batch_max=5)
    assert taken(lane, 100.0, takes=7.0) == "H"
    for now, name in ((107.0, "a"), (110.0, "b"), (113.9, "c")):
        if name != "a":
            lane.enter(waiting(name))
        assert taken(lane, now) == name
    lane.enter(waiting("d"))
    assert taken(lane, 114.0) == "J"


def test_heavy_ones_that_were_held_back_for_callers_who_have_gone_leave() -> None:
    late, gone = waiting("l", deadline=106.0), waiting("g")
    lane = lane_of(waiting("H", 5), waiting("J", 5), late, gone, batch_max=5)
    assert taken(lane, 100.0, takes=7.0) == "H"
    gone.answer.set_result("nobody is there")
    assert taken(lane, 107.0) == "J"
    assert lane.weight == 0


def test_of_several_flights_one_is_heavy_while_light_ones_wait() -> None:
    lane = lane_of(*(waiting(name, 5) for name in "HJK"), waiting("a"), batch_max=5)
    heavy, light = lane.take(100.0), lane.take(100.0)
    assert (names(heavy), names(light)) == ("H", "a")
    lane.landed(light, 101.0, 1.0)
    lane.enter(waiting("b"))
    assert names(lane.take(101.0)) == "b", "one is in the air"
    lane.landed(heavy, 110.0, 10.0)
    lane.enter(waiting("c"))
    assert names(lane.take(110.0)) == "c", "it is their time"
    assert [names(lane.take(111.0)), names(lane.take(111.0))] == ["J", "K"], "no light one waits"


def test_it_is_worth_a_moment_to_wait_for_light_ones_that_came_with_the_last_batch_while_it_is_their_time() -> None:
    lane = lane_of(waiting("H", 5), waiting("J", 5), waiting("a"), batch_max=5)
    assert not lane.waits_for_light(100.0)
    assert taken(lane, 100.0, takes=7.0) == "H"
    assert not lane.waits_for_light(107.0), "one is there"
    assert taken(lane, 107.0) == "a"
    assert lane.waits_for_light(107.0)
    assert not lane.waits_for_light(114.0), "its time is up"
    assert taken(lane, 108.0) == "J"
    assert not lane.waits_for_light(108.0), "no heavy one waits"


def test_a_large_body_is_heavy_were_it_a_batch_of_one() -> None:
    lane = lane_of(waiting("H", 1, size=HEAVY_BYTES + 1), queue_bytes_max=HEAVY_BYTES * 4)
    with pytest.raises(Overloaded):
        lane.enter(waiting("J", 1, size=HEAVY_BYTES + 1))
    lane.enter(waiting("a", size=HEAVY_BYTES))


def test_heavy_ones_leave_at_once_while_no_light_one_waits() -> None:
    lane = lane_of(waiting("H", 5), waiting("J", 5), batch_max=5)
    assert flights(lane, takes=50.0) == ["H", "J"]


def test_heavy_ones_have_at_most_half_of_the_queue_and_light_ones_the_rest() -> None:
    lane = lane_of(waiting("H", 3), waiting("J", 2), queue_max=10, batch_max=5)
    with pytest.raises(Overloaded):
        lane.enter(waiting("K", 2))
    for name in "abcde":
        lane.enter(waiting(name))
    with pytest.raises(Overloaded):
        lane.enter(waiting("f"))
    taken(lane, 100.0)
    lane.enter(waiting("K", 5))


def test_heavy_ones_have_at_most_half_of_the_bytes() -> None:
    lane = lane_of(waiting("H", 2, size=6), queue_bytes_max=10)
    with pytest.raises(Overloaded):
        lane.enter(waiting("J", 2, size=1))
    lane.enter(waiting("a", size=4))
    with pytest.raises(Overloaded):
        lane.enter(waiting("b", size=1))


@pytest.mark.parametrize(("weight", "size"), [(1_000, 1), (2, 10)])
def test_the_first_heavy_one_has_a_place_however_heavy_it_is(weight: int, size: int) -> None:
    lane = lane_of(waiting("H", weight, size=size), queue_max=10, queue_bytes_max=10)
    assert taken(lane, 100.0) == "H"


def test_what_leaves_makes_room_in_weight_and_in_bytes() -> None:
    lane = lane_of(queue_max=4, queue_bytes_max=4)
    for _ in range(10):
        lane.enter(waiting("H", 2, size=2))
        lane.enter(waiting("a", 1, size=1))
        lane.enter(waiting("b", 1, size=1))
        with pytest.raises(Overloaded):
            lane.enter(waiting("c", 1, size=0))
        assert taken(lane, 100.0) == "Hab"
    assert lane.weight == 0


def test_what_was_withdrawn_or_given_up_or_waited_too_long_does_not_leave() -> None:
    late, gone, back, heavy = waiting("l", deadline=99.0), waiting("g"), waiting("b"), waiting("H", 3, deadline=99.0)
    lane = lane_of(late, gone, back, heavy, waiting("a"))
    gone.answer.set_result("nobody is there")
    assert lane.withdraw(back)
    assert not lane.withdraw(back)
    assert not lane.withdraw(gone)
    assert taken(lane, 100.0) == "a"
    for one in (late, heavy):
        assert isinstance(one.answer, Caller)
        assert isinstance(one.answer.told, Overloaded)
    assert lane.weight == 0
