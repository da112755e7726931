"""Batches over HTTP, in turn with single requests and with `settle` alone.

for keys without, with: a fresh database ─▶ warm up each ─▶ single, batch, settle, single, ... ─▶ medians
"""

from collections.abc import Iterator
from functools import partial
from statistics import median

from msgspec import Struct

from bench import servers
from bench.books import prove
from bench.contest import Contest, Contestant, Measure, middle
from bench.in_process import together
from bench.load import BATCHES, Shape

SINGLE_CONNECTIONS = 256
BATCH_CONNECTIONS = 8  # of 2, 4, 8, 16 and 32, in turn, as good as any; with fewer a worker may get none


class Batched(Struct, frozen=True):
    """Transfers a second: one a request, 500 a request, and 500 a batch without HTTP."""

    keys: bool
    single: Measure
    batch: Measure
    settle_per_s: float

    def __str__(self) -> str:
        return (
            f"{'with' if self.keys else 'without'} keys: single {self.single.per_s:,.0f}/s, "
            f"batches {self.batch.per_s:,.0f}/s, settle {self.settle_per_s:,.0f}/s"
        )


def batched(contest: Contest) -> Iterator[Batched]:
    """Without keys; and with one for each member and one for each batch."""
    for keys in (False, True):
        yield _measured(contest, keys=keys)


def _measured(contest: Contest, *, keys: bool) -> Batched:
    plan = contest.plan
    one, many = (Shape("uniform", count, keys) for count in (SINGLE_CONNECTIONS, BATCH_CONNECTIONS))
    with (
        contest.databases.fresh("batch_bench") as (url,),
        servers.koshel(url, plan.workers, contest.directory) as server,
    ):
        proof = partial(prove, url)
        single = Contestant("single", server, server.url(), proof, url)
        batch = Contestant("batches", server, server.url("/transaction/batch"), proof, url, BATCHES)
        contest.warm_up(single, one)
        contest.warm_up(batch, many)
        singles, batches, settles = [], [], []
        for _ in range(plan.rounds):
            singles.append(contest.run(single, one))
            batches.append(contest.run(batch, many))
            settles.append(together(url, keys=keys, seconds=plan.run_s, processes=plan.workers))
        contest.prove(proof)
    return Batched(keys, middle(singles), middle(batches), median(settles))
