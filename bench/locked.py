"""Transfers among other accounts while somebody else has locked some, against the same without that.

20 connections pay each other, as a contest; meanwhile 20 callers pay into accounts that an open transaction has
locked: each waits for its answer, which is `database-unavailable`, and asks again.
"""

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection

import msgspec
import psycopg
import uvloop
from msgspec import Struct

from bench import servers
from bench.against import Compared
from bench.books import MAIN, open_accounts, prove
from bench.contest import Contest, Contestant
from bench.load import Shape
from bench.servers import Server

SHAPE = Shape("uniform", 20, keys=False)
CALLERS = 20  # of locked accounts
ROWS = (1, 1_000)  # that are locked at once
ANSWERED_WITHIN_S = 30
PAYMENT = msgspec.json.encode({"amount": "1.00"})
HEADERS = {"Content-Type": "application/json"}


class Locked(Struct, frozen=True):
    """So many locked rows, and what the others did beside them (`ours`) and alone (`other`)."""

    rows: int
    compared: Compared

    @property
    def p99_ratios(self) -> list[float]:
        """By round."""
        return self.compared.by_round(lambda one: one.p99_ms)

    def __str__(self) -> str:
        return f"{self.rows} locked rows: {self.compared}"


def locked(contest: Contest, *, rounds: int) -> Iterator[Locked]:
    """For each number of rows: alone and beside them in turn, on one database."""
    for rows in ROWS:
        with (
            contest.databases.fresh("locked_bench") as (url,),
            servers.koshel(url, contest.plan.workers, contest.directory) as server,
        ):
            (ids,) = uvloop.run(open_accounts(url, [MAIN], rows))
            contestants = [
                Contestant("beside", server, server.url(), lambda: None, during=partial(_beside, server, url, ids)),
                Contestant("alone", server, server.url(), lambda: None),
            ]
            runs = contest.turns(SHAPE, contestants, rounds)
            contest.prove(partial(prove, url))
        yield Locked(rows, Compared("other accounts", SHAPE, runs["beside"], runs["alone"]))


@contextmanager
def _beside(server: Server, url: str, ids: Sequence[int]) -> Iterator[None]:
    """Somebody has locked the accounts, and callers ask for them."""
    over, turns = threading.Event(), itertools.cycle(ids)
    with ExitStack() as stack:
        stranger = stack.enter_context(psycopg.connect(url))
        stranger.execute("SELECT FROM account WHERE id = ANY(%s) FOR UPDATE", [list(ids)])
        callers = [threading.Thread(target=_pay, args=(server.port, turns, over)) for _ in range(CALLERS)]
        for one in callers:
            one.start()
        try:
            yield
        finally:
            over.set()
            stranger.rollback()  # what still waits is settled, so that the next run finds nothing of it
            for one in callers:
                one.join()


def _pay(port: int, turns: Iterator[int], over: threading.Event) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=ANSWERED_WITHIN_S)
    while not over.is_set():
        connection.request("POST", f"/account/{next(turns)}/payment", PAYMENT, HEADERS)
        connection.getresponse().read()
    connection.close()
