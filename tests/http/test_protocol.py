"""Below the routes: what is too big, too slow or not HTTP at all."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from koshel.http.problems import PROBLEMS
from tests.http.conftest import OpenAccount
from tests.support.service import Running


@contextmanager
def connected(service: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def problem_in(received: bytes) -> dict[str, Any]:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, received[:500]
    assert b"X-Request-Id" in head
    problem: dict[str, Any] = json.loads(body)
    assert int(head.split(b" ")[1]) == PROBLEMS[problem["code"]].status
    return problem


def post(account_id: int, *headers: str) -> bytes:
    head = [
        f"POST /account/{account_id}/payment HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"hello\r\n\r\n", "malformed-request"),
        (b"GET / HTTP/9.9\r\n\r\n", "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n", "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "malformed-request"),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", "headers-too-large"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 10_000 + b"\r\n\r\n", "headers-too-large"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: a\r\n" * 1_000 + b"\r\n", "malformed-request"),
    ],
)
def test_what_is_not_http_gets_a_problem(service: Running, sent: bytes, code: str) -> None:
    with connected(service) as connection:
        connection.sendall(sent)
        assert problem_in(until_closed(connection))["code"] == code


@pytest.mark.parametrize(
    "sent",
    [
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/html\r\nContent-Type: text/html\r\n\r\n",
    ],
)
def test_what_is_refused_before_it_is_a_request_is_told_all_that_it_may_be(service: Running, sent: bytes) -> None:
    with connected(service) as connection:
        connection.sendall(sent)
        problem = problem_in(until_closed(connection))
    assert problem["detail"] == (
        "The request is not valid HTTP, has no Host, too many header lines, or a header twice that may come once."
    )


@pytest.mark.parametrize("expected", [b"foo", b"100-continue, foo", b"200-ok"])
def test_nothing_is_expected_but_to_continue(service: Running, open_account: OpenAccount, expected: bytes) -> None:
    account_id = open_account()
    with connected(service) as connection:
        connection.sendall(post(account_id, "Content-Length: 13")[:-2] + b"Expect: " + expected + b"\r\n\r\n")
        connection.sendall(b'{"amount": 1}')
        problem = problem_in(until_closed(connection))
    assert problem["code"] == "malformed-request"
    assert problem["detail"] == "The only Expect that is met here is 100-continue."
    assert service.call("GET", f"/account/{account_id}").body["version"] == 0


def test_who_expects_to_continue_is_told_to(service: Running, open_account: OpenAccount) -> None:
    sent = post(open_account(), "Content-Length: 13", "Expect: 100-Continue", "Connection: close")
    with connected(service) as connection:
        connection.sendall(sent)
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b'{"amount": 1}')
        assert until_closed(connection).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("declared", [True, False], ids=["with a length", "in chunks"])
def test_a_body_of_ten_megabytes_is_refused(service: Running, open_account: OpenAccount, *, declared: bool) -> None:
    size = 10_000_000
    with connected(service) as connection:
        try:
            if declared:
                connection.sendall(post(open_account(), f"Content-Length: {size}"))
                connection.sendall(b" " * size)
            else:
                connection.sendall(post(open_account(), "Transfer-Encoding: chunked"))
                for _ in range(size // 50_000):
                    connection.sendall(b"c350\r\n" + b" " * 50_000 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may hang up before all is sent
        assert problem_in(until_closed(connection))["code"] == "body-too-large"


def test_a_body_without_length_is_an_empty_one(service: Running, open_account: OpenAccount) -> None:
    with connected(service) as connection:
        connection.sendall(post(open_account(), "Connection: close"))
        problem = problem_in(until_closed(connection))
    assert (problem["code"], problem["detail"]) == ("malformed-json", "The body is empty.")


def test_a_body_may_come_in_chunks(service: Running, open_account: OpenAccount) -> None:
    account_id = open_account()
    with connected(service) as connection:
        connection.sendall(post(account_id, "Transfer-Encoding: chunked", "Connection: close"))
        for chunk in (b"5\r\n", b'{"amo\r\n', b"9\r\n", b'unt": 12}\r\n', b"0\r\n\r\n"):
            connection.sendall(chunk)
            time.sleep(0.02)  # so that they arrive one by one
        assert b"HTTP/1.1 201" in until_closed(connection)
    assert service.call("GET", f"/account/{account_id}").body["balance"] == "12.00"


def test_a_head_that_trickles_in_is_cut_off(service: Running) -> None:
    with connected(service) as connection:
        started = time.monotonic()
        connection.sendall(b"GET /health/live HTTP/1.1\r\n")
        time.sleep(0.1)
        connection.sendall(b"Host: localhost\r\n")
        connection.settimeout(20)
        assert until_closed(connection) == b""
        assert time.monotonic() - started < 15


def test_a_body_that_does_not_come_is_not_waited_for(service: Running, open_account: OpenAccount) -> None:
    account_id = open_account()
    with connected(service) as connection:
        connection.sendall(post(account_id, "Content-Length: 100") + b'{"amount"')
        assert problem_in(until_closed(connection))["code"] == "request-timeout"
    assert service.call("GET", f"/account/{account_id}").body["version"] == 0


def test_a_connection_serves_many_requests_and_an_idle_one_is_closed(service: Running) -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(service) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(65_536).endswith(b'{"status":"ok"}\n')
        connection.sendall(request * 3)
        received = b""
        while received.count(b'{"status":"ok"}') < 3:
            received += connection.recv(65_536)
        assert until_closed(connection) == b""


def test_who_hangs_up_leaves_nothing_half_done(service: Running, open_account: OpenAccount) -> None:
    account_id = open_account()
    body = b'{"amount": 1}'
    for _ in range(50):
        with connected(service) as connection:
            connection.sendall(post(account_id, f"Content-Length: {len(body)}") + body)
    account = service.call("GET", f"/account/{account_id}").body
    assert account["balance"] == f"{account['version']}.00"


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("a" * 128, True), ("a" * 129, False), ("two words", False)]
)
def test_a_request_has_a_name(service: Running, given: str, *, kept: bool) -> None:
    named = service.call("GET", "/health/live", X_Request_Id=given).headers["X-Request-Id"]
    assert (named == given) is kept
    unnamed = [service.call("GET", "/health/live").headers["X-Request-Id"] for _ in range(20)]
    assert len(set(unnamed)) == 20
