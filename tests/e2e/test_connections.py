"""Connections: however many there are and whatever they do not do, others are answered."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.command import run
from tests.support.database import Database
from tests.support.launch import launched, serving_into
from tests.support.service import Running, stop
from tests.support.waiting import wait_until

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEGUN = b"POST /account/1/payment HTTP/1.1\r\nHost: localhost\r\n"
DESCRIPTORS = 200  # of which a worker needs some itself
BATCH = 100  # requests that are sent together by who does not read


def connect(service: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=60)


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has not closed it."""
    connection.settimeout(0)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False
    finally:
        connection.settimeout(60)


def ask(connection: socket.socket) -> bytes:
    connection.sendall(LIVE)
    return connection.recv(65_536)


@contextmanager
def crowd(service: Running, number: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(service)) for _ in range(number)]


def test_400_idle_connections_against_200_descriptors_shut_nobody_out(database: Database, tmp_path: Path) -> None:
    with serving_into(tmp_path, database.service_url, descriptors=DESCRIPTORS, workers="1") as (service, _, err):
        with crowd(service, 2 * DESCRIPTORS) as silent:
            began = time.monotonic()
            for _ in range(40):
                assert service.call("GET", "/health/live").status == 200
            assert service.call("POST", "/account", {"email": "ann@example.com"}).status == 201
            assert time.monotonic() - began < 20
            opened = [is_open(connection) for connection in silent]
        # Those that were idle longest have gone, the others have not.
        assert not any(opened[:DESCRIPTORS])
        assert all(opened[-50:])
    events = [json.loads(line)["event"] for line in err.read_text().splitlines()]
    assert len([event for event in events if event.startswith("too many connections")]) == 1
    assert events.count("there is room for connections again") == 1


def test_who_talks_now_and_then_stays_and_who_has_been_silent_longest_goes(database: Database) -> None:
    with launched(database.service_url, workers="1", connections_max="20") as service, crowd(service, 20) as first:
        for connection in first:
            assert b" 200 OK" in ask(connection)
        time.sleep(0.05)  # what is waited for is the clock itself
        assert b" 200 OK" in ask(first[0])
        with crowd(service, 10):
            wait_until(lambda: sum(map(is_open, first)) == 10, "ten are closed")
            assert is_open(first[0])
            assert b" 200 OK" in ask(first[0])


def test_if_all_are_in_the_middle_of_a_request_the_new_one_is_closed(database: Database) -> None:
    settings = {"workers": "1", "connections_max": "5", "receive_timeout_ms": "60000"}
    with launched(database.service_url, **settings) as service, crowd(service, 5) as asking:
        for connection in asking:
            connection.sendall(LIVE[:20])
        time.sleep(0.3)  # so that they arrive
        assert is_refused(service)
        for connection in asking:
            connection.sendall(LIVE[20:])
            assert b" 200 OK" in connection.recv(65_536)


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (BEGUN + b"User-Agent: ", b"a"),
        (BEGUN.replace(b"POST", b"GET") + b"User-Agent: ", b"a"),
        (BEGUN + b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n", b" "),
    ],
    ids=["a head", "a head of the general lane", "a body"],
)
def test_who_sends_a_byte_now_and_then_shuts_nobody_out_for_long(database: Database, begun: bytes, more: bytes) -> None:
    settings = {"workers": "1", "connections_max": "3", "receive_timeout_ms": "2000"}
    with launched(database.service_url, **settings) as service, crowd(service, 3) as slow:
        for connection in slow:
            connection.sendall(begun)
        trickle(slow, more, within_s=0.3)  # and meanwhile what has begun arrives
        assert is_refused(service)
        began = time.monotonic()
        while is_refused(service):
            trickle(slow, more, within_s=0.5)
            assert time.monotonic() - began < 20


