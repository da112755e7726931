"""Seats: whoever comes and goes, each socket has a worker."""

import random
import signal
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from koshel.serving.seats import SeatedArbiter

SEATS = 3


class Master(SeatedArbiter):
    """A master whose workers are names only."""

    def __init__(self) -> None:
        self.LISTENERS = [None] * SEATS  # type: ignore[list-item,misc]
        self.WORKERS = {}  # type: ignore[misc]
        self.told_to_stop: set[int] = set()
        self._ages = count(1)
        self.said: list[str] = []
        self.log: Any = SimpleNamespace(info=lambda text, *arguments: self.said.append(text % arguments))

    def spawn_worker(self) -> int:
        age = next(self._ages)
        worker: Any = SimpleNamespace(age=age, seat=None)
        self.take_seat(worker)
        self.WORKERS[age] = worker
        return age

    def kill_worker(self, pid: int, sig: int) -> None:
        assert sig == signal.SIGTERM
        self.told_to_stop.add(pid)

    def served(self) -> set[int]:
        """The seats whose workers have not been told to stop."""
        workers: dict[int, Any] = dict(self.WORKERS)
        return {worker.seat for pid, worker in workers.items() if pid not in self.told_to_stop}

    def reap(self, pid: int) -> None:
        del self.WORKERS[pid]


@pytest.fixture
def master() -> Master:
    """With a worker on every seat."""
    master = Master()
    master.manage_workers()
    assert master.served() == set(range(SEATS))
    assert len(master.WORKERS) == SEATS
    return master


def test_who_dies_is_replaced_on_the_same_seat(master: Master) -> None:
    worker: Any = master.WORKERS[2]
    master.reap(2)
    master.manage_workers()
    replacement: Any = master.WORKERS[SEATS + 1]
    assert replacement.seat == worker.seat
    assert not master.told_to_stop


def test_a_reload_puts_a_new_worker_on_every_seat_and_the_old_ones_go(master: Master) -> None:
    for _ in range(SEATS):
        master.spawn_worker()
    master.manage_workers()
    assert master.told_to_stop == {1, 2, 3}
    assert master.served() == set(range(SEATS))


def test_if_a_new_worker_dies_while_the_old_ones_go_its_seat_gets_another(master: Master) -> None:
    for _ in range(SEATS):
        master.spawn_worker()
    master.manage_workers()
    master.reap(5)
    for old in (1, 2, 3):
        master.reap(old)
    master.manage_workers()
    assert master.served() == set(range(SEATS))


def test_whatever_happens_in_whatever_order_every_seat_is_served_in_the_end(master: Master) -> None:
    chance = random.Random(1)
    for _ in range(2_000):
        match chance.randrange(3):
            case 0 if master.WORKERS:
                master.reap(chance.choice(list(master.WORKERS)))
            case 1 if len(master.WORKERS) < 3 * SEATS:
                for _ in range(SEATS):
                    master.spawn_worker()
            case _:
                master.manage_workers()
        if chance.randrange(10) == 0:
            master.manage_workers()
            for pid in master.told_to_stop & master.WORKERS.keys():
                master.reap(pid)
            master.manage_workers()
            assert master.served() == set(range(SEATS))
            assert len(master.WORKERS) == SEATS


def test_while_a_worker_that_was_told_to_stop_by_hand_is_leaving_its_seat_has_another(master: Master) -> None:
    leaving: Any = master.WORKERS[2]
    leaving.leaving[0] = 1
    for _ in range(3):  # looks of the master
        master.manage_workers()
    replacement: Any = master.WORKERS[SEATS + 1]
    assert replacement.seat == leaving.seat
    assert len(master.WORKERS) == SEATS + 1
    master.reap(2)
    master.manage_workers()
    assert len(master.WORKERS) == SEATS
    assert not master.told_to_stop, "nobody else has to go for it"


@pytest.mark.parametrize("name", ["ttin", "ttou", "usr2"])
def test_signals_that_would_change_the_number_are_ignored_aloud(master: Master, name: str) -> None:
    workers = dict(master.WORKERS)
    getattr(master, f"handle_{name}")()
    master.manage_workers()
    assert workers == master.WORKERS
    assert not master.told_to_stop
    (said,) = master.said
    assert said.startswith(f"SIG{name.upper()} is ignored")
