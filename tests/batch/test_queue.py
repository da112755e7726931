"""Which of what waits leaves together: light before heavy, and heavy no more than its share. The clock is ours."""

import pytest

from koshel.batching.queue import Queue
from koshel.batching.room import Room
from koshel.batching.waiting import HEAVY_BYTES, BatcherLimits, Waiting
from koshel.errors import Overloaded

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


NOWHERE: "Queue[str, str]" = Queue(Room(BatcherLimits()), BatcherLimits())


def waiting(command: str, weight: int = 1, *, size: int = 1, deadline: float = 1e9) -> Asked:
    return Waiting(command, size, weight, deadline, Caller(), NOWHERE)


def queue_of(*waits: Asked, **limits: int) -> "Queue[str, str]":
    chosen = BatcherLimits(**limits)
    queue: Queue[str, str] = Queue(Room(chosen), chosen)
    for one in waits:
        queue.enter(one)
    return queue


def names(batch: "list[Asked]") -> str:
    return "".join(one.command for one in batch)


def taken(queue: "Queue[str, str]", now: float, *, takes: float = 0.0) -> str:
    """What leaves now, and has landed so much later."""
    batch = queue.take(now)
    queue.landed(batch, now + takes, takes)
    return names(batch)


def flights(queue: "Queue[str, str]", *, takes: float) -> list[str]:
    """What leaves until nothing waits, if each flight takes so long."""
    now, left = 100.0, []
    while batch := taken(queue, now, takes=takes):
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
    assert flights(queue_of(*(waiting(*one) for one in queue), batch_max=5), takes=1.0) == left


def test_a_heavy_one_that_took_long_lets_all_light_ones_past_for_as_long() -> None:
    queue = queue_of(waiting("H", 5), waiting("J", 5), waiting("a"), batch_max=5)
    assert taken(queue, 100.0, takes=7.0) == "H"
    for now, name in ((107.0, "a"), (110.0, "b"), (113.9, "c")):
        if name != "a":
            queue.enter(waiting(name))
        assert taken(queue, now) == name
    queue.enter(waiting("d"))
    assert taken(queue, 114.0) == "J"


def test_heavy_ones_that_were_held_back_for_callers_who_have_gone_leave() -> None:
    late, gone = waiting("l", deadline=106.0), waiting("g")
    queue = queue_of(waiting("H", 5), waiting("J", 5), late, gone, batch_max=5)
    assert taken(queue, 100.0, takes=7.0) == "H"
    gone.recipient.set_result("nobody is there")
    assert taken(queue, 107.0) == "J"
    assert queue.weight == 0


def test_of_several_flights_one_is_heavy_while_light_ones_wait() -> None:
    queue = queue_of(*(waiting(name, 5) for name in "HJK"), waiting("a"), batch_max=5)
    heavy, light = queue.take(100.0), queue.take(100.0)
    assert (names(heavy), names(light)) == ("H", "a")
    queue.landed(light, 101.0, 1.0)
    queue.enter(waiting("b"))
    assert names(queue.take(101.0)) == "b", "one is in the air"
    queue.landed(heavy, 110.0, 10.0)
    queue.enter(waiting("c"))
    assert names(queue.take(110.0)) == "c", "it is their time"
    assert [names(queue.take(111.0)), names(queue.take(111.0))] == ["J", "K"], "no light one waits"


def test_it_is_worth_a_moment_to_wait_for_light_ones_that_came_with_the_last_batch_while_it_is_their_time() -> None:
    queue = queue_of(waiting("H", 5), waiting("J", 5), waiting("a"), batch_max=5)
    assert not queue.waits_for_light(100.0)
    assert taken(queue, 100.0, takes=7.0) == "H"
    assert not queue.waits_for_light(107.0), "one is there"
    assert taken(queue, 107.0) == "a"
    assert queue.waits_for_light(107.0)
    assert not queue.waits_for_light(114.0), "its time is up"
    assert taken(queue, 108.0) == "J"
    assert not queue.waits_for_light(108.0), "no heavy one waits"


def test_a_large_body_is_heavy_were_it_a_batch_of_one() -> None:
    queue = queue_of(waiting("H", 1, size=HEAVY_BYTES + 1), queue_bytes_max=HEAVY_BYTES * 4)
    with pytest.raises(Overloaded):
        queue.enter(waiting("J", 1, size=HEAVY_BYTES + 1))
    queue.enter(waiting("a", size=HEAVY_BYTES))


def test_heavy_ones_leave_at_once_while_no_light_one_waits() -> None:
    queue = queue_of(waiting("H", 5), waiting("J", 5), batch_max=5)
    assert flights(queue, takes=50.0) == ["H", "J"]


def test_heavy_ones_have_at_most_half_of_the_queue_and_light_ones_the_rest() -> None:
    queue = queue_of(waiting("H", 3), waiting("J", 2), queue_max=10, batch_max=5)
    with pytest.raises(Overloaded):
        queue.enter(waiting("K", 2))
    for name in "abcde":
        queue.enter(waiting(name))
    with pytest.raises(Overloaded):
        queue.enter(waiting("f"))
    taken(queue, 100.0)
    queue.enter(waiting("K", 5))


def test_heavy_ones_have_at_most_half_of_the_bytes() -> None:
    queue = queue_of(waiting("H", 2, size=6), queue_bytes_max=10)
    with pytest.raises(Overloaded):
        queue.enter(waiting("J", 2, size=1))
    queue.enter(waiting("a", size=4))
    with pytest.raises(Overloaded):
        queue.enter(waiting("b", size=1))


@pytest.mark.parametrize(("weight", "size"), [(1_000, 1), (2, 10)])
def test_the_first_heavy_one_has_a_place_however_heavy_it_is(weight: int, size: int) -> None:
    queue = queue_of(waiting("H", weight, size=size), queue_max=10, queue_bytes_max=10)
    assert taken(queue, 100.0) == "H"


def test_what_leaves_makes_room_in_weight_and_in_bytes() -> None:
    queue = queue_of(queue_max=4, queue_bytes_max=4)
    for _ in range(10):
        queue.enter(waiting("H", 2, size=2))
        queue.enter(waiting("a", 1, size=1))
        queue.enter(waiting("b", 1, size=1))
        with pytest.raises(Overloaded):
            queue.enter(waiting("c", 1, size=0))
        assert taken(queue, 100.0) == "Hab"
    assert queue.weight == 0


def test_what_was_withdrawn_or_given_up_or_waited_too_long_does_not_leave() -> None:
    late, gone, back, heavy = waiting("l", deadline=99.0), waiting("g"), waiting("b"), waiting("H", 3, deadline=99.0)
    queue = queue_of(late, gone, back, heavy, waiting("a"))
    gone.recipient.set_result("nobody is there")
    assert queue.withdraw(back)
    assert not queue.withdraw(back)
    assert not queue.withdraw(gone)
    assert taken(queue, 100.0) == "a"
    for one in (late, heavy):
        assert isinstance(one.recipient, Caller)
        assert isinstance(one.recipient.told, Overloaded)
    assert queue.weight == 0
