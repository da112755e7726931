"""What `koshel serve` says when it starts: where it answers, on which database, as whom, and what to mind."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from koshel.db.starting import databases
from koshel.db.starting.migrate import migrate
from tests.support import command, ipv6
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.service import STOPS_WITHIN_S
from tests.support.waiting import wait_until

ADDRESS = re.compile(r"answers on(?: |\",\"url\":\")(http://(?:\[[0-9a-f:]+\]|[\d.]+)):(\d+)\b")
KUBERNETES = {
    "KOSHEL_SERVICE_HOST": "10.0.0.1",
    "KOSHEL_SERVICE_PORT": "8080",
    "KOSHEL_PORT_8080_TCP": "tcp://10.0.0.1:8080",
}
# What is listened on, as what it is shown, where it is reached, and whether there is a warning.
IPV4 = [("127.0.0.1", "http://127.0.0.1", ["127.0.0.1"], False), ("0.0.0.0", "http://0.0.0.0", ["127.0.0.1"], True)]
IPV6 = [("[::1]", "http://[::1]", ["[::1]"], False), ("::", "http://[::]", ["[::1]", "127.0.0.1"], True)]


class Started:
    """A service, its address, and what it has logged."""

    def __init__(self, said: str, log: Path) -> None:
        found = ADDRESS.search(said)
        assert found is not None
        self.host, self.port = found[1], int(found[2])
        self._log = log

    def lines(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def reaches(self, host: str, path: str = "/health/live") -> bool:
        url = f"http://{host}:{self.port}{path}"
        done = subprocess.run(["/usr/bin/env", "curl", "-sgf", url], capture_output=True, check=False, timeout=60)
        return done.returncode == 0


@contextmanager
def started(directory: Path, *arguments: str, **variables: str) -> Iterator[Started]:
    """`koshel serve` on any free port."""
    out, log = directory / "out", directory / "log"
    environment = command.environment({"log_format": "json", "access_log": "false"}) | variables
    with out.open("wb") as stdout, log.open("wb") as stderr:
        program = [sys.executable, "-m", "koshel", "serve", "--port", "0", "--workers", "2", *arguments]
        process = subprocess.Popen(program, env=environment, stdout=stdout, stderr=stderr)
    try:
        wait_until(lambda: process.poll() is not None or bool(ADDRESS.search(out.read_text())), "an address")
        assert process.poll() is None, log.read_text()
        yield Started(out.read_text(), log)
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(STOPS_WITHIN_S)
    assert status == 0


@pytest.mark.parametrize(("host", "shown", "reached", "is_warned"), IPV4 + IPV6 if ipv6.HERE else IPV4)
def test_it_answers_where_it_says_and_warns_beyond_loopback(
    database: Database, tmp_path: Path, host: str, shown: str, reached: list[str], *, is_warned: bool
) -> None:
    with started(tmp_path, "--host", host, "--auth", "off", "--database-url", database.service_url) as service:
        assert service.host == shown
        assert all(service.reaches(one) for one in reached)
        warnings = [line for line in service.lines() if line["level"] == "warning"]
        assert [host in line["reason"] for line in warnings] == ([True] if is_warned else [])


def test_told_to_stop_while_it_still_imports_it_stops_in_order(database: Database) -> None:
    program = [sys.executable, "-X", "importtime", "-m", "koshel", "serve", "--port", "0"]
    environment = command.environment({"database_url": database.service_url})
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        # Of what the command itself imports, the first.
        while "koshel.descriptors" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        complained = process.communicate(timeout=STOPS_WITHIN_S)[1]
    assert process.returncode == 0
    assert "Traceback" not in complained


def test_it_says_which_database_it_is_on_and_as_whom(database: Database, tmp_path: Path) -> None:
    with started(tmp_path, "--database-url", database.service_url) as service:
        (line,) = [line for line in service.lines() if line["event"] == "this is the database"]
    assert line["role"] == "koshel_service"
    assert line["version"].split(".")[0].isdecimal()
    assert f"/{line['database']}?" in database.service_url


@pytest.mark.parametrize("lacking", ["INSERT ON receipt", "SELECT ON _yoyo_migration", "USAGE ON SEQUENCE group_id"])
def test_on_its_own_database_it_grants_what_an_older_version_did_not(tmp_path: Path, lacking: str) -> None:
    data_dir = tmp_path / "data"
    with databases.database(None, str(data_dir), None) as at:
        migrate(at.owner_url, service_role=at.service_role)
        execute(at.owner_url, f"REVOKE {lacking} FROM {at.service_role}")
    with started(tmp_path, "--data-dir", str(data_dir)) as service:
        assert service.reaches("127.0.0.1", "/health/ready")


def test_a_variable_of_libpq_counts_for_a_url_that_leaves_it_open(database: Database, tmp_path: Path) -> None:
    names = (
        "SELECT DISTINCT split_part(application_name, ' ', 1) FROM pg_stat_activity WHERE usename = 'koshel_service'"
    )
    with started(tmp_path, "--database-url", database.service_url, PGAPPNAME="shop") as service:
        assert service.reaches("127.0.0.1", "/health/ready")  # over a connection of a worker's
        with psycopg.connect(database.owner_url) as connection:
            assert ("shop",) in connection.execute(names).fetchall()


def test_a_variable_of_libpq_that_cannot_be_honoured_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    ended = command.run("serve", port="0", database_url=database.service_url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "asyncpg, cannot do channel_binding=require" in ended.stderr


def test_beside_a_service_of_kubernetes_it_starts_and_says_so_in_one_line(database: Database, tmp_path: Path) -> None:
    with started(tmp_path, "--database-url", database.service_url, **KUBERNETES) as service:
        (line,) = [line for line in service.lines() if "Kubernetes" in line["event"]]
    assert line["variables"] == sorted(KUBERNETES)
