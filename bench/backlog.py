"""Background transactions: how fast a backlog drains, in how much memory, and what it costs those who wait.

drained    queue so many while nothing runs ─▶ start the service ─▶ until the queue is empty ─▶ synchronous
           transfers, again and again                               the memory is looked at
beside it  16 connections ─▶ 256 connections with Prefer: respond-async ─▶ 16 connections, while that drains
           alone                                                           ─▶ until the queue is empty
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from http.client import HTTPConnection
from statistics import median
from typing import Any

import msgspec
import uvloop
from msgspec import UNSET, Struct, UnsetType

from bench import machine, servers
from bench.against import Version
from bench.books import BATCH, declined, enqueued, first_after, last_id, posted_after, prove
from bench.contest import Contest, Contestant, Measure, middle
from bench.in_process import commands_of_main
from bench.load import ENQUEUED, Shape
from bench.servers import Server
from koshel.core.commands import Enqueue
from koshel.core.model import Queued
from koshel.db.store import StoreConfig, open_store
from koshel.settle import settle

BACKLOG = 100_000
QUICK_BACKLOG = 20_000
BUSY = Shape("uniform", 256, keys=False)
WAITING = Shape("uniform", 16, keys=False)
TRANSFER = {"source_account_id": 1, "target_account_id": 2, "amount": "1.00"}
LOOK_S = 0.1  # between two looks at the queue
EMPTY_WITHIN_S = 300


class DrainFailed(Exception):
    """Queued transactions were lost, declined, or are still queued."""


class Drain(Struct, frozen=True):
    """One backlog, drained; memory is that of the largest worker."""

    per_s: float
    early_mb: float  # when a tenth of it was drained
    most_mb: float
    after_mb: float

    @property
    def growth(self) -> float:
        """What nine tenths of the backlog add to the memory."""
        return self.most_mb / self.early_mb


class Backlog(Struct, frozen=True):
    """All of it."""

    size: int
    idle_mb: float  # of the largest worker, when nothing has been asked yet
    busy_mb: float  # and after synchronous transfers
    drains: Sequence[Drain]
    sync: Measure  # BUSY, in turn with the drains
    accepted: Measure  # BUSY, each with Prefer: respond-async
    alone: Measure  # WAITING
    beside: Measure  # WAITING, while a backlog drains

    @property
    def drained_per_s(self) -> float:
        """The median."""
        return median(drain.per_s for drain in self.drains)

    def __str__(self) -> str:
        return (
            f"drained {self.drained_per_s:,.0f}/s, synchronous {self.sync.per_s:,.0f}/s, "
            f"accepted {self.accepted.per_s:,.0f}/s; p99 {self.beside.p99_ms:.1f} ms beside it, "
            f"{self.alone.p99_ms:.1f} ms alone"
        )


def backlog(contest: Contest, size: int) -> Backlog:
    """Measure it. Raises DrainFailed, BooksWrong."""
    plan = contest.plan
    with contest.databases.fresh("backlog_bench") as (url,):
        with servers.koshel(url, plan.workers, contest.directory) as server:
            idle_mb = server.worker_mb()
            contest.warm_up(transfers(server, url), BUSY)
            syncs = [contest.run(transfers(server, url), BUSY)]
            busy_mb = server.worker_mb()
        drains = []
        for _ in range(max(plan.rounds - 1, 1)):  # each between two runs that it is compared with
            before = last_id(url)
            uvloop.run(_queue(url, size))
            with servers.koshel(url, plan.workers, contest.directory) as server:
                drains.append(drained(server, url, size, before))
                contest.prove(partial(prove, url))
                syncs.append(contest.run(transfers(server, url), BUSY))
    with (
        contest.databases.fresh("backlog_bench") as (url,),
        servers.koshel(url, plan.workers, contest.directory) as server,
    ):
        accepted, alone, beside = _beside(contest, server, url)
    return Backlog(size, idle_mb, busy_mb, drains, middle(syncs), accepted, alone, beside)


# Run by each version's own Python where its own bench is, so that each queues as it would.
QUEUE = "import sys, uvloop, bench.backlog as b; uvloop.run(b._queue(sys.argv[1], int(sys.argv[2])))"


def drains_of(contest: Contest, versions: Sequence[Version], size: int, rounds: int) -> dict[str, list[float]]:
    """Transactions drained a second by each version, in turn, by its name. Raises DrainFailed, BooksWrong."""
    plan, rates = contest.plan, {version.name: list[float]() for version in versions}
    with ExitStack() as stack:
        urls = [
            stack.enter_context(contest.databases.fresh(f"{version.name}_drains_bench", template=version.template))[0]
            for version in versions
        ]
        turns = list(zip(versions, urls, strict=True))
        for number in range(rounds):
            for version, url in turns[:: -1 if number % 2 else 1]:
                before = last_id(url)
                queued = version.run("-c", QUEUE, url, str(size), database_url=url)
                if queued.returncode:
                    raise DrainFailed(f"{version.name} could not queue: {queued.stderr[-500:]}")
                with servers.koshel(url, plan.workers, contest.directory, python=version.python) as server:
                    rates[version.name].append(drained(server, url, size, before).per_s)
        for version, url in turns:
            version.prove(url)
    return rates


def transfers(server: Server, url: str) -> Contestant:
    """Callers who wait for an answer."""
    return Contestant("transfers", server, server.url(), partial(prove, url), url)


async def _queue(url: str, size: int) -> None:
    """Queue so many transfers, without a service."""
    await queue_for_later(url, size)


async def queue_for_later(url: str, size: int, due: datetime | UnsetType = UNSET) -> None:
    """The same, for a time at most a day ahead."""
    make, limit = commands_of_main(BATCH, keys=False), UNSET if due is UNSET else 86_400
    async with open_store(StoreConfig(url)) as store:
        for _ in range(size // BATCH):
            commands = [Enqueue(move.ledger_id, move, execute_at=due, schedule_max_s=limit) for move in make()]
            outcomes = await settle(store, commands)
            assert all(isinstance(outcome, Queued) for outcome in outcomes)


def drained(server: Server, url: str, size: int, before: int) -> Drain:
    """From the first transaction's time until the queue is seen empty. `before` is the last id before the backlog."""
    workers, early, most = server.workers(), 0.0, 0.0
    for depth in depths(server):
        now = max(map(machine.resident_mb, workers))
        early, most = early or (now if depth <= size * 0.9 else 0.0), max(most, now)
    took_s = time.time() - first_after(url, before).timestamp()
    nothing_lost(url, size, before)
    return Drain(size / took_s, early, most, server.worker_mb())


