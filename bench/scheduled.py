"""Many transactions that are scheduled for one second: how long they take, and what that costs those who wait.

alone      queue so many ─▶ start the service ─▶ until the queue is empty: the drain's rate. And in turn with that:
           schedule as many for one second ─▶ start the service ─▶ that second ─▶ until all are decided
beside it  16 connections ─▶ schedule so many for one second ─▶ that second: 16 connections ─▶ until all are decided
"""

import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

import uvloop
from msgspec import Struct

from bench import servers
from bench.backlog import BUSY, WAITING, DrainFailed, depths, drained, nothing_lost, queue_for_later
from bench.books import declined, enqueued, last_after, last_id, prove
from bench.contest import Contest, Contestant, Measure, middle

SCHEDULED = 100_000
QUICK_SCHEDULED = 20_000
START_S = 10  # at most, for a service


class Scheduled(Struct, frozen=True):
    """All of it."""

    size: int
    took_s: Sequence[float]  # from the second for which they were scheduled until all were decided
    drained_s: Sequence[float]  # and as many that were queued, by the rate at which they were drained
    alone: Measure  # WAITING
    beside: Measure  # WAITING, from the second on for which they were scheduled

    @property
    def ratio(self) -> float:
        """The one against the other."""
        return median(self.took_s) / median(self.drained_s)

    @property
    def p99_ratio(self) -> float:
        """Of those who wait for an answer."""
        return self.beside.p99_ms / self.alone.p99_ms

    def __str__(self) -> str:
        return (
            f"{self.size:,} of one second decided in {median(self.took_s):.1f} s, {self.ratio:.2f} x what the drain's "
            f"rate says; p99 {self.beside.p99_ms:.1f} ms beside them, {self.alone.p99_ms:.1f} ms alone"
        )


def scheduled(contest: Contest, size: int) -> Scheduled:
    """Measure it. Raises DrainFailed, BooksWrong."""
    plan, took_s, drained_s, queueing_s = contest.plan, list[float](), list[float](), 0.0
    with contest.databases.fresh("scheduled_bench") as (url,):
        for _ in range(plan.rounds):
            before, began = last_id(url), time.monotonic()
            uvloop.run(queue_for_later(url, size))
            queueing_s = time.monotonic() - began
            with servers.koshel(url, plan.workers, contest.directory) as server:
                drained_s.append(size / drained(server, url, size, before).per_s)
            before, due = last_id(url), _second(2 * queueing_s + START_S)
            uvloop.run(queue_for_later(url, size, due))
            with servers.koshel(url, plan.workers, contest.directory) as server:
                _wait_for(due)
                deque(depths(server), maxlen=0)
                nothing_lost(url, size, before)
                took_s.append((last_after(url, before) - due).total_seconds())
            contest.prove(partial(prove, url))
        with servers.koshel(url, plan.workers, contest.directory) as server:
            # Those that are scheduled meanwhile are nobody's answers.
            waiting = Contestant("transfers", server, server.url(), lambda: None, url, count=enqueued)
            contest.warm_up(waiting, BUSY)
            alone, beside = [], []
            for _ in range(plan.rounds):
                alone.append(contest.run(waiting, WAITING))
                due = _second(2 * queueing_s)
                uvloop.run(queue_for_later(url, size, due))
                _wait_for(due)
                beside.append(contest.run(waiting, WAITING))
                deque(depths(server), maxlen=0)
                if refused := declined(url):
                    raise DrainFailed(f"{refused} transactions were declined")
            contest.prove(partial(prove, url))
    return Scheduled(size, took_s, drained_s, middle(alone), middle(beside))


def _second(ahead_s: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ahead_s)


def _wait_for(due: datetime) -> None:
    left_s = (due - datetime.now(UTC)).total_seconds()
    if left_s < 0:
        raise DrainFailed(f"it took {-left_s:.1f} s too long to schedule them")
    time.sleep(left_s)
