"""The examples of nginx and Caddy, read as nginx and Caddy read them; what they pass on of a request."""

import http.client
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import crossplane
import pytest

from tests.support.service import free_port
from tests.support.waiting import wait_until

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = (DEPLOY / "nginx" / "koshel.conf").read_text()
CADDY = (DEPLOY / "caddy" / "Caddyfile").read_text()
BESIDE_PYTHON = str(Path(sys.executable).parent)
CALLERS_OWN = {"Forwarded": "for=203.0.113.7", "X-Forwarded-For": "203.0.113.7"}

Directive = dict[str, Any]


def as_nginx(text: str, directory: Path) -> Mapping[str, Any]:
    """What it reads of a file within `http`, with the names, places and numbers of arguments that it knows."""
    (directory / "koshel.conf").write_text(text)
    main = directory / "nginx.conf"
    main.write_text("events {}\nhttp {\n    include koshel.conf;\n}\n")
    checked: dict[str, Any] = {"strict": True, "check_ctx": True, "check_args": True}
    # What is within `map` are values, and no directives.
    read: Mapping[str, Any] = crossplane.parse(str(main), combine=True, ignore=["map"], **checked)
    return read


def blocks(directives: list[Directive]) -> Iterator[list[Directive]]:
    yield directives
    for one in directives:
        yield from blocks(one.get("block", []))


def test_nginx_knows_all_that_its_example_says(tmp_path: Path) -> None:
    assert as_nginx(NGINX, tmp_path)["errors"] == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("keepalive 128;", "keep_alive 128;"),
        ("server_name wallet.example;", "server_name wallet.example; server 127.0.0.1:8080;"),
        ("proxy_next_upstream off;", "proxy_next_upstream;"),
        ("send_timeout            10s;", "send_timeout            10s"),
        ("deny all;\n    }", "deny all;"),
        ("deny all;\n    }", "deny all;\n    }}\n}"),
    ],
    ids=["a name", "a place", "an argument", "a semicolon", "a brace", "a brace too many"],
)
def test_what_nginx_would_not_start_with_is_found(right: str, wrong: str, tmp_path: Path) -> None:
    assert right in NGINX
    assert as_nginx(NGINX.replace(right, wrong), tmp_path)["errors"]


def test_nginx_says_who_its_caller_is_and_passes_no_word_of_the_callers_about_that_on(tmp_path: Path) -> None:
    (http,) = as_nginx(NGINX, tmp_path)["config"]
    passing_on = [block for block in blocks(http["parsed"]) if any(one["directive"] == "proxy_pass" for one in block)]
    assert passing_on
    for block in passing_on:
        said = dict(one["args"] for one in block if one["directive"] == "proxy_set_header")
        assert said["Forwarded"] == "", "an empty one is not sent"
        assert said["X-Forwarded-For"] == "$proxy_add_x_forwarded_for"


@pytest.fixture
def caddy(tmp_path: Path) -> "Caddy":
    program = shutil.which("caddy", path=BESIDE_PYTHON) or shutil.which("caddy")
    if program is None:
        pytest.skip("Caddy is not installed")
    return Caddy(program, tmp_path)


class Caddy:
    """The program, which keeps what it keeps in a directory of the test's."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program, self._path = program, directory / "Caddyfile"
        homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(directory))
        self._environment = {**os.environ, **homes}

    def reads(self, text: str) -> bool:
        """Whether it would start with a file."""
        self._path.write_text(text)
        command = [self._program, "validate", "--adapter", "caddyfile", "--config", str(self._path)]
        return subprocess.run(command, env=self._environment, capture_output=True, check=False).returncode == 0

    @contextmanager
    def serving(self, text: str) -> Iterator[None]:
        self._path.write_text(text)
        command = [self._program, "run", "--adapter", "caddyfile", "--config", str(self._path)]
        with subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL) as running:
            try:
                yield
            finally:
                running.terminate()


def test_caddy_knows_all_that_its_example_says(caddy: Caddy) -> None:
    assert caddy.reads(CADDY)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("dial_timeout 3s", "dial_time_out 3s"),
        ("\tlog\n", "\tlog\n\tdial_timeout 3s\n"),
        ("read_body 10s", "read_body ten"),
        ("header_up -Forwarded", "header_up"),
        ("respond /metrics 403", "respond /metrics 403\n}"),
    ],
    ids=["a name", "a place", "a value", "an argument", "a brace too many"],
)
def test_what_caddy_would_not_start_with_is_found(right: str, wrong: str, caddy: Caddy) -> None:
    assert right in CADDY
    assert not caddy.reads(CADDY.replace(right, wrong))


class Behind(BaseHTTPRequestHandler):
    """What stands behind a proxy, and keeps the headers of the last request."""

    received: Mapping[str, str] = {}

    def do_GET(self) -> None:
        type(self).received = dict(self.headers.items())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def behind() -> Iterator[int]:
    """The port of one that listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Behind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def get(port: int, path: str) -> int:
    """The status; 0 where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=CALLERS_OWN)
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()


def test_caddy_says_who_its_caller_is_and_passes_no_word_of_the_callers_about_that_on(caddy: Caddy) -> None:
    port = free_port()
    with behind() as upstream:
        text = CADDY.replace("{\n", "{\n\tadmin off\n\tauto_https off\n", 1)
        text = text.replace("wallet.example {", f"http://127.0.0.1:{port} {{").replace(
            "127.0.0.1:8080", f"127.0.0.1:{upstream}"
        )
        with caddy.serving(text):
            wait_until(lambda: get(port, "/account/1") == 204, "it passes requests on")
            assert get(port, "/metrics") == 403
    received = {name.lower(): value for name, value in Behind.received.items()}
    assert "forwarded" not in received
    assert received["x-forwarded-for"] == "127.0.0.1"
    assert received["x-request-id"]
