"""What must be reached: the floor and the aim of each figure, and the worst that was measured of it.

Batches and pairs of hold and capture are judged against 0.2.0. Their tables also compare them with single transfers of
the same version, which is not judged: that ratio falls when single transfers become faster.
"""

from collections.abc import Callable, Sequence
from statistics import median

from msgspec import Struct

from bench.against import BATCHED, HELD, OURS, SINGLE, Compared
from bench.callers import KEYED, LIMITED, MANY, MEASURED, NAMED, WITH_JWT
from bench.contest import Measure
from bench.lifetime import MILLION
from bench.load import Shape
from bench.overload import WRONG_PER_S
from bench.results import Results, Row

PLAIN = Shape("uniform", 256, keys=False)


class Target(Struct, frozen=True):
    """A figure, and what it must be."""

    what: str
    floor: float
    aim: float
    unit: str
    more_is_better: bool

    def row(self, values: Sequence[float]) -> tuple[str, str, str, str, str]:
        """Its line of the table; of several values the worst is judged, and all are shown."""
        sign = "≥" if self.more_is_better else "≤"
        floor, aim = (f"{sign} {bound:g}{self.unit}" for bound in (self.floor, self.aim))
        if not values:
            return self.what, floor, aim, "not measured", ""
        worst = min(values) if self.more_is_better else max(values)
        reached = ", ".join(f"{value:.3g}" for value in values) + self.unit
        return self.what, floor, aim, reached, self._verdict(worst)

    def _verdict(self, value: float) -> str:
        for bound, verdict in ((self.aim, "aim"), (self.floor, "floor")):
            if value >= bound if self.more_is_better else value <= bound:
                return verdict
        return "**missed**"


UNIFORM = Target(
    "transfers/s against the baseline, 256 connections, uniform, without keys", 13, 17, "x", more_is_better=True
)
UNIFORM_KEYED = Target("the same, with keys", 11, 14, "x", more_is_better=True)
HOT = Target("the same, all to one account, without keys", 28, 35, "x", more_is_better=True)
HOT_KEYED = Target("the same, all to one account, with keys", 24, 30, "x", more_is_better=True)
WORKER_CPU = Target(
    "a worker's processor time for each transfer against 0.2.0's, 256 connections, uniform, without keys",
    *(0.6, 0.45, "x"),
    more_is_better=False,
)
EARLIER = Target(
    "against 0.2.0: transfers/s in batches of 500, pairs of hold and capture/s, queued transactions drained/s",
    *(0.95, 1, "x"),
    more_is_better=True,
)
LOGGED = Target("transfers/s with the access log on, in a file, against none", 0.92, 0.97, "x", more_is_better=True)
KEYS_ON = Target("transfers/s with API keys on, against off", *(0.95, 0.98, "x"), more_is_better=True)
JWT_ON = Target("transfers/s with a JWT, against no keys", *(0.9, 0.97, "x"), more_is_better=True)
METRICS_ON = Target("transfers/s with metrics on, against off", *(0.97, 0.99, "x"), more_is_better=True)
MANY_LEDGERS = Target(f"transfers/s, {MANY}", *(0.9, 0.97, "x"), more_is_better=True)
BY_NAMES = Target(f"transfers/s, {NAMED}", *(0.95, 0.98, "x"), more_is_better=True)
WITH_LIMITS = Target(f"transfers/s, {LIMITED}", *(0.8, 0.9, "x"), more_is_better=True)
SCHEDULES = Target(
    "100,000 scheduled for one second, decided: seconds against what the drain's rate says",
    *(1.3, 1.1, "x"),
    more_is_better=False,
)
SCHEDULES_P99 = Target("beside them: p99 of those who wait", *(2, 1.5, "x"), more_is_better=False)
SPLITS = Target("legs/s of splits with ten, against batches of ten", *(0.9, 1, "x"), more_is_better=True)
LOCKED = Target("other accounts beside 1 and 1,000 locked rows: transfers/s", *(0.7, 0.9, "x"), more_is_better=True)
LOCKED_P99 = Target("the same: p99", *(3, 1.5, "x"), more_is_better=False)
GOODPUT = Target("offered 3 x the load: transfers/s against the best", *(0.85, 0.95, "x"), more_is_better=True)
OVER_P99 = Target(
    "the same: p99 of those let in, against 300 ms or 10 x that with little load", *(1, 0.5, "x"), more_is_better=False
)
OVER_MEMORY = Target("the same: a worker's memory afterwards", *(1.2, 1.1, "x"), more_is_better=False)
RECOVERED = Target("the same: settled from 2 s after on, of what is sent", *(0.99, 1, "x"), more_is_better=True)
FLOODED = Target("beside a key with 10 x the load of all others: their p99", *(2, 1.5, "x"), more_is_better=False)
FLOOD_REFUSED = Target("the same: how many of theirs are refused", *(0, 0, ""), more_is_better=False)
WRONG_KEYS = Target(
    f"beside {WRONG_PER_S:,} requests a second with wrong keys: a good key's p99", *(2, 1.5, "x"), more_is_better=False
)
WRONG_REFUSED = Target("the same: how many of its requests are refused", *(0, 0, ""), more_is_better=False)
SERVE = Target(
    "first answer of `serve` on a migrated database, against importing aiohttp, asyncpg, gunicorn and uvloop",
    *(2, 1.5, "x"),
    more_is_better=False,
)
P99 = Target(
    "p99 at 256 connections, against the baseline (in the table's order)", 0.25, 0.1, "x", more_is_better=False
)
P50 = Target("one connection: p50 against the baseline (in the table's order)", 0.9, 0.7, "x", more_is_better=False)
NOTHING = Target("throughput against the do-nothing endpoint, 256 connections", 0.8, 1.0, "x", more_is_better=True)
LEDGERS = Target(
    "`settle`, batches of 500: 1,000 ledgers against one (without, with keys)", 0.7, 0.9, "x", more_is_better=True
)
MEMORY = Target("resident memory of a worker after a million transfers", 120, 80, " MB", more_is_better=False)
START = Target("first answer, embedded PostgreSQL included", 5, 2, " s", more_is_better=False)


