"""Clients that hang up in the middle: the service goes on, and no table stays locked behind them."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.verifying.verify import verify
from tests.conftest import TEMPLATE
from tests.support.quiet import alter_tables, in_transaction
from tests.support.service import serving
from tests.support.till import Till, made, transfer
from tests.support.waiting import wait_until

DATABASE = "hang_up_tests"
CLIENTS = 20
TIMES = 30  # that each of them hangs up
MOMENTS_S = 0.012  # in which an answer comes, or does not
ALTERATIONS = 5


@pytest.fixture(scope="module")
def owner_url(cluster: Cluster) -> str:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    return cluster.url(database=DATABASE)


@pytest.fixture(scope="module")
def till(cluster: Cluster, owner_url: str) -> Iterator[Till]:
    """A service of one worker, whose books are right at the end."""
    with serving(cluster.url(embedded.SERVICE, DATABASE), workers="1") as service:
        yield Till(service)
    assert verify(owner_url) == []


def request(method: str, path: str, body: Any = None, **headers: str) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    named = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(content))} | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def requests(till: Till) -> list[bytes]:
    """One of each kind that the database is asked for."""
    ann, bob = till.open("100"), till.open()
    posted = made(till.transfer(ann, bob, "1"))["id"]
    money = transfer(ann, bob, "0.01")
    return [
        request("GET", f"/account/{ann}"),
        request("GET", f"/transaction/{posted}"),
        request("GET", "/transaction/999999"),
        request("GET", "/health/queue"),
        request("GET", "/health/ready"),
        request("POST", "/transaction?dry_run=true", money, **{"Idempotency-Key": "k"}),
        request("POST", "/transaction/batch?dry_run=true", {"transactions": [money] * 50}),
        request("POST", "/transaction", money),
        request("POST", "/transaction", money, Prefer="respond-async"),
        request("POST", "/transaction", money, Prefer="respond-async, wait=1"),
        request("POST", "/transaction/batch", {"transactions": [money] * 5}),
    ]


async def ask_and_hang_up(port: int, sent: bytes) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.sleep(random.uniform(0, MOMENTS_S))
    if random.random() < 0.5:
        writer.transport.abort()
    else:
        writer.close()


async def test_who_hangs_up_leaves_no_transaction_open_and_no_table_locked(till: Till, owner_url: str) -> None:
    asked = await asyncio.to_thread(requests, till)

    async def hang_up() -> None:
        for _ in range(TIMES):
            await ask_and_hang_up(till.port, random.choice(asked))

    async def alter() -> None:
        for _ in range(ALTERATIONS):
            await asyncio.to_thread(alter_tables, owner_url)

    async with asyncio.timeout(120):
        await asyncio.gather(alter(), *(hang_up() for _ in range(CLIENTS)))
    await asyncio.to_thread(wait_until, lambda: in_transaction(owner_url) == [], "nobody is in a transaction")
    await asyncio.to_thread(alter_tables, owner_url)


def test_after_that_everything_is_answered_as_before(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    made(till.transfer(ann, bob, "1"))
    assert till.money(bob).balance == "1.00"
    assert till.post("/transaction?dry_run=true", transfer(ann, bob, "1")).status == 200
    assert till.call("GET", "/health/ready").status == 200
