"""Koshel and the baseline as running services, each on a free port of loopback, stopped at the end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from msgspec import Struct

from bench import machine

ROOT = Path(__file__).parent.parent
THIS = Path(sys.executable)
STARTS_WITHIN_S = 30
STOPS_WITHIN_S = 45  # more than Koshel's own limit
POLL_S = 0.005


class ServerFailed(Exception):
    """A server did not start, or did not stop in order; the message has the end of its output."""


class Server(Struct, frozen=True):
    """A running service."""

    name: str
    process: "subprocess.Popen[bytes]"
    port: int
    output: Path

    @property
    def pid(self) -> int:
        """Of the first process; the workers are its children."""
        return self.process.pid

    def url(self, path: str = "/transaction") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def workers(self) -> list[int]:
        """The workers' process ids."""
        return machine.children(self.pid)

    def workers_cpu_s(self) -> dict[int, float]:
        """Processor time of each worker so far, by process id: not of the process that looks after them."""
        return machine.own_cpu_s(self.workers())

    def worker_mb(self) -> float:
        """Resident memory of the largest worker, in 10^6 bytes."""
        return max(map(machine.resident_mb, self.workers()))


@contextmanager
def koshel(
    database_url: str | None,
    workers: int,
    directory: Path,
    settings: Mapping[str, Any] | None = None,
    python: Path = THIS,
) -> Iterator[Server]:
    """`koshel serve` of an interpreter, with its settings' defaults but for those given. No URL: its own PostgreSQL.

    Without its access log, as the baseline has none; the log costs about a twentieth of a worker's time.
    """
    port = _free_port()
    chosen: dict[str, Any] = {"port": port, "workers": workers, "data_dir": directory / "data", "access_log": False}
    if database_url is not None:
        chosen["database_url"] = database_url
    chosen |= settings or {}
    variables = {f"KOSHEL_{name.upper()}": str(value) for name, value in chosen.items()}
    command = [str(python), "-m", "koshel", "serve"]
    with _running("Koshel", command, variables, port=port, path="/health/ready", directory=directory) as server:
        yield server


@contextmanager
def baseline(
    database_url: str, workers: int, directory: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """The per-request design."""
    port = _free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", "bench.baseline:application", "--no-control-socket"),
        *("--worker-class", "aiohttp.GunicornUVLoopWebWorker"),
        *("--workers", str(workers), "--bind", f"127.0.0.1:{port}"),
    ]
    variables = {"DATABASE_URL": database_url, **(settings or {})}
    with _running("the baseline", command, variables, port=port, path="/nothing", directory=directory) as server:
        yield server


@contextmanager
def _running(
    name: str, command: Sequence[str], variables: Mapping[str, str], *, port: int, path: str, directory: Path
) -> Iterator[Server]:
    output = directory / f"{port}.log"
    with output.open("wb") as file:
        # A session of its own: Ctrl-C is for the bench, which then stops its servers one by one.
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    server = Server(name, process, port, output)
    try:
        _wait_until_it_answers(server, path)
        yield server
    finally:
        _stop(server)


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours without any setting of Koshel, and these."""
    return {key: value for key, value in os.environ.items() if not key.startswith("KOSHEL_")} | dict(variables)


def _wait_until_it_answers(server: Server, path: str) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            connection.request("GET", path)
            if connection.getresponse().status < 500:
                return
        except (OSError, HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise ServerFailed(f"{server.name} did not start: {_end_of(server.output)}")


def _stop(server: Server) -> None:
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        for pid in reversed(machine.tree(server.pid)):
            os.kill(pid, signal.SIGKILL)
        server.process.wait()
    if server.process.returncode:
        raise ServerFailed(f"{server.name} ended with {server.process.returncode}: {_end_of(server.output)}")


def _end_of(output: Path) -> str:
    return output.read_bytes()[-2_000:].decode(errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
