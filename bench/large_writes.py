"""Transfers in large books against those in small ones, in turn, with a checkpoint on the way, and beside a reader."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psycopg
from msgspec import Struct

from bench.large_books import Size
from bench.servers import koshel

MEMBERS = 200  # of a batch
CONNECTIONS = 2
SLICE_S = 2.0  # of one books, and then of the other
READ_BYTES = 65_536
KINDS = ("small", "large", "large beside a reader")


class NotSettled(Exception):
    """A batch was refused, or a reader, an export or an import has failed."""


class Settled(Struct, frozen=True):
    """Transfers a second, by what was measured."""

    seconds: float  # of each
    per_s: dict[str, float]


def sustained(urls: tuple[str, str], accounts: tuple[int, int], size: Size, seconds: float, directory: Path) -> Settled:
    """So many seconds of each books, slice by slice in turn; in the middle there is a checkpoint."""
    done = dict.fromkeys(KINDS, 0)
    small, large = urls
    rounds = max(1, round(seconds / SLICE_S))
    with koshel(small, 1, directory) as one, koshel(large, 1, directory) as other:
        for number in range(rounds):
            if number == rounds // 2:
                with psycopg.connect(large, autocommit=True) as connection:
                    connection.execute("CHECKPOINT")
            done[KINDS[0]] += _slice(one.port, accounts[0])
            done[KINDS[1]] += _slice(other.port, accounts[1])
            with reading(other.port, size.hub):
                done[KINDS[2]] += _slice(other.port, accounts[1])
    return Settled(rounds * SLICE_S, {kind: count / (rounds * SLICE_S) for kind, count in done.items()})


def _slice(port: int, accounts: int) -> int:
    """How many transfers are settled meanwhile."""
    counts: list[int] = []
    deadline = time.monotonic() + SLICE_S
    callers = [threading.Thread(target=_call, args=(port, accounts, deadline, counts)) for _ in range(CONNECTIONS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    if len(counts) != len(callers):
        raise NotSettled("a batch was refused; see above")
    return sum(counts)


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
