"""Koshel as its users run it: real processes over a real PostgreSQL, on a free port of loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.support import documented

STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 40


class Answer(NamedTuple):
    """One reply."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Running:
    """A running `koshel serve`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request over a connection of its own, and an answer as the OpenAPI document has it.

        `X_Name` becomes the header X-Name.
        """
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                answer = _answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                answer = _answer(error.code, error.headers, error.read())
        documented.check(method, path, *answer)
        return answer

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        listing = subprocess.run(
            ["/usr/bin/env", "pgrep", "-P", str(self.process.pid)], capture_output=True, check=False, text=True
        )
        return [int(line) for line in listing.stdout.split()]

    def wait_until_ready(self, what: str = "ready") -> None:
        """Return when /health/ready says so, or /health/live."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            try:
                if self.call("GET", f"/health/{what}").status == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, f"koshel serve ended with {self.process.returncode}"
            time.sleep(0.05)
        raise AssertionError("the service did not become ready")


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status, dict(headers.items()), json.loads(body) if body else None)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(database_url: str | None, port: int | None = None, /, **settings: str) -> Running:
    """Start `koshel serve` and return when it is ready; settings are those of KOSHEL_..., in small letters."""
    running = _launch(database_url, port, (None, None), settings)
    try:
        running.wait_until_ready()
    except BaseException:
        running.process.kill()
        raise
    return running


def _launch(
    database_url: str | None,
    port: int | None,
    ways: tuple[IO[bytes] | None, IO[bytes] | None],
    settings: Mapping[str, str],
) -> Running:
    port = port or free_port()
    chosen = {"port": str(port), "workers": "2", "log_format": "json", "access_log": "false", **settings}
    if database_url is not None:
        chosen["database_url"] = database_url
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KOSHEL_")}
    environment |= {f"KOSHEL_{name.upper()}": value for name, value in chosen.items()}
    stdout, stderr = ways
    command = [sys.executable, "-m", "koshel", "serve"]
    return Running(subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr), port)


def stop(running: Running) -> int:
    """SIGTERM, and the exit status."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    return running.process.wait(STOPS_WITHIN_S)


@contextmanager
def serving(database_url: str | None, **settings: str) -> Iterator[Running]:
    """A running service, stopped at the end; it must stop in order."""
    running = start(database_url, **settings)
    try:
        yield running
    finally:
        status = stop(running)
    assert status == 0


@contextmanager
def waiting(database_url: str, log: Path, out: Path = Path(os.devnull), /, **settings: str) -> Iterator[Running]:
    """A service that answers, while its database need not; it complains in the log, and prints in `out`."""
    with log.open("wb") as complaints, out.open("wb") as printed:
        running = _launch(database_url, None, (printed, complaints), settings)
    try:
        running.wait_until_ready("live")
        yield running
    finally:
        stop(running)
