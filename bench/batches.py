"""Batches over HTTP, in turn with single requests and with `settle` alone.

for each kind of keys: a fresh database ─▶ warm up each ─▶ single, batch, settle, single, ... ─▶ medians
"""

from collections.abc import Iterator
from functools import partial
from statistics import median

from msgspec import Struct

from bench import servers
from bench.books import prove
from bench.contest import Contest, Contestant, Measure, middle
from bench.in_process import together
from bench.load import BATCHES, KEYED_BATCHES, Shape, Traffic

SINGLE_CONNECTIONS = 256
# Of 2, 4, 8, 16 and 32, in turn, 16 did as well as any. Batches may have half of a worker's queue, which is twenty of
# these, and one worker may get all connections: with more, some would be answered `overloaded`.
BATCH_CONNECTIONS = 16

# Who has a key, of single requests and batches alike: nobody; each request; and of batches each transfer too.
NO_KEYS, REQUESTS, TRANSFERS = "none", "each request", "each transfer too"
KINDS = {NO_KEYS: (False, BATCHES), REQUESTS: (True, BATCHES), TRANSFERS: (True, KEYED_BATCHES)}


class Batched(Struct, frozen=True):
    """Transfers a second: one a request, 500 a request, and 500 a batch without HTTP."""

    keys: str
    single: Measure
    batch: Measure
    settle_per_s: float

    def __str__(self) -> str:
        return (
            f"keys: {self.keys}: single {self.single.per_s:,.0f}/s, "
            f"batches {self.batch.per_s:,.0f}/s, settle {self.settle_per_s:,.0f}/s"
        )


def batched(contest: Contest) -> Iterator[Batched]:
    """Each kind of keys."""
    for kind, (keys, traffic) in KINDS.items():
        yield _measured(contest, kind, traffic, keys=keys)


def _measured(contest: Contest, kind: str, traffic: Traffic, *, keys: bool) -> Batched:
    plan = contest.plan
    one, many = (Shape("uniform", count, keys) for count in (SINGLE_CONNECTIONS, BATCH_CONNECTIONS))
    with (
        contest.databases.fresh("batch_bench") as (url,),
        servers.koshel(url, plan.workers, contest.directory) as server,
    ):
        proof = partial(prove, url)
        single = Contestant("single", server, server.url(), proof, url)
        batch = Contestant("batches", server, server.url("/transaction/batch"), proof, url, traffic)
        contest.warm_up(single, one)
        contest.warm_up(batch, many)
        singles, batches, settles = [], [], []
        for _ in range(plan.rounds):
            singles.append(contest.run(single, one))
            batches.append(contest.run(batch, many))
            settles.append(together(url, keys=traffic is KEYED_BATCHES, seconds=plan.run_s, processes=plan.workers))
        contest.prove(proof)
    return Batched(kind, middle(singles), middle(batches), median(settles))
