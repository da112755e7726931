"""The processes: each worker has a socket of its own, and the port stays the same whoever dies."""

import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.launch import address, serving_into
from tests.support.service import Running, stop
from tests.support.waiting import wait_until

CONNECTIONS = 40  # of two sockets, each gets some


def answered(service: Running) -> list[int]:
    """The statuses of requests that are asked at once, each over a connection of its own; none may hang."""
    with ThreadPoolExecutor(CONNECTIONS) as callers:
        return list(callers.map(lambda _: service.call("GET", "/health/live").status, range(CONNECTIONS)))


def levels(stream: Path) -> set[str]:
    """The levels of what was logged."""
    return {json.loads(line)["level"] for line in stream.read_text().splitlines()}


def test_any_port_can_be_asked_for_and_stays_when_every_worker_dies(database: Database, tmp_path: Path) -> None:
    out = tmp_path / "out"
    environment = os.environ | {"KOSHEL_DATABASE_URL": database.service_url, "KOSHEL_PORT": "0", "KOSHEL_WORKERS": "2"}
    with out.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-m", "koshel", "serve"], env=environment, stdout=stdout)
    try:
        wait_until(lambda: address(out.read_text()) is not None, "an address")
        found = address(out.read_text())
        assert found is not None
        service = Running(process, int(found[1]))
        service.wait_until_ready()
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        first = service.workers()
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        # The sockets are the master's: this call waits for the next workers instead of being refused.
        assert service.call("GET", "/health/live").status == 200
        wait_until(lambda: len(set(service.workers()) - set(first)) == 2, "two new workers")
    finally:
        assert stop(Running(process, 0)) == 0


@pytest.mark.parametrize("sent", [signal.SIGTTOU, signal.SIGTTIN, signal.SIGUSR2])
def test_the_number_of_workers_stays_that_of_the_sockets(database: Database, tmp_path: Path, sent: int) -> None:
    with serving_into(tmp_path, database.service_url) as (service, _, err):
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        first = service.workers()
        service.process.send_signal(sent)
        wait_until(lambda: f"{signal.Signals(sent).name} is ignored" in err.read_text(), "it says so")
        assert answered(service) == [200] * CONNECTIONS
        assert service.workers() == first


def test_after_a_reload_every_socket_has_a_worker_even_if_one_was_killed_before(
    database: Database, tmp_path: Path
) -> None:
    with serving_into(tmp_path, database.service_url) as (service, _, err):
        for killed in (0, 1):
            wait_until(lambda: len(service.workers()) == 2, "two workers")
            before = service.workers()
            service.process.send_signal(signal.SIGSTOP)  # so that it hears of both at once
            os.kill(before[killed], signal.SIGKILL)
            service.process.send_signal(signal.SIGHUP)
            service.process.send_signal(signal.SIGCONT)
            wait_until(lambda: len(set(service.workers()) - set(before)) == 2, "two new workers")  # noqa: B023
            assert answered(service) == [200] * CONNECTIONS
            wait_until(lambda: not set(service.workers()) & set(before), "the old ones go")  # noqa: B023
            assert answered(service) == [200] * CONNECTIONS
        assert err.read_text().count("Handling signal: hup") == 2


def test_what_waits_for_a_worker_that_died_is_answered_by_the_next(database: Database, tmp_path: Path) -> None:
    with serving_into(tmp_path, database.service_url) as (service, _, _):
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        first = service.workers()
        for pid in first:
            os.kill(pid, signal.SIGSTOP)
        with ThreadPoolExecutor() as thread:
            waiting = thread.submit(answered, service)
            # None of them can be answered before its worker is killed, and those that wait in a queue must be after.
            wait_until(lambda: in_queues(service.port) >= CONNECTIONS, "all wait")
            for pid in first:
                os.kill(pid, signal.SIGKILL)
            assert waiting.result() == [200] * CONNECTIONS


def test_while_a_worker_that_was_told_to_stop_is_busy_another_serves_its_socket(
    database: Database, tmp_path: Path
) -> None:
    with serving_into(tmp_path, database.service_url, workers="1") as (service, _, err):
        (first,) = service.workers()
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as caller:
            head = b"POST /account HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9"
            caller.sendall(head + b"\r\n\r\n{")
            assert service.call("GET", "/health/live").status == 200  # so what was sent before is there too
            os.kill(first, signal.SIGTERM)
            wait_until(lambda: len(service.workers()) == 2, "another worker")
            assert first in service.workers(), "it waits for the rest of the request"
            assert service.call("GET", "/health/live").status == 200
        wait_until(lambda: first not in service.workers(), "the first one goes")
        assert len(service.workers()) == 1
    assert err.read_text().count(f"http://127.0.0.1:{service.port}") == 1, "of one address gunicorn speaks once"


def in_queues(port: int) -> int:
    """Connections to a port of loopback that nobody has accepted yet."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [row for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"]
    return sum(int(row[4].partition(":")[2], 16) for row in listening)


@pytest.mark.parametrize("whole_group", [False, True], ids=["as a supervisor does", "as Ctrl-C does"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_normal_stop_says_nothing_of_errors(
    database: Database, tmp_path: Path, sent: int, *, whole_group: bool
) -> None:
    with serving_into(tmp_path, database.service_url) as (service, out, err):
        assert answered(service) == [200] * CONNECTIONS
        if whole_group:
            for pid in service.workers():
                os.kill(pid, sent)
        service.process.send_signal(sent)
        assert service.process.wait(60) == 0
    assert levels(err) == {"info"}
    assert "rror" not in err.read_text()
    events = [json.loads(line)["event"] for line in out.read_text().splitlines()]  # nothing but JSON
    assert sorted(set(events)) == ["answers on", "request"]
