"""Transfers in large books against those in small ones, in turn, with a checkpoint on the way, and beside a reader.

Single transfers as the other tables have them: 256 connections to two workers, by wrk. And batches, which wait for
PostgreSQL for most of their time, and so show what large books cost there: two callers of one worker.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psycopg
from msgspec import Struct

from bench import load
from bench.servers import Server, koshel

MEMBERS = 200  # of a batch
CALLERS = 2  # of batches
CONNECTIONS = 256  # of single transfers
WORKERS = 2
SLICE_S = 4  # of one books, and then of the other
READ_BYTES = 65_536
KINDS = ("small", "large", "large beside a reader")


class NotSettled(Exception):
    """A transfer was refused, or a reader, an export or an import has failed."""


class Settled(Struct, frozen=True):
    """Transfers a second, by what was measured."""

    seconds: float  # of each
    per_s: dict[str, float]


class Books(Struct, frozen=True):
    """Books among whose accounts, 1 and up, is paid."""

    url: str
    accounts: int
    hub: int = 1  # the account whose statement is read


class Way(Struct, frozen=True):
    """A way to ask for transfers."""

    workers: int
    slice: Callable[[Server, int], float]  # how many transfers a second are settled meanwhile


def sustained(small: Books, large: Books, seconds: float, directory: Path, way: Way) -> Settled:
    """So many seconds of each books, in turn; in the middle there is a checkpoint."""
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    rounds = max(1, round(seconds / SLICE_S))
    with koshel(small.url, way.workers, directory) as one, koshel(large.url, way.workers, directory) as other:
        for number in range(rounds):
            if number == rounds // 2:
                with psycopg.connect(large.url, autocommit=True) as connection:
                    connection.execute("CHECKPOINT")
            rates[KINDS[0]].append(way.slice(one, small.accounts))
            rates[KINDS[1]].append(way.slice(other, large.accounts))
            with reading(other.port, large.hub):
                rates[KINDS[2]].append(way.slice(other, large.accounts))
    return Settled(rounds * SLICE_S, {kind: sum(each) / rounds for kind, each in rates.items()})


def _singles(server: Server, accounts: int) -> float:
    shape = load.Shape("uniform", CONNECTIONS, keys=False, accounts=accounts)
    done = load.drive(server.url("/transaction"), shape, SLICE_S)
    if done.failures:
        raise NotSettled(f"{done.refused} were refused, {done.broken} broken off")
    return done.per_s


def _batches(server: Server, accounts: int) -> float:
    counts: list[int] = []
    deadline = time.monotonic() + SLICE_S
    callers = [threading.Thread(target=_call, args=(server.port, accounts, deadline, counts)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if len(counts) != len(callers):
        raise NotSettled("a batch was refused; see above")
    return sum(counts) / SLICE_S


def _call(port: int, accounts: int, deadline: float, counts: list[int]) -> None:
    chance, count = random.Random(), 0
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < deadline:
        body = json.dumps({"transactions": [_transfer(chance, accounts) for _ in range(MEMBERS)]})
        connection.request("POST", "/transaction/batch", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        answer = reply.read()
        if reply.status != 201:
            raise NotSettled(f"{reply.status} {answer[:300].decode()}")
        count += MEMBERS
    connection.close()
    counts.append(count)


def _transfer(chance: random.Random, accounts: int) -> dict[str, object]:
    source, target = chance.sample(range(1, accounts + 1), 2)
    return {"source_account_id": source, "target_account_id": target, "amount": "0.01"}


@contextmanager
def reading(port: int, account: int) -> Iterator[None]:
    """The statement of an account is read, over and over, for as long as the block lasts. Raises NotSettled."""
    stopped, failures = threading.Event(), list[str]()

    def read() -> None:
        while not stopped.is_set():
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", f"/account/{account}/statement")
            reply = connection.getresponse()
            if reply.status != 200:
                failures.append(str(reply.status))
                return
            while not stopped.is_set() and reply.read(READ_BYTES):
                pass
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        stopped.set()
        reader.join()
    if failures:
        raise NotSettled(f"the statement was answered {failures[0]}")


SINGLES = Way(WORKERS, _singles)
BATCHES = Way(1, _batches)
