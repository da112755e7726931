"""The table: Koshel and the baseline in turn, so that what else the machine does falls on both.

for each shape of load: fresh copies of the databases ─▶ warm up each ─▶ A, B, B, A ... ─▶ the books ─▶ medians
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from statistics import median

from msgspec import Struct
from msgspec.structs import fields, replace

from bench import machine, servers
from bench.books import Databases, prove, transactions
from bench.load import TRANSFERS, Load, Shape, Traffic, drive
from bench.servers import Server


class Plan(Struct, frozen=True):
    """How long and how often."""

    workers: int
    warm_up_s: int
    run_s: int
    rounds: int


class Measure(Struct, frozen=True):
    """One run, or the median of several."""

    per_s: float  # units: transfers, or pairs of a hold and its capture
    p50_ms: float  # of a request
    p99_ms: float
    server_us: float  # processor time of the server's processes, each unit
    worker_us: float  # of that its workers' own
    database_us: float  # and of all of PostgreSQL's
    worker_mb: float  # resident memory of the largest worker, afterwards


class Contestant(Struct, frozen=True):
    """A server, what is asked of it, the database behind it, and the proof that what it did there is right."""

    name: str
    server: Server
    url: str
    prove: Callable[[], None]
    database_url: str | None = None  # None: it does not move money
    traffic: Traffic = TRANSFERS
    count: Callable[[str], int] = transactions  # in that database
    during: Callable[[], AbstractContextManager[None]] = nullcontext  # around each run


class Contest:
    """Measures, and remembers what made the run invalid and how long proving took."""

    def __init__(self, databases: Databases, plan: Plan, directory: Path) -> None:
        self.databases = databases
        self.plan = plan
        self.directory = directory
        self.failures: list[str] = []
        self.proving_s = 0.0

    def table(self, shapes: Iterable[Shape]) -> Iterator[tuple[Shape, dict[str, Measure]]]:
        """For each shape the measures of `koshel` and `baseline`; also of `nothing` if it is the plainest load."""
        for shape in shapes:
            with ExitStack() as stack:
                ours, theirs = stack.enter_context(self.databases.fresh("koshel_bench", "baseline_bench"))
                koshel = stack.enter_context(servers.koshel(ours, self.plan.workers, self.directory))
                baseline = stack.enter_context(servers.baseline(theirs, self.plan.workers, self.directory))
                # Proved when all rounds are over, so that the turns follow each other closely.
                contestants = [
                    Contestant("koshel", koshel, koshel.url(), lambda: None, ours),
                    Contestant("baseline", baseline, baseline.url(), lambda: None, theirs),
                ]
                if shape.distribution == "uniform" and not shape.keys:
                    contestants.append(Contestant("nothing", baseline, baseline.url("/nothing"), lambda: None))
                # A ratio of two rates swings more than either of them, and some of these are close to their floors.
                more = 2 if shape.connections == 1 else 3 if len(contestants) > 2 else 1
                found = self.interleaved(shape, contestants, more * self.plan.rounds)
                self.prove(partial(prove, ours))
                self.prove(partial(prove, theirs, batches=False))
                yield shape, found

    def interleaved(
        self, shape: Shape, contestants: Sequence[Contestant], rounds: int | None = None
    ) -> dict[str, Measure]:
        """The median of each contestant's runs, which take turns."""
        return {name: middle(measures) for name, measures in self.turns(shape, contestants, rounds).items()}

    def turns(
        self, shape: Shape, contestants: Sequence[Contestant], rounds: int | None = None
    ) -> dict[str, list[Measure]]:
        """Each contestant's runs by its name. Who was the last in one round is the first in the next."""
        runs: dict[str, list[Measure]] = {one.name: [] for one in contestants}
        for one in contestants:
            self.warm_up(one, shape)
        for number in range(rounds or self.plan.rounds):
            for one in contestants[:: -1 if number % 2 else 1]:
                runs[one.name].append(self.run(one, shape))
        return runs

    def warm_up(self, one: Contestant, shape: Shape) -> None:
        """A run of which only the failures count."""
        load = drive(one.url, shape, self.plan.warm_up_s, one.traffic)
        self._counted_at_rest(one)
        self._checked(one, shape, load)

    def run(self, one: Contestant, shape: Shape) -> Measure:
        """One run, and its proof."""
        traffic = one.traffic
        counted, spent, workers = self._counted(one), self._cpu_s(one), one.server.workers_cpu_s()
        with one.during():
            load = drive(one.url, shape, self.plan.run_s, traffic)
        time.sleep(traffic.settles_s)
        server_s, database_s = (after - before for before, after in zip(spent, self._cpu_s(one), strict=True))
        workers_s = sum(after - workers.get(pid, 0) for pid, after in one.server.workers_cpu_s().items())
        count = self._counted_at_rest(one) - counted if one.database_url else load.units
        answered = load.units * traffic.rows
        if one.database_url and not answered - load.refused <= count <= answered + shape.connections * traffic.weight:
            self.fail(f"{one.name}, {shape}: answers for {answered} transactions, but there are {count}")
        self._checked(one, shape, load)
        each = 1e6 * traffic.rows / max(count, 1)
        cpu = (server_s * each, workers_s * each, database_s * each)
        return Measure(load.per_s, load.p50_ms, load.p99_ms, *cpu, one.server.worker_mb())

    def prove(self, proof: Callable[[], None]) -> None:
        """Prove some books, on the clock that says how long proving took. Raises BooksWrong."""
        start = time.monotonic()
        proof()
        self.proving_s += time.monotonic() - start

    def fail(self, failure: str) -> None:
        """Go on, though what is measured does not count any more."""
        self.failures.append(failure)
        sys.stderr.write(f"INVALID: {failure}\n")

    def _counted_at_rest(self, one: Contestant) -> int:
        """When nothing is under way any more: else it would be the next run's."""
        before, count = -1, self._counted(one)
        while before < count:
            time.sleep(one.traffic.settles_s)
            before, count = count, self._counted(one)
        return count

    def _counted(self, one: Contestant) -> int:
        return one.count(one.database_url) if one.database_url else 0

    def _checked(self, one: Contestant, shape: Shape, load: Load) -> None:
        if load.failures:
            self.fail(f"{one.name}, {shape}: {load.refused} answers not as wanted, {load.broken} broken connections")
        self.prove(one.prove)

    def _cpu_s(self, one: Contestant) -> tuple[float, float]:
        return machine.cpu_s(one.server.pid), machine.cpu_s(self.databases.postmaster)


def middle(runs: Sequence[Measure]) -> Measure:
    """Each figure's own median."""
    return replace(runs[0], **{f.name: median(getattr(run, f.name) for run in runs) for f in fields(Measure)})
