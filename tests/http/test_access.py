"""The access log: a line for every request, whoever answered it."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from yarl import URL

from koshel.callers import ANYBODY, Caller, Scope
from koshel.config.proxies import Proxies
from koshel.http.connection.access import GATHERED_MAX, AccessLog, Answered, shown
from koshel.http.connection.watch import Watch, Watcher
from koshel.line_writer import LineWriter
from koshel.streams import Streams
from koshel.telemetry.metrics import NO_ROUTE
from tests.support.database import Database
from tests.support.launch import serving_into


def lines_of(database: Database, tmp_path: Path, log_format: str) -> list[str]:
    """Standard output of a service that answered six requests, which the client numbered, and was told to stop."""
    withdrawal = ("POST", "/account/1/withdrawal", {"amount": "1"})
    with serving_into(tmp_path, database.service_url, log_format=log_format) as (service, out, err):
        service.call("POST", "/account", {"email": "ann@example.com"}, X_Request_Id='1"')
        service.call("GET", "/account/1", X_Request_Id="2")
        service.call(*withdrawal, X_Request_Id="3")  # in the express lane
        service.call(*withdrawal, X_Request_Id="4", Origin="https://shop.example")
        service.call("PATCH", "/account/1", {"email": "not an address@example.com"}, X_Request_Id="5")
        service.call("GET", "/nowhere?secret=1", X_Request_Id="6")
    assert "@example.com" not in out.read_text() + err.read_text()
    return out.read_text().splitlines()


def test_everything_on_standard_output_is_json_and_every_request_is_a_line(database: Database, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in lines_of(database, tmp_path, "json")]
    (address,) = [line for line in lines if line["event"] != "request"]
    requests = sorted(
        (line for line in lines if line["event"] == "request" and line["path"] != "/health/ready"),
        key=lambda line: str(line["request_id"]),  # two workers write when they like, in the same millisecond too
    )
    assert address.keys() == {"time", "event", "url"}
    assert address["event"] == "answers on"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address["url"])
    names = ("method", "path", "status", "ledger", "route", "code")
    told = [tuple(r.get(name) for name in names) for r in requests]
    withdrawal = ("POST", "/account/1/withdrawal")
    assert told == [
        ("POST", "/account", 201, "main", "POST /account", None),
        ("GET", "/account/1", 200, "main", "GET /account/{id}", None),
        (*withdrawal, 409, "main", "POST /account/{id}/withdrawal", "insufficient-funds"),
        (*withdrawal, 403, None, "POST /account/{id}/withdrawal", "cross-site"),
        ("PATCH", "/account/1", 422, "main", "PATCH /account/{id}", "validation-failed"),
        ("GET", "/nowhere", 404, None, None, "not-found"),
    ]
    assert {(r["event"], r["remote"]) for r in requests} == {("request", "127.0.0.1")}
    assert [r["path"] for r in requests if "batch" in r] == ["/account", "/account/1/withdrawal"]
    assert not [r for r in requests if "key" in r]
    assert [r["request_id"] for r in requests] == ['1"', "2", "3", "4", "5", "6"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", r["time"]) for r in requests)
    assert all(isinstance(r["duration_ms"], int) for r in requests)


def test_a_person_reads_an_address_and_a_line_for_each(database: Database, tmp_path: Path) -> None:
    lines = lines_of(database, tmp_path, "console")
    assert any(re.fullmatch(r"Koshel answers on http://127\.0\.0\.1:\d+", line) for line in lines)
    for request_line in (r"POST '/account' 201 \d+ ms", r"GET  '/nowhere' 404 \d+ ms"):
        assert any(re.search(request_line, line) for line in lines), lines
    assert not any(line.startswith("{") for line in lines)


@contextmanager
def into_pipe(*, as_json: bool) -> Iterator[tuple[int, AccessLog]]:
    """A pipe to read from, and a log that is written into it."""
    reader, descriptor = os.pipe()
    writer = LineWriter(descriptor, bytes_max=100_000, lost=lambda count: b"%d lost\n" % count)
    yield reader, AccessLog(Streams(writer, writer, as_json=as_json), Proxies(""))
    os.close(reader)
    os.close(descriptor)


@pytest.fixture
def piped() -> Iterator[tuple[int, AccessLog]]:
    with into_pipe(as_json=True) as pipe:
        yield pipe


@pytest.fixture
def console() -> Iterator[tuple[int, AccessLog]]:
    with into_pipe(as_json=False) as pipe:
        yield pipe


async def test_a_person_reads_all_that_the_json_has(console: tuple[int, AccessLog]) -> None:
    reader, log = console
    caller = Caller(7, "shop", Scope.WRITE, "jwt:till 7")
    log.write(
        Answered(
            *("POST", "/account/7/withdrawal", "POST /account/{id}/withdrawal", 409, "insufficient-funds", "a-1"),
            *(caller, "0b1f7c1e", "127.0.0.1", 0.0129, "4bf92f35"),
        )
    )
    log.write(Answered("GET", "/nowhere", NO_ROUTE, 404, "not-found", "a-2", None, None, "::1", 0.0))
    log.write(answered(name="a-3", caller=ANYBODY, remote="::1"))
    log.flush()
    whole, bare, open_to_all = (line.partition(" ")[2] for line in os.read(reader, 65_536).decode().splitlines())
    assert whole == (
        "POST '/account/7/withdrawal' 409 12 ms  a-1  127.0.0.1  insufficient-funds"
        "  route=/account/{id}/withdrawal  ledger=shop  key='jwt:till 7'  batch=0b1f7c1e  trace_id=4bf92f35"
    )
    assert bare == "GET  '/nowhere' 404 0 ms  a-2  ::1  not-found"
    assert open_to_all == "GET  '/health/live' 200 12 ms  a-3  ::1  route=/health/live  ledger=main"


def answered(
    method: str = "GET",
    path: str = "/health/live",
    status: int = 200,
    name: str | None = None,
    *,
    caller: Caller | None = None,
    batch_id: str | None = None,
    remote: str | None = None,
) -> Answered:
    """A request that took 12.9 ms."""
    return Answered(method, path, f"{method} {path}", status, None, name, caller, batch_id, remote, 0.0129)


@pytest.mark.parametrize(("trusted", "client"), [("", "127.0.0.1"), ("10.0.0.0/8,127.0.0.1", "203.0.113.7")])
def test_the_client_is_whom_a_trusted_proxy_names_whichever_way_a_request_takes(
    database: Database, tmp_path: Path, trusted: str, client: str
) -> None:
    limits = {"trusted_proxies": trusted, "log_format": "json", "auth": "off"}
    with serving_into(tmp_path, database.service_url, **limits) as (service, out, _):
        service.call("POST", "/account", {"email": "ann@example.com"}, X_Forwarded_For="1.1.1.1, 203.0.113.7, 10.1.1.1")
        service.call("POST", "/account/1/payment", {"amount": "1"}, X_Forwarded_For="1.1.1.1, 203.0.113.7")
        head = "Host: 127.0.0.1\r\nForwarded: for=203.0.113.7\r\nContent-Type: application/json\r\nContent-Length: 13"
        with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
            connection.sendall(f'POST /account/1/payment HTTP/1.1\r\n{head}\r\n\r\n{{"amount": 1}}'.encode())
            assert connection.recv(1_000).startswith(b"HTTP/1.1 201 ")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["remote"] for line in lines if line.get("method") == "POST"] == [client] * 3


async def test_a_line_waits_for_others_but_not_for_long(piped: tuple[int, AccessLog]) -> None:
    reader, log = piped
    log.write(answered())
    caller = Caller(7, "shop", Scope.WRITE, "3")
    log.write(answered("POST", "/account", 201, "name", caller=caller, batch_id="b", remote="::1"))
    received = await asyncio.to_thread(os.read, reader, 65_536)
    first, second = map(json.loads, received.splitlines())
    assert (first["duration_ms"], first["request_id"], first["remote"]) == (12, None, None)
    assert (second["method"], second["path"], second["status"], second["remote"]) == ("POST", "/account", 201, "::1")
    assert (second["ledger"], second["key"], second["batch"]) == ("shop", "3", "b")


async def test_a_path_that_is_not_utf_8_is_a_line_too(piped: tuple[int, AccessLog]) -> None:
    reader, log = piped
    logger = Watcher(Watch(log, counts=False), "")  # type: ignore[arg-type]
    request = make_mocked_request("GET", "/")
    request._rel_url = URL.build(path="/\udcff" + "a" * 2_000, encoded=True)
    logger.log(request, web.Response(), 0)
    line = json.loads(await asyncio.to_thread(os.read, reader, 65_536))
    assert line["path"].startswith("/\\udcffaaa")
    assert len(line["path"]) < 1_100


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/account/ann@example.com/payment", "/account/…/payment"),
        ("/key/koshel_live_" + "a" * 49, "/key/…"),
        ("/account/eyJhbGciOiJub25lIn0.e30./payment", "/account/…/payment"),
        ("/account/eyJhbGci", "/account/eyJhbGci"),
        ("/account/@users:42/payment", "/account/@users:42/payment"),
        ("/account/ann%40example.com/payment", "/account/…/payment"),
        ("/account/ann%252540example.com", "/account/…"),
        ("/key/koshel%5flive_" + "a" * 49, "/key/…"),
        ("/account/%" + "25" * 9 + "40", "/account/…"),
        ("/account/100%", "/account/100%"),
        ("/account/7", "/account/7"),
        ("/" + "a" * 990 + "/ann@example.com", "/" + "a" * 990 + "/…"),
    ],
)
def test_a_key_a_jwt_or_an_email_in_a_path_is_not_shown(path: str, line: str) -> None:
    assert shown(path) == line


async def test_many_lines_do_not_wait(piped: tuple[int, AccessLog]) -> None:
    reader, log = piped
    path = "/" + "a" * (GATHERED_MAX // 2)
    for _ in range(2):
        log.write(answered(path=path))
    assert path in (await asyncio.to_thread(os.read, reader, 65_536)).decode()