def trickle(connections: list[socket.socket], piece: bytes, *, within_s: float) -> None:
    """Send the piece over each, again and again, for so long."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        for connection in connections:
            with suppress(OSError):  # it has been cut off
                connection.sendall(piece)
        time.sleep(0.02)  # what is tested is slowness itself


def is_refused(service: Running) -> bool:
    with connect(service) as new:
        try:
            return ask(new) == b""
        except ConnectionError:
            return True


def test_who_begins_no_request_is_cut_off(database: Database) -> None:
    settings = {"first_byte_timeout_ms": "500"}
    with launched(database.service_url, **settings) as service, connect(service) as silent, connect(service) as talking:
        assert b" 200 OK" in ask(talking)
        began = time.monotonic()
        assert silent.recv(1) == b""
        assert time.monotonic() - began < 30  # and not keepalive_timeout_s
        assert b" 200 OK" in ask(talking)  # it has spoken once


def test_who_begins_a_head_at_once_and_goes_no_further_is_cut_off(database: Database) -> None:
    with launched(database.service_url, receive_timeout_ms="500") as service, ExitStack() as stack:
        begun = []
        for _ in range(50):
            begun.append(stack.enter_context(connect(service)))
            begun[-1].sendall(b"G")  # now and then it is there before the connection has been taken
        began = time.monotonic()
        assert {connection.recv(1) for connection in begun} == {b""}
        assert time.monotonic() - began < 30  # and not keepalive_timeout_s


def test_more_connections_than_descriptors_are_refused_at_the_start() -> None:
    done = run("serve", database_url="postgresql://127.0.0.1:1/none", connections_max="10000000")
    assert done.returncode == 1
    assert "KOSHEL_CONNECTIONS_MAX: a worker with 10000000 connections needs" in done.stderr


def payment(service: Running) -> bytes:
    """A request that goes through the express lane."""
    account = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
    head = f"POST /account/{account}/payment HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f'{head}Content-Length: 13\r\n\r\n{{"amount": 1}}'.encode()


def flood(connection: socket.socket, request: bytes = LIVE) -> int:
    """Ask and ask and never read, until no more is taken; how often it was asked."""
    connection.settimeout(1)
    asked = 0
    try:
        while True:
            connection.sendall(request * BATCH)
            asked += BATCH
    except (TimeoutError, ConnectionError):
        return asked


@pytest.mark.parametrize("ask_for", [lambda _: LIVE, payment], ids=["general", "express"])
def test_who_never_reads_is_cut_off_and_costs_the_others_nothing(
    database: Database, tmp_path: Path, ask_for: Callable[[Running], bytes]
) -> None:
    settings = {"workers": "1", "send_timeout_ms": "2000", "access_log": "false"}
    with serving_into(tmp_path, database.service_url, **settings) as (service, _, err), connect(service) as greedy:
        assert flood(greedy, ask_for(service)) > BATCH
        began = time.monotonic()
        with connect(service) as other:
            for _ in range(500):
                assert b" 200 OK" in ask(other)
        assert time.monotonic() - began < 20
        wait_until(lambda: "does not read its answers" in err.read_text(), "it is cut off")


def test_a_stop_does_not_wait_for_who_never_reads(database: Database) -> None:
    settings = {"send_timeout_ms": "60000", "access_log": "false"}
    with launched(database.service_url, **settings) as service, ExitStack() as stack:
        for _ in range(4):  # so that both workers have some
            flood(stack.enter_context(connect(service)), payment(service))
            flood(stack.enter_context(connect(service)))
        began = time.monotonic()
        assert stop(service) == 0
        assert time.monotonic() - began < 10  # and not shutdown_timeout_s


def test_a_stop_waits_for_who_reads_slowly(database: Database) -> None:
    with launched(database.service_url, workers="1", access_log="false") as service, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # so that little of the answer is on its way
        slow.settimeout(60)
        slow.connect(("127.0.0.1", service.port))
        slow.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = slow.recv(100)
        service.process.send_signal(signal.SIGTERM)
        while chunk := slow.recv(4_096):
            received += chunk
            time.sleep(0.02)  # it is slow
        assert stop(service) == 0
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.endswith(f"Content-Length: {len(body)}".encode())
    assert json.loads(body)["openapi"]
