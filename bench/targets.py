"""What must be reached: the floor and the aim of each figure, and the worst that was measured of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from bench.contest import Measure
from bench.in_process import Settling
from bench.lifetime import MILLION, Look
from bench.load import Shape

Table = Sequence[tuple[Shape, Mapping[str, Measure]]]


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
    "transfers/s against the baseline, 256 connections, uniform (without, with keys)", 9, 14, "x", more_is_better=True
)
HOT = Target("the same, all to one account (without, with keys)", 18, 30, "x", more_is_better=True)
P99 = Target(
    "p99 at 256 connections, against the baseline (in the table's order)", 0.25, 0.1, "x", more_is_better=False
)
P50 = Target("one connection: p50 against the baseline (in the table's order)", 1.3, 1.0, "x", more_is_better=False)
NOTHING = Target("throughput against the do-nothing endpoint, 256 connections", 0.35, 0.5, "x", more_is_better=True)
LEDGERS = Target(
    "`settle`, batches of 500: 1,000 ledgers against one (without, with keys)", 0.7, 0.9, "x", more_is_better=True
)
MEMORY = Target("resident memory of a worker after a million transfers", 120, 80, " MB", more_is_better=False)
START = Target("first answer, embedded PostgreSQL included", 5, 2, " s", more_is_better=False)


def judged(
    table: Table, settling: Iterable[Settling], looks: Iterable[Look], first_answer_s: float | None
) -> list[tuple[str, str, str, str, str]]:
    """The table: what, floor, aim, reached, verdict."""
    rate: Callable[[Measure], float] = lambda one: one.per_s  # noqa: E731
    busy = [(shape, measures) for shape, measures in table if shape.connections == 256]
    lone = [(shape, measures) for shape, measures in table if shape.connections == 1]
    uniform = [(shape, measures) for shape, measures in busy if shape.distribution == "uniform"]
    hot = [(shape, measures) for shape, measures in busy if shape.distribution == "hot"]
    return [
        UNIFORM.row(_ratios(uniform, "baseline", rate)),
        HOT.row(_ratios(hot, "baseline", rate)),
        P99.row(_ratios(busy, "baseline", lambda one: one.p99_ms)),
        P50.row(_ratios(lone, "baseline", lambda one: one.p50_ms)),
        NOTHING.row(_ratios(busy, "nothing", rate)),
        LEDGERS.row([one.ratio for one in settling if one.batch == 500]),
        MEMORY.row([look.worker_mb for look in looks if look.transfers >= MILLION]),
        START.row([] if first_answer_s is None else [first_answer_s]),
    ]


def _ratios(table: Table, other: str, figure: Callable[[Measure], float]) -> list[float]:
    """Koshel's figure divided by the other's, where both were measured."""
    return [figure(measures["koshel"]) / figure(measures[other]) for _, measures in table if other in measures]
