"""The PostgreSQL that comes along: what is in it stays, however the processes around it end."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from koshel.db import embedded
from tests.support import command
from tests.support.load import loading, open_accounts
from tests.support.outage import kill_postmaster, listens
from tests.support.proof import prove
from tests.support.service import Running, serving, start, stop

KILLS = 2
ANSWERS = 100


def _cluster(data_dir: Path) -> Path:
    return data_dir / "postgres"


def test_data_survives_a_restart(tmp_path: Path) -> None:
    with serving(None, data_dir=str(tmp_path)) as service:
        [ann] = open_accounts(service, 1)
    assert not listens(_cluster(tmp_path)), "the last who leaves stops the server"
    with serving(None, data_dir=str(tmp_path)) as service:
        assert service.call("GET", f"/account/{ann}").body["balance"] == "100.00"
    assert command.run("verify", data_dir=str(tmp_path)).returncode == 0


async def test_data_survives_when_everything_is_killed_at_once(tmp_path: Path) -> None:
    with _restartable(tmp_path) as services:
        account_ids = await asyncio.to_thread(open_accounts, services[0], 5)
        async with loading(services[0].url, account_ids) as load:
            for _ in range(KILLS):
                await load.more(ANSWERS)
                await asyncio.to_thread(_kill_everything, services[-1], _cluster(tmp_path))
                await load.trouble()
                services.append(await asyncio.to_thread(_start, tmp_path, services[0].port))
            await load.more(ANSWERS)
        with embedded.running(tmp_path) as cluster:
            prove(load, cluster.url())


def _start(data_dir: Path, port: int | None = None) -> Running:
    return start(None, port, data_dir=str(data_dir))


@contextmanager
def _restartable(data_dir: Path) -> Iterator[list[Running]]:
    """A service, and all that were started after it; none is left at the end."""
    services = [_start(data_dir)]
    try:
        yield services
    finally:
        for service in services:
            stop(service)


def _kill_everything(service: Running, cluster: Path) -> None:
    workers = service.workers()
    os.kill(service.process.pid, signal.SIGKILL)  # first, else it would replace the others
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    kill_postmaster(cluster)
    service.process.wait()


def test_a_command_beside_the_service_does_not_stop_the_server_under_it(tmp_path: Path) -> None:
    with serving(None, data_dir=str(tmp_path)) as service:
        [ann] = open_accounts(service, 1)
        for _ in range(2):
            assert command.run("verify", data_dir=str(tmp_path)).returncode == 0
            assert service.call("POST", f"/account/{ann}/payment", {"amount": "1"}).status == 201
        assert service.call("GET", f"/account/{ann}").body["balance"] == "102.00"


def test_a_service_that_stops_leaves_the_server_to_who_still_uses_it(tmp_path: Path) -> None:
    with serving(None, data_dir=str(tmp_path)) as service, embedded.running(tmp_path) as cluster:
        assert stop(service) == 0
        with psycopg.connect(cluster.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not listens(_cluster(tmp_path))


def test_commands_that_all_come_first_make_one_server(tmp_path: Path) -> None:
    commands = [command.start("migrate", data_dir=str(tmp_path)) for _ in range(3)]
    for one in commands:
        with one:
            _, complaint = one.communicate(timeout=60)
            assert one.returncode == 0, complaint
    assert command.run("verify", data_dir=str(tmp_path)).returncode == 0
    assert not listens(_cluster(tmp_path))
