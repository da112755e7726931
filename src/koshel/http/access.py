"""The access log: a line for every request, written many at a time, since it is on the hot path."""

import asyncio
import os
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from time import time

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from msgspec.json import encode as json_encode

from koshel.http.response import Response

FLUSH_S = 0.1  # how long a line may wait
PIPE_BUF = 4_096  # bytes that the kernel writes to a pipe in one piece: lines of workers never mingle


class AccessLog:
    """Gathers lines and writes them to a file descriptor, at the latest when its time is up."""

    def __init__(self, descriptor: int, *, as_json: bool) -> None:
        self._descriptor = descriptor
        self._line = _json_line if as_json else _console_line
        self._gathered = bytearray()
        self._flush_due: asyncio.TimerHandle | None = None

    def write(
        self, method: str, path: str, status: int, request_id: str | None, *, remote: str | None, duration_s: float
    ) -> None:
        """Gather the line of one request."""
        line = self._line(method, path, status, request_id, remote=remote, duration_ms=duration_s * 1_000)
        if len(self._gathered) + len(line) > PIPE_BUF:
            self.flush()
        self._gathered += line
        if self._flush_due is None:
            self._flush_due = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        pending, self._gathered = self._gathered, bytearray()
        with suppress(OSError):  # a reader that has gone must not cost a caller the connection
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
        name = response.request_id if isinstance(response, Response) else None
        self.logger.write(request.method, request.path, response.status, name, remote=request.remote, duration_s=time)


def _json_line(
    method: str, path: str, status: int, request_id: str | None, *, remote: str | None, duration_ms: float
) -> bytes:
    line = {
        "time": _moment(int(time() * 1_000)),
        "event": "request",
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": int(duration_ms),
        "request_id": request_id,
        "remote": remote,
    }
    return json_encode(line) + b"\n"


def _console_line(
    method: str, path: str, status: int, request_id: str | None, *, remote: str | None, duration_ms: float
) -> bytes:
    moment = _moment(int(time() * 1_000))[11:]
    return f"{moment} {method:<4} {path!r} {status} {duration_ms:.0f} ms  {request_id}  {remote}\n".encode()


@lru_cache(maxsize=2)  # a batch is answered within few milliseconds
def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1_000:03}Z"
