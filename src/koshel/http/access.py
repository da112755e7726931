"""The access log: a line for every request, written many at a time, since it is on the hot path."""

import asyncio
import os
from datetime import datetime, timezone

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from msgspec import Struct

FLUSH_S = 0.1  # how long a line may wait
PIPE_BUF = 4_096  # bytes that the kernel writes to a pipe in one piece: lines of workers never mingle


class Line(Struct, frozen=True, gc=False):
    """One request, answered."""

    time: str
    event: str
    method: str
    path: str
    status: int
    bytes: int
    duration_ms: float
    remote: str | None
    request_id: str


class AccessLog:
    """Gathers lines and writes them to a file descriptor, at the latest when its time is up."""

    def __init__(self, descriptor: int, *, as_json: bool) -> None:
        self._descriptor = descriptor
        self._as_json = as_json
        self._gathered = bytearray()
        self._flush_due: asyncio.TimerHandle | None = None

    def write(self, request: web.BaseRequest, response: web.StreamResponse, duration_s: float) -> None:
        """Gather the line of one request."""
        line = Line(
            datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "request",
            request.method,
            request.path,
            response.status,
            response.body_length,
            round(duration_s * 1_000, 3),
            request.remote,
            response.headers.get("X-Request-Id", ""),
        )
        text = (msgspec.json.encode(line) if self._as_json else _console(line)) + b"\n"
        if len(self._gathered) + len(text) > PIPE_BUF:
            self.flush()
        self._gathered += text
        if self._flush_due is None:
            self._flush_due = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        pending, self._gathered = self._gathered, bytearray()
        while pending:
            pending = pending[os.write(self._descriptor, pending) :]

    async def close(self, _: web.Application) -> None:
        """Write what has gathered, at the end."""
        self.flush()


class AccessLogger(AbstractAccessLogger):
    """What aiohttp makes of it for each connection."""

    logger: AccessLog  # type: ignore[assignment]

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One request was answered; `time` in seconds."""
        self.logger.write(request, response, time)


def _console(line: Line) -> bytes:
    return (
        f"{line.time[11:]} {line.method:<4} {line.path} {line.status} {line.duration_ms:.1f} ms  {line.request_id}"
    ).encode()