VERIFY = Target("thousands of transactions proved a second by `koshel verify`", 200, 300, "k/s", more_is_better=True)
BATCH_SETTLE = Target(
    "transfers/s in batches of 500 over HTTP against `settle` alone, in as many processes (without, with keys, and "
    "with a key for each transfer too)",
    *(0.6, 0.6, "x"),
    more_is_better=True,
)
DRAIN = Target(
    "queued transactions drained/s against synchronous transfers/s, 256 connections",
    *(0.5, 0.8, "x"),
    more_is_better=True,
)
DRAIN_MEMORY = Target(
    "a worker's memory: the most while a backlog drains against when a tenth of it is drained (by drain)",
    *(1.1, 1.05, "x"),
    more_is_better=False,
)
AGAINST = Target("transfers/s against the other version (in the table's order)", 0.95, 1, "x", more_is_better=True)


def judged(results: Results) -> list[tuple[str, str, str, str, str]]:
    """The table: what, floor, aim, reached, verdict."""
    backlog, scheduled = results.backlog, results.scheduled
    rows = [
        *_transfers(results.table),
        *_earlier(results),
        LOGGED.row([median(results.logged.ratios)] if results.logged else []),
        *_callers(results.callers),
        LOCKED.row([median(one.compared.ratios) for one in results.locked]),
        LOCKED_P99.row([median(one.p99_ratios) for one in results.locked]),
        *_pressed(results),
        LEDGERS.row([one.ratio for one in results.settling if one.batch == 500]),
        BATCH_SETTLE.row([one.batch.per_s / one.settle_per_s for one in results.batched]),
        DRAIN.row([backlog.drained_per_s / backlog.sync.per_s] if backlog else []),
        SCHEDULES.row([scheduled.ratio] if scheduled else []),
        SCHEDULES_P99.row([scheduled.p99_ratio] if scheduled else []),
        SPLITS.row([median(results.split.ratios)] if results.split else []),
        DRAIN_MEMORY.row([drain.growth for drain in backlog.drains] if backlog else []),
        MEMORY.row([look.worker_mb for look in results.looks if look.transfers >= MILLION]),
        START.row([] if results.first_answer_s is None else [results.first_answer_s]),
        VERIFY.row([results.proving.per_s / 1_000] if results.proving else []),
        SERVE.row([] if results.serve_ratio is None else [results.serve_ratio]),
    ]
    # Only developers compare versions, so without that it is not missing.
    compared = [median(one.ratios) for one in results.compared]
    return [*rows, AGAINST.row(compared)] if compared else rows


