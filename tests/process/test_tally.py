"""Numbers that processes share: nothing is lost, and each process says only what is its own."""

import os
import signal
from collections.abc import Callable

import pytest

from koshel.telemetry.tally import OTHER, Counter, Gauge, Histogram, Number, Shared

PLAIN = Counter("plain_total", "Without labels.")
BY_NAME = Counter("by_name_total", "With one label, and a value that is known.", "name", known=("here",), most=4)
BY_TWO = Counter("by_two_total", "With two.", "one", "two", most=40)
NOW = Gauge("now", "A sum.")
WORST = Gauge("worst", "The most.", "name", over="max")
TOOK = Histogram("took", "Seconds.", "name", bounds=(0.1, 1.0))
TABLE: list[Number] = [PLAIN, BY_NAME, BY_TWO, NOW, WORST, TOOK]


@pytest.fixture
def shared() -> Shared:
    """Memory of a master that has taken the first part."""
    shared = Shared(TABLE)
    shared.divide(4)
    return shared


def in_a_child(shared: Shared, part: int | None, work: Callable[[], None], *, dies_by: int | None = None) -> None:
    """Do something in a process that writes into this part, and wait for its end."""
    pid = os.fork()
    if not pid:
        shared.use(part)
        work()
        if dies_by is not None:
            os.kill(os.getpid(), dies_by)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status == (dies_by or 0)


def test_what_a_process_counts_is_what_is_read(shared: Shared) -> None:
    PLAIN.add()
    PLAIN.add(by=2.5)
    BY_NAME.add("there")
    BY_TWO.add("a", "b")
    BY_TWO.add("a", "c", by=2)
    NOW.set(7)
    for seconds in (0.05, 0.1, 0.5, 3.0):
        TOOK.observe(seconds, "x")
    assert shared.read() == {
        "plain_total": {(): [3.5]},
        "by_name_total": {("here",): [0.0], ("there",): [1.0]},
        "by_two_total": {("a", "b"): [1.0], ("a", "c"): [2.0]},
        "now": {(): [7.0]},
        "worst": {},
        "took": {("x",): [2.0, 1.0, 1.0, 3.65]},
    }


def test_processes_are_added_up_and_of_the_worst_only_the_worst_counts(shared: Shared) -> None:
    parts = [shared.take(), shared.take()]

    def work() -> None:
        PLAIN.add(by=10)
        BY_NAME.add(f"of {os.getpid() % 2}")
        NOW.set(3)
        WORST.set(0.25, "x")
        TOOK.observe(0.5, "x")

    WORST.set(0.5, "x")
    PLAIN.add()
    for part in parts:
        in_a_child(shared, part, work)
    read = shared.read()
    assert read["plain_total"] == {(): [21.0]}
    assert read["now"] == {(): [6.0]}
    assert read["worst"] == {("x",): [0.5]}
    assert read["took"] == {("x",): [0.0, 2.0, 0.0, 1.0]}
    assert sum(cells[0] for cells in read["by_name_total"].values()) == 2


def test_of_a_process_that_was_killed_the_counts_stay_and_the_present_goes(shared: Shared) -> None:
    part = shared.take()

    def work() -> None:
        PLAIN.add(by=5)
        BY_TWO.add("a", "b")
        NOW.set(3)
        WORST.set(9, "x")
        TOOK.observe(0.5, "x")

    in_a_child(shared, part, work, dies_by=signal.SIGKILL)
    assert shared.read()["now"] == {(): [3.0]}, "the master has not noticed yet"
    shared.release(part)
    read = shared.read()
    assert (read["plain_total"], read["by_two_total"]) == ({(): [5.0]}, {("a", "b"): [1.0]})
    assert (read["now"], read["worst"]) == ({(): [0.0]}, {("x",): [0.0]})
    assert read["took"] == {("x",): [0.0, 1.0, 0.0, 0.5]}


def test_the_next_process_goes_on_counting_where_the_last_one_stopped(shared: Shared) -> None:
    for number in range(3):
        part = shared.take()
        assert part == 1
        in_a_child(shared, part, lambda: BY_TWO.add("a", "b"), dies_by=signal.SIGKILL)
        in_a_child(shared, part, lambda n=number: BY_TWO.add("a", str(n)))  # type: ignore[misc]
        shared.release(part)
    assert shared.read()["by_two_total"] == {("a", "b"): [3.0]} | {("a", str(n)): [1.0] for n in range(3)}


def test_there_are_as_many_parts_as_there_are_and_who_gets_none_is_not_read(shared: Shared) -> None:
    assert [shared.take() for _ in range(4)] == [1, 2, 3, None]
    in_a_child(shared, None, PLAIN.add)
    assert shared.read()["plain_total"] == {(): [0.0]}
    shared.release(None)
    shared.release(2)
    assert shared.take() == 2


def test_series_beyond_the_most_and_names_that_are_too_long_are_counted_as_other(shared: Shared) -> None:
    for name in ("a", "b", "c", "d", "e", "a", "n" * 1_000):
        BY_NAME.add(name)
    counted = shared.read()["by_name_total"]
    assert counted == {("here",): [0.0], ("a",): [2.0], ("b",): [1.0], ("c",): [1.0], (OTHER,): [3.0]}
    BY_TWO.add("n" * 95, "two")
    assert shared.read()["by_two_total"] == {(OTHER, OTHER): [1.0]}


def test_a_name_of_letters_of_all_kinds_is_read_as_it_was_written(shared: Shared) -> None:
    BY_NAME.add("кошель")
    BY_NAME.add(OTHER)
    assert shared.read()["by_name_total"] == {("here",): [0.0], ("кошель",): [1.0], (OTHER,): [1.0]}


def test_counting_goes_on_alone_once_the_memory_is_another_s() -> None:
    shared = Shared([lonely := Counter("lonely_total", "Of one table only.")])
    lonely.add()
    shared.divide(2)
    assert shared.read() == {"lonely_total": {(): [0.0]}}
    lonely.add()
    assert shared.read() == {"lonely_total": {(): [1.0]}}
