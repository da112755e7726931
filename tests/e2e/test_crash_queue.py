"""kill -9 of everything while much is queued: nothing is lost, and nothing is done twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from koshel.db.verifying.verify import verify
from tests.support.outage import Postgres, own_postgres
from tests.support.racing import Racers, racers_of
from tests.support.service import Running, start, stop
from tests.support.waiting import until, wait_until

ENQUEUED = 500
OF_THE_POOR = 10  # every so many-th is of somebody who can pay only for some
AFFORDABLE = 20
CRASHES = 2
DRAINED = 40  # between one crash and the next
SLOWLY = {"background_batch_max": "1", "background_poll_ms": "20"}
SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END';
CREATE TRIGGER slow BEFORE INSERT ON transaction FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("crash_queue")) as postgres:
        yield postgres


@contextmanager
def restartable() -> Iterator[list[Running]]:
    """All services that are started; none is left at the end."""
    services: list[Running] = []
    try:
        yield services
    finally:
        for service in services:
            stop(service)


def kill_everything(postgres: Postgres, service: Running) -> None:
    """At once: the database, the service and its workers."""
    workers = service.workers()
    postgres.kill_postmaster()
    for pid in (service.process.pid, *workers):
        os.kill(pid, signal.SIGKILL)
    service.process.wait()


async def _enqueue(racers: Racers, index: int, accounts: tuple[int, int, int]) -> tuple[str, Any]:
    rich, poor, target = accounts
    source = rich if index % OF_THE_POOR else poor
    key = f"queued-{index}"
    body = {"source_account_id": source, "target_account_id": target, "amount": "1"}
    reply = await racers.ask("POST", "/transaction", body, Idempotency_Key=key, Prefer="respond-async")
    assert (reply.status, reply.body["status"]) == (202, "queued")
    return key, reply


def rows(postgres: Postgres, query: str) -> list[tuple[Any, ...]]:
    """What the owner finds."""
    with psycopg.connect(postgres.owner_url) as connection:
        return connection.execute(query.encode()).fetchall()


def left(postgres: Postgres) -> int:
    """How many are queued."""
    return int(rows(postgres, "SELECT count(*) FROM queued")[0][0])


async def test_the_queue_survives_when_everything_is_killed_at_once(postgres: Postgres) -> None:
    with restartable() as services:
        services.append(await asyncio.to_thread(start, postgres.service_url, **SLOWLY))
        async with racers_of(services[0].url) as racers:
            accounts = await racers.open("1000"), await racers.open(str(AFFORDABLE)), await racers.open("1")
            with psycopg.connect(postgres.owner_url) as connection:
                connection.execute(SLOW)
            replies = dict(await asyncio.gather(*(_enqueue(racers, index, accounts) for index in range(ENQUEUED))))
        for settings in ([SLOWLY] * (CRASHES - 1)) + [{}]:
            await asyncio.to_thread(drain_some_and_crash, postgres, services[-1])
            services.append(await asyncio.to_thread(start, postgres.service_url, services[0].port, **settings))
        await until(lambda: left(postgres) == 0, "all is decided")
        async with racers_of(services[-1].url) as racers:
            await _assert_all_are_decided_once(racers, postgres, replies)
            refused = ENQUEUED // OF_THE_POOR - AFFORDABLE
            posted = ENQUEUED - refused
            assert await racers.balances(*accounts) == [f"{1000 - posted + AFFORDABLE}.00", "0.00", f"{1 + posted}.00"]
        assert stop(services[-1]) == 0
    assert verify(postgres.owner_url) == []


def drain_some_and_crash(postgres: Postgres, service: Running) -> None:
    """All is killed in the middle of the work; then there is a database again, and no service."""
    before = left(postgres)
    wait_until(lambda: left(postgres) < before - DRAINED, "some is decided")
    kill_everything(postgres, service)
    postgres.start()
    assert left(postgres) > 0, "much is still queued"


async def _assert_all_are_decided_once(racers: Racers, postgres: Postgres, replies: dict[str, Any]) -> None:
    found = await asyncio.gather(*(racers.get(reply.headers["Location"]) for reply in replies.values()))
    statuses = Counter(reply.body["status"] for reply in found)
    refused = ENQUEUED // OF_THE_POOR - AFFORDABLE
    assert statuses == {"posted": ENQUEUED - refused, "declined": refused}
    posted = {reply.body["id"]: reply.body["idempotency_key"] for reply in found if reply.body["status"] == "posted"}
    query = "SELECT id, idempotency_key FROM transaction WHERE idempotency_key LIKE 'queued-%' ORDER BY id"
    assert rows(postgres, query) == sorted(posted.items())
    declined = sorted(reply.body["id"] for reply in found if reply.body["status"] == "declined")
    assert rows(postgres, "SELECT id FROM declined ORDER BY id") == [(id_,) for id_ in declined]
    # And the key's answer is that it was queued, for ever.
    key, first = next(iter(replies.items()))
    source, target = first.body["source_account_id"], first.body["target_account_id"]
    again = await racers.transfer(source, target, "1", key)
    assert (again.status, again.raw, again.is_replayed) == (202, first.raw, True)
