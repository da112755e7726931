"""What takes long to see: memory over a million transfers; and what happens once: the first start."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from msgspec import Struct

from bench import servers
from bench.books import Databases, prove, transactions
from bench.load import LoadFailed, Shape, drive
from koshel.db.server import embedded

MILLION = 1_000_000
STEP = 100_000
RUN_S = 2  # between two looks at the memory
MILLION_WITHIN_S = 1_200
SHAPE = Shape("uniform", 256, keys=True)


class Look(Struct, frozen=True):
    """Resident memory of the largest worker after so many transfers."""

    transfers: int
    worker_mb: float


def million(databases: Databases, workers: int, directory: Path) -> Iterator[Look]:
    """A look before the first transfer, and one after each hundred thousand. Raises LoadFailed, BooksWrong."""
    with databases.fresh("million_bench") as (url,), servers.koshel(url, workers, directory) as server:
        already, seen = transactions(url), 0
        deadline = time.monotonic() + MILLION_WITHIN_S
        yield Look(0, server.worker_mb())
        while seen < MILLION:
            load = drive(server.url(), SHAPE, RUN_S)
            if load.failures or time.monotonic() > deadline:
                raise LoadFailed(f"a million transfers: {load.failures} failures, {seen} done before")
            before, seen = seen, transactions(url) - already
            if seen // STEP > before // STEP:
                yield Look(seen, server.worker_mb())
        prove(url)


def first_answer_s(workers: int, directory: Path, rounds: int) -> float:
    """From starting `koshel serve` on nothing until it answers, PostgreSQL of its own included; the median."""
    took = []
    for number in range(rounds):
        data = directory / f"first-{number}"
        data.mkdir()
        try:
            start = time.monotonic()
            with servers.koshel(None, workers, data):
                took.append(time.monotonic() - start)
        finally:
            if (data / "data" / "postgres" / "postmaster.pid").exists():
                with embedded.running(data / "data"):
                    pass  # the last who leaves stops it
    return median(took)
