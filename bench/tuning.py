"""One setting with several values, in turn: batches in flight for Koshel, the pool for the baseline."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import servers
from bench.books import Databases, prove
from bench.contest import Contest, Contestant, Measure, Plan
from bench.load import Shape
from bench.servers import Server

SHAPES = [Shape(distribution, 256, keys) for distribution in ("uniform", "hot") for keys in (False, True)]

Start = Callable[[str, int, Path, Mapping[str, Any]], AbstractContextManager[Server]]


class Knob(Struct, frozen=True):
    """A setting of one of the servers, and the values to try."""

    title: str
    setting: str
    values: tuple[int, ...]
    start: Start
    batches: bool  # whether the server keeps batches, which are to be proved then


FLIGHTS = Knob("Koshel: KOSHEL_BATCHES_IN_FLIGHT", "batches_in_flight", (1, 2, 3), servers.koshel, batches=True)
POOLS = Knob("Baseline: connections in each process", "POOL_SIZE", (5, 10, 20), servers.baseline, batches=False)


def tried(
    knob: Knob, contest: Contest, databases: Databases, plan: Plan, directory: Path
) -> Iterator[tuple[Shape, dict[str, Measure]]]:
    """For each shape the measures by the setting's value."""
    for shape in SHAPES:
        with ExitStack() as stack:
            urls = stack.enter_context(databases.fresh(*(f"tuning_{value}_bench" for value in knob.values)))
            contestants = []
            for value, url in zip(knob.values, urls, strict=True):
                server = stack.enter_context(knob.start(url, plan.workers, directory, {knob.setting: str(value)}))
                proof = partial(prove, url, batches=knob.batches)
                contestants.append(Contestant(str(value), server, server.url(), proof, url))
            yield shape, contest.interleaved(shape, contestants)
