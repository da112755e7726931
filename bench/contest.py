"""The table: Koshel and the baseline in turn, so that what else the machine does falls on both.

for each shape of load: fresh copies of the databases ─▶ warm up each ─▶ A, B, A, B ... ─▶ medians
                                                                         └─ after each, the books
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from msgspec import Struct
from msgspec.structs import fields, replace

from bench import machine, servers
from bench.books import Databases, prove, transactions
from bench.load import Load, Shape, drive
from bench.servers import Server

SETTLES_S = 0.1  # for the last answers of a run, which wrk did not wait for


class Plan(Struct, frozen=True):
    """How long and how often."""

    workers: int
    warm_up_s: int
    run_s: int
    rounds: int


class Measure(Struct, frozen=True):
    """One run, or the median of several."""

    per_s: float
    p50_ms: float
    p99_ms: float
    server_us: float  # processor time of the server's processes, each transfer
    database_us: float  # and of all of PostgreSQL's
    worker_mb: float  # resident memory of the largest worker, afterwards


class Contestant(Struct, frozen=True):
    """A server, the database behind it, and the proof that what it did there is right."""

    name: str
    server: Server
    url: str
    prove: Callable[[], None]
    database_url: str | None = None  # None: it does not move money


class Contest:
    """Measures, and remembers what made the run invalid and how long proving took."""

    def __init__(self, databases: Databases, plan: Plan, directory: Path) -> None:
        self.failures: list[str] = []
        self.proving_s = 0.0
        self._databases = databases
        self._plan = plan
        self._directory = directory

    def table(self, shapes: Iterable[Shape]) -> Iterator[tuple[Shape, dict[str, Measure]]]:
        """For each shape the measures of `koshel` and `baseline`; also of `nothing` if it is the plainest load."""
        for shape in shapes:
            with ExitStack() as stack:
                ours, theirs = stack.enter_context(self._databases.fresh("koshel_bench", "baseline_bench"))
                koshel = stack.enter_context(servers.koshel(ours, self._plan.workers, self._directory))
                baseline = stack.enter_context(servers.baseline(theirs, self._plan.workers, self._directory))
                contestants = [
                    Contestant("koshel", koshel, koshel.url(), partial(prove, ours), ours),
                    Contestant("baseline", baseline, baseline.url(), partial(prove, theirs, batches=False), theirs),
                ]
                if shape.distribution == "uniform" and not shape.keys:
                    contestants.append(Contestant("nothing", baseline, baseline.url("/nothing"), lambda: None))
                yield shape, self.interleaved(shape, contestants)

    def interleaved(self, shape: Shape, contestants: Sequence[Contestant]) -> dict[str, Measure]:
        """The median of each contestant's runs, which take turns."""
        runs: dict[str, list[Measure]] = {one.name: [] for one in contestants}
        for one in contestants:
            self._checked(one, shape, drive(one.url, shape, self._plan.warm_up_s))
        for _ in range(self._plan.rounds):
            for one in contestants:
                runs[one.name].append(self.run(one, shape))
        return {name: _median(measures) for name, measures in runs.items()}

    def run(self, one: Contestant, shape: Shape) -> Measure:
        """One run, and its proof."""
        posted, spent = self._posted(one), self._cpu_s(one)
        load = drive(one.url, shape, self._plan.run_s)
        time.sleep(SETTLES_S)
        server_s, database_s = (after - before for before, after in zip(spent, self._cpu_s(one), strict=True))
        count = self._posted(one) - posted if one.database_url else load.requests
        if count < load.requests - load.refused:
            self._fail(f"{one.name}, {shape}: {load.requests} answers, but {count} transactions")
        self._checked(one, shape, load)
        each = 1e6 / max(count, 1)
        return Measure(load.per_s, load.p50_ms, load.p99_ms, server_s * each, database_s * each, one.server.worker_mb())

    def _posted(self, one: Contestant) -> int:
        return transactions(one.database_url) if one.database_url else 0

    def _checked(self, one: Contestant, shape: Shape, load: Load) -> None:
        if load.failures:
            self._fail(f"{one.name}, {shape}: {load.refused} answers not 2xx, {load.broken} broken connections")
        start = time.monotonic()
        one.prove()
        self.proving_s += time.monotonic() - start

    def _fail(self, failure: str) -> None:
        self.failures.append(failure)
        sys.stderr.write(f"INVALID: {failure}\n")

    def _cpu_s(self, one: Contestant) -> tuple[float, float]:
        return machine.cpu_s(one.server.pid), machine.cpu_s(self._databases.postmaster)


def _median(runs: Sequence[Measure]) -> Measure:
    """Each figure's own median."""
    return replace(runs[0], **{f.name: median(getattr(run, f.name) for run in runs) for f in fields(Measure)})
