"""The access log, written to a real file: what it costs, against the same server without it."""

from functools import partial

from bench import servers
from bench.against import Compared
from bench.books import prove
from bench.contest import Contest, Contestant
from bench.load import Shape

SHAPE = Shape("uniform", 256, keys=False)


def logged(contest: Contest, *, rounds: int) -> Compared:
    """Both in turn, each on a database of its own; `ours` has the log on."""
    plan, directory = contest.plan, contest.directory
    with (
        contest.databases.fresh("logged_bench", "silent_bench") as (ours, theirs),
        servers.koshel(ours, plan.workers, directory, {"access_log": True}) as logging,
        servers.koshel(theirs, plan.workers, directory) as silent,
    ):
        contestants = [
            Contestant("logged", logging, logging.url(), lambda: None, ours),
            Contestant("silent", silent, silent.url(), lambda: None, theirs),
        ]
        before = logging.output.stat().st_size
        runs = contest.turns(SHAPE, contestants, rounds)
        if logging.output.stat().st_size == before:
            contest.fail("the access log was on, but its file did not grow")
        for url in (ours, theirs):
            contest.prove(partial(prove, url))
    return Compared("single", SHAPE, runs["logged"], runs["silent"])