def _callers(callers: Sequence[Compared]) -> list[tuple[str, str, str, str, str]]:
    return [
        target.row([median(one.ratios) for one in callers if one.what == what])
        for what, target in (
            *((KEYED, KEYS_ON), (WITH_JWT, JWT_ON), (MEASURED, METRICS_ON), (MANY, MANY_LEDGERS)),
            *((NAMED, BY_NAMES), (LIMITED, WITH_LIMITS)),
        )
    ]


def _pressed(results: Results) -> list[tuple[str, str, str, str, str]]:
    over, flood, wrong = results.overload, results.flood, results.wrong_keys
    return [
        GOODPUT.row([over.over_per_s / over.best_per_s] if over else []),
        OVER_P99.row([over.over_p99_ms / over.p99_limit_ms] if over else []),
        OVER_MEMORY.row([over.growth] if over else []),
        RECOVERED.row([over.recovered] if over else []),
        FLOODED.row([flood.beside_p99_ms / flood.alone_p99_ms] if flood else []),
        FLOOD_REFUSED.row([flood.refused] if flood else []),
        WRONG_KEYS.row([wrong.beside_p99_ms / wrong.alone_p99_ms] if wrong else []),
        WRONG_REFUSED.row([wrong.refused] if wrong else []),
    ]


def _transfers(table: Sequence[Row]) -> list[tuple[str, str, str, str, str]]:
    rate: Callable[[Measure], float] = lambda one: one.per_s  # noqa: E731
    busy = [(shape, measures) for shape, measures in table if shape.connections == 256]
    lone = [(shape, measures) for shape, measures in table if shape.connections == 1]
    targets = {
        ("uniform", False): UNIFORM,
        ("uniform", True): UNIFORM_KEYED,
        ("hot", False): HOT,
        ("hot", True): HOT_KEYED,
    }
    return [
        *(
            target.row(_ratios([row for row in busy if (row[0].distribution, row[0].keys) == which], "baseline", rate))
            for which, target in targets.items()
        ),
        P99.row(_ratios(busy, "baseline", lambda one: one.p99_ms)),
        P50.row(_ratios(lone, "baseline", lambda one: one.p50_ms)),
        NOTHING.row(_ratios(busy, "nothing", rate)),
    ]


def _earlier(results: Results) -> list[tuple[str, str, str, str, str]]:
    """Against 0.2.0: medians of the ratios of runs that followed each other."""
    plain = [one for one in results.earlier if one.what == SINGLE and one.shape == PLAIN]
    drains = results.earlier_drains
    rates = [median(one.ratios) for what in (BATCHED, HELD) for one in results.earlier if one.what == what]
    rates += [median(drains[OURS.name]) / median(rest) for name, rest in drains.items() if name != OURS.name]
    return [
        WORKER_CPU.row([median(one.by_round(lambda run: run.worker_us)) for one in plain]),
        EARLIER.row(rates),
    ]


def _ratios(table: Sequence[Row], other: str, figure: Callable[[Measure], float]) -> list[float]:
    """Koshel's figure divided by the other's, where both were measured."""
    return [figure(measures["koshel"]) / figure(measures[other]) for _, measures in table if other in measures]
