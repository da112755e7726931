"""Logs that nobody reads: everybody is answered all the same, and the service stops when it is told to."""

import asyncio
import json
import os
import signal
import time
from contextlib import ExitStack

import aiohttp
import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from tests.support.database import Database
from tests.support.launch import launched, read_until, unread
from tests.support.service import Running, stop
from tests.support.waiting import wait_until

REQUESTS = 2_000
BUFFER = "100000"  # bytes, a fraction of what is logged
STOPS_WITHIN_S = 10  # far less than shutdown_timeout_s
LONG = "/" + "a" * 200


async def ask(service: Running, path: str) -> set[int]:
    """The statuses of many answers, each of a request that is a line of the access log."""
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(service.url, timeout=timeout) as session:

        async def one(_: int) -> int:
            async with session.get(path) as reply:
                return reply.status

        return {status for _ in range(REQUESTS // 50) for status in await asyncio.gather(*map(one, range(50)))}


def close_off(cluster: Cluster, database: Database) -> None:
    """Nobody can connect to the database any more; every request that needs it is a line on standard error."""
    name = psycopg.conninfo.conninfo_to_dict(database.owner_url)["dbname"]
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


@pytest.mark.parametrize("streams", [["stdout"], ["stderr"], ["stdout", "stderr"]], ids="+".join)
def test_everybody_is_answered_and_a_stop_is_a_stop(cluster: Cluster, database: Database, streams: list[str]) -> None:
    with ExitStack() as pipes:
        full = {name: pipes.enter_context(unread())[1] for name in streams}
        with launched(database.service_url, log_buffer_bytes_max=BUFFER, **full) as service:
            assert asyncio.run(ask(service, LONG)) == {404}
            wait_until(lambda: len(service.workers()) == 2, "two workers")
            first = service.workers()
            os.kill(first[0], signal.SIGKILL)
            wait_until(lambda: len(set(service.workers()) - set(first)) == 1, "the master replaces a worker")
            account = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
            for _ in range(10):
                assert service.call("POST", f"/account/{account}/payment", {"amount": 1}).status == 201
            close_off(cluster, database)
            assert asyncio.run(ask(service, "/account/1")) == {503}
            began = time.monotonic()
            assert stop(service) == 0
            assert time.monotonic() - began < STOPS_WITHIN_S


def test_when_it_is_read_again_it_says_how_many_lines_were_dropped(database: Database) -> None:
    def counted(received: bytes) -> int:
        lines = [json.loads(line) for line in received.splitlines(keepends=True) if line.endswith(b"\n")]
        dropped: int = sum(line["count"] for line in lines if line["event"] == "log lines dropped")
        return dropped + len([line for line in lines if line.get("path", "").startswith("/a")])

    with unread() as (reader, writer):
        with launched(database.service_url, log_buffer_bytes_max=BUFFER, stdout=writer) as service:
            assert asyncio.run(ask(service, LONG)) == {404}
            # Each line is JSON by itself: those of two workers have not mingled, and all are accounted for.
            received = read_until(reader, lambda received: counted(received) >= REQUESTS)
        # The other requests are those that waited for it to be ready.
        assert counted(received) == REQUESTS
        assert b'"stream":"stdout"' in received
        assert b'"event":"answers on","url":"http://127.0.0.1:' in received
