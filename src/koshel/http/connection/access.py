"""The access log: a line for every request, handed over many at a time, since it is on the hot path."""

import asyncio
from datetime import UTC, datetime
from functools import lru_cache
from time import time

from aiohttp import web
from msgspec import Struct
from msgspec.json import Encoder

from koshel.api_keys import looks_secret
from koshel.callers import Caller
from koshel.config.proxies import Proxies
from koshel.private import looks_private
from koshel.streams import Streams
from koshel.telemetry.metrics import NO_ROUTE

PATH_MAX = 1_000  # characters of a path in a line
FLUSH_S = 0.1  # how long a line may wait
GATHERED_MAX = 16 * 1024  # bytes of lines that are handed over together


class Answered(Struct, gc=False):
    """One request that was answered."""

    method: str
    path: str
    route: str
    status: int
    code: str | None  # the problem's
    request_id: str | None
    caller: Caller | None  # None: it was refused before anybody was asked who it is
    batch_id: str | None
    remote: str | None
    duration_s: float
    trace_id: str | None = None


class AccessLog:
    """Gathers lines and hands them to the writer of standard output, at the latest when their time is up."""

    def __init__(self, streams: Streams, proxies: Proxies) -> None:
        self.proxies = proxies
        self._writer = streams.out
        self._line = _json_line if streams.as_json else _console_line
        self._gathered = bytearray()
        self._flush_due: asyncio.TimerHandle | None = None

    def write(self, one: Answered) -> None:
        """Gather the line of one request."""
        self._gathered += self._line(one)
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


class Line(Struct, omit_defaults=True, gc=False):
    """The fields of one request's line, as docs/logs.md describes them."""

    time: str
    event: str
    method: str
    path: str
    status: int
    duration_ms: int
    request_id: str | None
    remote: str | None
    ledger: str | None = None
    route: str | None = None
    code: str | None = None
    key: str | None = None
    batch: str | None = None
    trace_id: str | None = None


_encode = Encoder().encode


def shown(path: str) -> str:
    """The path, for a log: cut, without bytes that are not UTF-8, and without keys, JWTs and emails in it."""
    path = path[:PATH_MAX].encode(errors="backslashreplace").decode()
    if "@" in path or "%" in path or looks_secret(path):
        # An account is asked for by its name as `@users:42`.
        path = "/".join("…" if looks_private(part.removeprefix("@")) else part for part in path.split("/"))
    return path


def _json_line(one: Answered) -> bytes:
    caller, ledger, key = one.caller, None, None
    if caller is not None:
        ledger, key = caller.ledger, caller.key_id
    line = Line(
        _moment(int(time() * 1_000)),
        "request",
        one.method,
        one.path,
        one.status,
        int(one.duration_s * 1_000),
        one.request_id,
        one.remote,
        ledger,
        None if one.route == NO_ROUTE else one.route,
        one.code,
        key,
        one.batch_id,
        one.trace_id,
    )
    return _encode(line) + b"\n"


def _console_line(one: Answered) -> bytes:
    moment = _moment(int(time() * 1_000))[11:]
    what = f"{one.method:<4} {one.path!r} {one.status} {int(one.duration_s * 1_000)} ms"
    why = "" if one.code is None else f"  {one.code}"
    caller = one.caller
    more = (
        ("route", None if one.route == NO_ROUTE else one.route.partition(" ")[2]),
        ("ledger", None if caller is None else caller.ledger),
        ("key", None if caller is None or caller.key_id is None else repr(caller.key_id)),
        ("batch", one.batch_id),
        ("trace_id", one.trace_id),
    )
    said = "".join(f"  {name}={value}" for name, value in more if value is not None)
    return f"{moment} {what}  {one.request_id}  {one.remote}{why}{said}\n".encode()


@lru_cache(maxsize=2)  # a batch is answered within few milliseconds
def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1_000:03}Z"
