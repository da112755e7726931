"""What the start says and checks: who can reach the service, whether its connections fit."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from koshel.config import address, exposure
from koshel.config.settings import Settings
from koshel.db.server.embedded import Cluster
from koshel.db.starting import standing
from koshel.db.starting.proof import Inspected
from koshel.serving import startup
from tests.support import command
from tests.support.database import Database

FOUND = Inspected(
    database="koshel", role="koshel_service", version="18.1", room=97, due=[], unknown=[], unsafe=[], advice=[]
)


@pytest.fixture
def narrow(cluster: Cluster, database: Database) -> Iterator[str]:
    """The database, for a role that may connect three times at once."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 3 IN ROLE koshel_service")
        yield database.owner_url.replace("//koshel@", "//narrow@")
        connection.execute("DROP ROLE narrow")


def logged(output: str) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("[::]", False),
        ("192.0.2.1", False),
        ("no.such.name.invalid", False),
    ],
)
def test_who_listens_beyond_this_machine_is_warned(host: str, *, is_loopback: bool) -> None:
    assert address.is_loopback(host) == is_loopback
    with capture_logs() as log:
        startup.warn_of_strangers(Settings(host=host))  # where keys are asked for
        startup.warn_of_strangers(Settings(host=host, auth="off"))
    assert [(line["log_level"], host in line["reason"]) for line in log] == ([] if is_loopback else [("warning", True)])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, None),
        ({"allowed_origins": "http://localhost:3000, http://127.0.0.1, http://[::1]:9, https://a.localhost"}, None),
        ({"allowed_origins": "http://localhost, https://wallet.example"}, "https://wallet.example"),
        ({"allowed_origins": "https://[2001:db8::1]:8443"}, "https://[2001:db8::1]:8443"),
        ({"allowed_origins": "http://127.0.0.1.example"}, "http://127.0.0.1.example"),
        ({"trusted_proxies": "127.0.0.1"}, "KOSHEL_TRUSTED_PROXIES"),
        ({"host": "0.0.0.0"}, "0.0.0.0"),
    ],
)
def test_a_service_on_loopback_is_reached_by_others_if_a_proxy_stands_before_it(
    said: dict[str, Any], reason: str | None
) -> None:
    found = exposure.reached_by(Settings(**said))
    assert found is None if reason is None else found is not None and reason in found


def test_what_kubernetes_made_is_said_in_one_line() -> None:
    with capture_logs() as log:
        startup.say_what_is_passed_over({"KOSHEL_PORT": "tcp://10.0.0.1:80", "KOSHEL_SERVICE_HOST": "10.0.0.1"})
        startup.say_what_is_passed_over({"KOSHEL_PORT": "80"})
    assert [line["variables"] for line in log] == [["KOSHEL_PORT", "KOSHEL_SERVICE_HOST"]]


def test_connections_that_fit_are_not_spoken_of() -> None:
    with capture_logs() as log:
        standing.check_connections(FOUND, startup.wanted(Settings(workers=6)))  # 84 of 97
    assert log == []


def test_connections_that_may_not_fit_are_warned_of_with_the_settings_to_change() -> None:
    with capture_logs() as log:
        standing.check_connections(FOUND, startup.wanted(Settings(workers=7, auth="off")))
    (line,) = log
    assert line["log_level"] == "warning"
    assert line["event"] == (
        "the workers may open 98 connections, and koshel_service has room for 97: raise PostgreSQL's "
        "max_connections, or lower one of KOSHEL_WORKERS (7), KOSHEL_SETTLE_CONNECTIONS (8), "
        "KOSHEL_READ_CONNECTIONS (4), KOSHEL_REHEARSAL_CONNECTIONS (2)"
    )


def test_a_start_is_refused_where_each_worker_could_not_even_settle_and_read() -> None:
    wanted = startup.wanted(Settings(workers=2, settle_connections=2, read_connections=1, rehearsal_connections=1))
    standing.check_connections(replace(FOUND, room=4), wanted)
    with pytest.raises(standing.TooFewConnections, match=r"room for 3: .* KOSHEL_WORKERS \(2\)"):
        standing.check_connections(replace(FOUND, room=3), wanted)


def test_a_start_that_is_refused_is_said_in_one_line_after_the_database(narrow: str) -> None:
    ended = command.run("serve", port="0", workers="2", database_url=narrow)
    assert ended.returncode == 1
    assert [line["role"] for line in logged(ended.stderr)] == ["narrow"]
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("koshel: the workers may open 30 connections, and narrow has room for 3: ")
