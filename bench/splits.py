"""Splits, in turn with atomic batches of as many transfers from one account: one amount, ten targets."""

from functools import partial

from bench import servers
from bench.against import Compared
from bench.books import prove
from bench.contest import Contest, Contestant
from bench.load import Shape, Traffic

LEGS = 10
SPLITS = Traffic("batch.lua", weight=LEGS, argument=f"{LEGS} split", settles_s=0.5)  # a unit is a leg
BATCHES = Traffic("batch.lua", weight=LEGS, argument=f"{LEGS} of one", settles_s=0.5)  # a unit is a transfer in one
SHAPE = Shape("uniform", 64, keys=False)


def split_up(contest: Contest, rounds: int) -> Compared:
    """Both, over one database."""
    with (
        contest.databases.fresh("splits_bench") as (url,),
        servers.koshel(url, contest.plan.workers, contest.directory) as server,
    ):
        contestants = [
            Contestant("splits", server, server.url(), lambda: None, url, SPLITS),
            Contestant("batches", server, server.url("/transaction/batch"), lambda: None, url, BATCHES),
        ]
        runs = contest.turns(SHAPE, contestants, rounds)
        contest.prove(partial(prove, url))
    return Compared(f"splits with {LEGS} legs", SHAPE, runs["splits"], runs["batches"])
