"""The access log: a line for every request, handed over many at a time, since it is on the hot path."""

import asyncio
from datetime import UTC, datetime
from functools import lru_cache
from time import time

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from msgspec import Struct
from msgspec.json import Encoder

from koshel.http.response import Response
from koshel.streams import Streams

FLUSH_S = 0.1  # how long a line may wait
PATH_MAX = 1_000  # characters of it in a line
GATHERED_MAX = 16 * 1024  # bytes of lines that are handed over together


class AccessLog:
    """Gathers lines and hands them to the writer of standard output, at the latest when their time is up."""

    def __init__(self, streams: Streams) -> None:
        self._writer = streams.out
        self._line = _json_line if streams.as_json else _console_line
        self._gathered = bytearray()
        self._flush_due: asyncio.TimerHandle | None = None

    def write(
        self, method: str, path: str, status: int, request_id: str | None, *, remote: str | None, duration_s: float
    ) -> None:
        """Gather the line of one request."""
        moment = _moment(int(time() * 1_000))
        duration_ms = int(duration_s * 1_000)
        self._gathered += self._line(
            _Answered(moment, "request", method, path, status, duration_ms, request_id, remote)
        )
        if len(self._gathered) > GATHERED_MAX:
            self.flush()
        elif self._flush_due is None:
            self._flush_due = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        """Hand over what has gathered."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        if self._gathered:
            self._writer.put(self._gathered)
            self._gathered = bytearray()

    async def close(self, _: web.Application) -> None:
        """Hand over what has gathered, at the end."""
        self.flush()


class AccessLogger(AbstractAccessLogger):
    """The access log, as aiohttp asks for it: one for each connection."""

    logger: AccessLog  # type: ignore[assignment]

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One request was answered; `time` in seconds."""
        name = response.request_id if isinstance(response, Response) else None
        path = (
            request.path[:PATH_MAX].encode(errors="backslashreplace").decode()
        )  # a path may hold bytes that are not UTF-8
        self.logger.write(request.method, path, response.status, name, remote=request.remote, duration_s=time)


class _Answered(Struct):
    """The fields of one request's line."""

    time: str
    event: str
    method: str
    path: str
    status: int
    duration_ms: int
    request_id: str | None
    remote: str | None


_encode = Encoder().encode


def _json_line(one: _Answered) -> bytes:
    return _encode(one) + b"\n"


def _console_line(one: _Answered) -> bytes:
    moment = one.time[11:]
    what = f"{one.method:<4} {one.path!r} {one.status} {one.duration_ms} ms"
    return f"{moment} {what}  {one.request_id}  {one.remote}\n".encode()


@lru_cache(maxsize=2)  # a batch is answered within few milliseconds
def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1_000:03}Z"