def depths(server: Server) -> Iterator[int]:
    """The queue's depth, look by look, until it is 0. Raises DrainFailed."""
    deadline = time.monotonic() + EMPTY_WITHIN_S
    while depth := _depth(server):
        if time.monotonic() > deadline:
            raise DrainFailed(f"{depth} transactions are still queued after {EMPTY_WITHIN_S} s")
        yield depth
        time.sleep(LOOK_S)
    yield 0


def _depth(server: Server) -> int:
    return int(_ask(server, "/health/queue", 200)["depth"])


def nothing_lost(url: str, size: int, before: int) -> None:
    """A backlog was posted, every one of it."""
    posted, refused = posted_after(url, before), declined(url)
    if (posted, refused) != (size, 0):
        raise DrainFailed(f"of {size} queued transactions {posted} were posted, {refused} declined")


def _beside(contest: Contest, server: Server, url: str) -> tuple[Measure, Measure, Measure]:
    """Accepted, alone, beside. The books are proved when the backlog is gone: proving takes long enough to drain it."""
    waiting = Contestant("transfers", server, server.url(), lambda: None, url, count=enqueued)
    enqueuing = Contestant("enqueued", server, server.url(), lambda: None, url, ENQUEUED, enqueued)
    contest.warm_up(waiting, BUSY)
    _ask(server, "/transaction", 202, TRANSFER, {"Prefer": "respond-async"})
    accepted, alone, beside = [], [], []
    for _ in range(contest.plan.rounds):
        alone.append(contest.run(waiting, WAITING))
        accepted.append(contest.run(enqueuing, BUSY))
        beside.append(contest.run(waiting, WAITING))
        if not _depth(server):
            contest.fail("the backlog was gone before the run beside it was over")
        deque(depths(server), maxlen=0)
        if refused := declined(url):
            raise DrainFailed(f"{refused} transactions were declined")
        contest.prove(partial(prove, url))
    return middle(accepted), middle(alone), middle(beside)


def _ask(server: Server, path: str, status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
    """One GET or, with a body, POST, and what it was answered. Raises DrainFailed if that is not of the status."""
    method = "GET" if body is None else "POST"
    connection = HTTPConnection("127.0.0.1", server.port, timeout=EMPTY_WITHIN_S)
    try:
        content = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, msgspec.json.encode(body) if body else None, {**content, **(headers or {})})
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != status:
        raise DrainFailed(f"{method} {path} was answered {response.status}: {text.decode(errors='replace')}")
    return msgspec.json.decode(text)
