"""Pairs of a hold and its capture, in turn with plain transfers, over as many connections."""

from collections.abc import Iterator
from functools import partial

from bench import servers
from bench.books import prove
from bench.contest import Contest, Contestant, Measure
from bench.load import PAIRS, Shape


def held(contest: Contest) -> Iterator[tuple[Shape, dict[str, Measure]]]:
    """For each number of connections the measures of `pairs` and of `transfers`, in one database."""
    for connections in (256, 64):
        with (
            contest.databases.fresh("hold_bench") as (url,),
            servers.koshel(url, contest.plan.workers, contest.directory) as server,
        ):
            proof = partial(prove, url)
            contestants = [
                Contestant("pairs", server, server.url(), proof, url, PAIRS),
                Contestant("transfers", server, server.url(), proof, url),
            ]
            shape = Shape("uniform", connections, keys=False)
            yield shape, contest.interleaved(shape, contestants)
