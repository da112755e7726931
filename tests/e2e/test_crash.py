"""kill -9 under load: every acknowledged transfer, hold, capture, batch and enqueue is there once, and no other."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.database import Database
from tests.support.load import loading, open_accounts
from tests.support.outage import Postgres, own_postgres
from tests.support.proof import prove
from tests.support.service import Running, serving, start, stop
from tests.support.waiting import until

ACCOUNTS = 5
ANSWERS = 100  # between one kill and the next
WORKERS = 2


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("crash")) as postgres:
        yield postgres


def _kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def _replaced(service: Running, killed: list[int]) -> None:
    """Return when there are as many workers as before, and none of them is one that was killed."""

    def is_complete() -> bool:
        workers = service.workers()
        return len(workers) == WORKERS and not set(workers) & set(killed)

    await until(is_complete, "killed workers are replaced")


@pytest.mark.parametrize("at_once", [1, WORKERS], ids=["one worker", "all workers"])
async def test_killed_workers_lose_no_acknowledged_answer_and_are_replaced(database: Database, at_once: int) -> None:
    with serving(database.service_url, workers=str(WORKERS)) as service:
        account_ids = await asyncio.to_thread(open_accounts, service, ACCOUNTS)
        async with loading(service.url, account_ids) as load:
            for _ in range(3):
                await _replaced(service, [])
                await load.more(ANSWERS)
                victims = service.workers()[:at_once]
                _kill(*victims)
                await _replaced(service, victims)
            await load.more(ANSWERS)
    if at_once == WORKERS:
        assert load.repeated["no answer"]
    prove(load, database.owner_url)


async def test_a_killed_master_loses_no_acknowledged_answer_and_can_be_started_again(database: Database) -> None:
    with _restartable(database.service_url) as services:
        account_ids = await asyncio.to_thread(open_accounts, services[0], ACCOUNTS)
        orphans: list[int] = []
        async with loading(services[0].url, account_ids) as load:
            for _ in range(3):
                await _replaced(services[-1], orphans)
                await load.more(ANSWERS)
                orphans += services[-1].workers()
                _kill(services[-1].process.pid)
                services[-1].process.wait()
                await load.trouble()
                services.append(await asyncio.to_thread(start, database.service_url, services[0].port))
            await load.more(ANSWERS)
        await until(lambda: not any(map(_is_alive, orphans)), "workers whose master died leave by themselves")
        assert stop(services[-1]) == 0
    prove(load, database.owner_url)


@contextmanager
def _restartable(database_url: str) -> Iterator[list[Running]]:
    """A service, and all that were started after it; none is left at the end."""
    services = [start(database_url)]
    try:
        yield services
    finally:
        for service in services:
            stop(service)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("kill", [Postgres.kill_postmaster, Postgres.kill_backend], ids=["postmaster", "backend"])
async def test_a_killed_postgresql_loses_no_acknowledged_answer(
    postgres: Postgres, kill: Callable[[Postgres], None]
) -> None:
    with serving(postgres.service_url) as service:
        account_ids = await asyncio.to_thread(open_accounts, service, ACCOUNTS)
        async with loading(service.url, account_ids) as load:
            for _ in range(3):
                await load.more(ANSWERS)
                await asyncio.to_thread(kill, postgres)
                await asyncio.to_thread(postgres.start)
            await load.more(ANSWERS)
    prove(load, postgres.owner_url)
