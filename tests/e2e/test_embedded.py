"""The PostgreSQL that comes along: what is in it stays, however the processes around it end."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from koshel.db.server import embedded
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


def test_the_environments_other_databases_do_not_reach_the_embedded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {
        "PGHOST": "elsewhere.invalid",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": "1",
        "PGUSER": "somebody",
        "PGDATABASE": "nothing",
        "PGPASSWORD": "secret",
        "PGSERVICE": "nowhere",
        "PGOPTIONS": "-c default_transaction_read_only=on -c synchronous_commit=off",
        "PGSSLMODE": "verify-full",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGCHANNELBINDING": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCLIENTENCODING": "LATIN1",
        "PGTZ": "Asia/Tokyo",
        "PGDATESTYLE": "German",
        "PGDATA": "nowhere",
    }
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    for arguments in (["migrate"], ["currency", "add", "POINTS", "--scale", "0"], ["verify"]):
        ended = command.run(*arguments, data_dir=str(tmp_path))
        assert (ended.returncode, ended.stderr) == (0, "")
    with serving(None, data_dir=str(tmp_path)) as service:
        opened = service.call("POST", "/account", {"email": "ann@example.com", "currency": "POINTS"})
        assert opened.status == 201


def test_a_server_that_was_killed_is_started_again_under_its_service(tmp_path: Path) -> None:
    with serving(None, data_dir=str(tmp_path)) as service:
        [ann] = open_accounts(service, 1)
        for _ in range(KILLS):
            kill_postmaster(_cluster(tmp_path))
            service.wait_until_ready()
            assert service.call("POST", f"/account/{ann}/payment", {"amount": "1"}).status == 201
        assert service.call("GET", f"/account/{ann}").body["balance"] == "102.00"
    assert not listens(_cluster(tmp_path))


def test_a_service_that_is_told_to_stop_does_not_start_a_killed_server_again(tmp_path: Path) -> None:
    with serving(None, data_dir=str(tmp_path)) as service:
        kill_postmaster(_cluster(tmp_path))
        assert stop(service) == 0
    assert not listens(_cluster(tmp_path))
