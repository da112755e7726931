"""The start: a database that is away is waited for, one that waiting does not mend refused, a risk kept in sight."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.database import Database
from tests.support.load import open_accounts
from tests.support.outage import Postgres, own_postgres
from tests.support.service import Running, serving, stop, waiting
from tests.support.waiting import wait_until

ANNOUNCED_WITHIN_S = 60


@pytest.fixture(scope="module")
def _own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("waiting")) as postgres:
        yield postgres


@pytest.fixture
def postgres(_own: Postgres) -> Iterator[Postgres]:
    """A server of this file's own, stopped; it runs again after each test."""
    _own.stop()
    yield _own
    _own.start()


def _ended(service: Running) -> int:
    return service.process.wait(ANNOUNCED_WITHIN_S)


def test_a_database_that_is_away_is_waited_for(postgres: Postgres, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with waiting(postgres.service_url, log) as service:
        for request in (
            ("GET", "/health/ready"),
            ("GET", "/account/1"),
            ("POST", "/account", {"email": "ann@example.com"}),
            ("POST", "/transaction", {"source_account_id": 1, "target_account_id": 2, "amount": "1"}),
        ):
            answer = service.call(*request)
            assert (answer.status, answer.body["code"]) == (503, "database-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        assert service.call("GET", "/health/live").status == 200
        assert "waiting for the database" in log.read_text()
        assert "the database is there" not in log.read_text()
        postgres.start()
        service.wait_until_ready()
        assert len(open_accounts(service, 2)) == 2
        assert "the database is there" in log.read_text()
        assert stop(service) == 0


def test_what_waits_is_said_less_and_less_often(postgres: Postgres, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with waiting(postgres.service_url, log, connect_timeout_ms="500"):
        wait_until(lambda: log.read_text().count("still waiting for the database") == 3, "it says so again")
        # First after 1 s, then after 2 and 4 more: attempts are made far more often than that.
        assert 6 <= max(_waited(log)) <= 60
        assert "the background" not in log.read_text(), "it says nothing of its own before there was a database"


def test_a_database_that_goes_away_later_is_said_once_by_each_worker_and_then_seldom(
    postgres: Postgres, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    postgres.start()
    with waiting(postgres.service_url, log) as service:
        service.wait_until_ready()
        postgres.stop()
        wait_until(lambda: log.read_text().count("the background still waits") >= 4, "both say so again")
        began = log.read_text().count("the background waits for the database")
        waited = _waited(log)
        assert began == 2
        assert max(waited) >= 3, "the second time, after twice as long"
        postgres.start()
        wait_until(lambda: log.read_text().count("the background has the database again") == 2, "both say so")


def _waited(log: Path) -> list[int]:
    lines = [line for line in log.read_text().splitlines() if re.search("still (waiting|waits) for the database", line)]
    return [int(line.partition('"waited_s": ')[2].partition(",")[0].rstrip("}")) for line in lines]


def test_a_service_that_waits_can_be_told_to_stop(postgres: Postgres, tmp_path: Path) -> None:
    with waiting(postgres.service_url, tmp_path / "log") as service:
        assert stop(service) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_workers_that_are_replaced_while_all_wait_wait_too(postgres: Postgres, tmp_path: Path) -> None:
    with waiting(postgres.service_url, tmp_path / "log") as service:
        old = service.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(service.workers()) - set(old)) == len(old), "workers are replaced")
        assert service.call("GET", "/account/1").status == 503
        postgres.start()
        service.wait_until_ready()


def test_a_database_that_comes_without_its_schema_is_migrated_before_anybody_uses_it(
    postgres: Postgres, tmp_path: Path
) -> None:
    postgres.start()
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE fresh")
    postgres.stop()
    with waiting(postgres.cluster.url(database="fresh"), tmp_path / "log") as service:
        assert service.call("GET", "/health/ready").status == 503
        postgres.start()
        service.wait_until_ready()
        assert len(open_accounts(service, 1)) == 1


@pytest.mark.parametrize(
    ("role", "name", "said"),
    [
        ("nobody", "postgres", 'role "nobody" does not exist'),
        ("koshel", "nothing", 'database "nothing" does not exist'),
    ],
)
def test_a_database_that_comes_and_is_not_fit_ends_the_service_with_one_line(
    postgres: Postgres, tmp_path: Path, role: str, name: str, said: str
) -> None:
    log = tmp_path / "log"
    with waiting(postgres.cluster.url(role, name), log) as service:
        postgres.start()
        assert _ended(service) == 1
    said_by_koshel = [line for line in log.read_text().splitlines() if line.startswith("koshel: ")]
    assert len(said_by_koshel) == 1
    assert said in said_by_koshel[0]
    assert "Traceback" not in log.read_text()


def test_a_service_that_waits_for_nothing_ever_announces_nothing(postgres: Postgres, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with waiting(postgres.service_url, tmp_path / "log", out) as service:
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        service.process.send_signal(signal.SIGTERM)
        assert _ended(service) == 0
    assert "answers on" not in out.read_text()


def test_an_announcement_comes_with_the_database(postgres: Postgres, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with waiting(postgres.service_url, tmp_path / "log", out) as service:
        postgres.start()
        wait_until(lambda: f'"url":"{service.url}"' in out.read_text(), "an announcement")
        assert service.call("GET", "/health/ready").status == 200


def test_a_risk_that_somebody_knows_of_is_kept_in_sight(database: Database, tmp_path: Path) -> None:
    url = f"{database.service_url}&options=-c%20synchronous_commit%3Doff&keepalives_idle=30"
    log = tmp_path / "log"
    with waiting(url, log, allow_synchronous_commit_off="true") as service:
        ready = service.call("GET", "/health/ready")
        assert (ready.status, ready.body["status"]) == (200, "ok")
        (warning,) = ready.body["warnings"]
        assert warning.startswith("synchronous_commit is off: ")
        assert warning in log.read_text()
        assert "keepalives_idle" in log.read_text()
    with serving(database.service_url) as service:
        assert service.call("GET", "/health/ready").body == {"status": "ok"}
