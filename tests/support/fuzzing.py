"""A service to throw things at, in this process, which asks for keys; and what to throw at it, right or nearly so."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanProcessor

from koshel.app import open_service
from koshel.callers import Scope
from koshel.config.proxies import Proxies
from koshel.config.settings import Settings
from koshel.db.access import api_keys
from koshel.db.starting import once
from koshel.http.connection.access import AccessLog
from koshel.http.connection.runner import Runner
from koshel.http.connection.watch import Watch
from koshel.http.server import application
from koshel.line_writer import LineWriter
from koshel.streams import Streams
from koshel.telemetry.tracing import Tracing
from tests.support.ways import BYE, Way, statuses

SETTINGS = Settings(
    auth="keys",
    trusted_proxies="127.0.0.0/8, 10.0.0.0/8, ::1",
    receive_timeout_ms=100,
    body_bytes_max=8_000,
    settle_connections=2,
    read_connections=2,
    tracing="on",
)
NUMBERS = ["0", "1", "-1", "12.3", "999999999999999999", "9" * 40, "1e9", "\xb2", "0x1"]
ADDRESSES = ["10.0.0.1", "203.0.113.7", "[::1]", "2001:db9::1", "[2001:db9::1]:80", "unknown", "_hidden", "1.2.3", "::"]
# Pieces that the values of a header are made of; whoever reads it has to part them again.
PIECES = {
    "Accept": ["text/html", "*/*", ";q=", "0.5", "application/json", "text/"],
    "Authorization": ["Bearer ", "bearer\t", "Basic ", "KEY", "koshel_live_", "eyJhbGciOiJub25lIn0.e30.", "A" * 49],
    "Content-Length": ["1", "0", "8000", "+", " ", "a", ","],
    "Content-Type": [
        "application/json",
        "; charset=",
        "utf-8",
        "utf-7",
        '"',
        "application/merge-patch+json",
        "text/plain",
    ],
    "Expect": ["100-continue", "200-ok", " "],
    "Forwarded": ["for=", "For=", "by=", "proto=https", "=", *ADDRESSES],
    "Host": ["127.0.0.1", "localhost", ":", "80", "[::1]", "evil.example", "@"],
    "Idempotency-Key": ["k", "key-1", "a" * 250, "\u043a"],
    "If-Match": ['"1"', 'W/"1.2"', "*", "W/", '"1.999999999999999999"'],
    "If-None-Match": ['"0"', "*", "W/", '"x"'],
    "If-Range": ['"1"', "Sat, 01 Jan 2000 00:00:00 GMT"],
    "Origin": ["http://", "https://", "null", "127.0.0.1", "evil.example", ":80"],
    "Prefer": ["respond-async", "wait=", "wait", "handling=strict", "return=minimal"],
    "Range": ["bytes=", "0-", "-", "items=", "0-0"],
    "Sec-Fetch-Site": ["none", "same-origin", "cross-site"],
    "Transfer-Encoding": ["chunked", "gzip", "identity"],
    "X-Forwarded-For": ADDRESSES,
    "X-Request-Id": ["a", "-", "b" * 200],
    "traceparent": ["00-", "4bf92f3577b34da6a3ce929d0e0e4736", "-00f067aa0ba902b7", "-01", "ff-"],
    "tracestate": ["vendor=", "a@b=", "x", "y", "z" * 256, "*", "/"],
}
_COMMON = [",", ";", '"', "\\", "=", " ", "\t", "%", "\xff", *NUMBERS]
_ANY = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)


def header_value(name: str) -> st.SearchStrategy[str]:
    """A value for this header: of its pieces, or any characters at all."""
    pieces = st.lists(st.sampled_from([*PIECES[name], *PIECES[name], *_COMMON]), max_size=8).map("".join)
    return st.one_of(pieces, pieces, _ANY)


headers = st.lists(
    st.sampled_from(sorted(PIECES)).flatmap(lambda name: st.tuples(st.just(name), header_value(name))),
    min_size=1,
    max_size=3,
)
_names = st.sampled_from(
    ["amount", "email", "metadata", "hold", "source_account_id", "transactions", "atomic", "\0", ""]
)
_leaves: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["0.01", "1e400", "USD", "\u0000", "\ud800", "ann@example.com", "9" * 100]),
)
json_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5), max_leaves=12
)


class Target(logging.Handler):
    """The service; it notes what nobody should have to read in a log."""

    def __init__(self, way: Way, key: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.ERROR)
        self.key = key
        self._way = way
        self._loop = loop
        self._faults: list[str] = []
        loop.set_exception_handler(lambda _, context: self._faults.append(str(context)))

    def emit(self, record: logging.LogRecord) -> None:
        """Something has gone wrong."""
        self._faults.append(record.getMessage())

    def ask(self, request: bytes) -> list[int]:
        """The statuses of what is answered; the last one is of a request to hang up, if it came to that."""
        _, answers = self._loop.run_until_complete(self._way.say([request, BYE]))
        found = statuses(answers)
        faults, self._faults[:] = list(self._faults), []
        assert not faults, (request, faults)
        assert found, "something is answered"
        assert max(found) < 500, (request, answers)
        for head in re.findall(rb"HTTP/1\.1 \d+ [^\r]*\r\n(.*?)\r\n\r\n", answers, re.DOTALL):
            names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")]
            assert len(set(names)) == len(names), (request, "a header comes twice", head)
        return found

    def request(self, start: str, lines: list[tuple[str, str]], body: bytes = b"") -> bytes:
        """A request with these headers, and those that it needs if they are not among them."""
        named = {name for name, _ in lines}
        needed = {"Host": "127.0.0.1", "Authorization": f"Bearer {self.key}"}
        if body or start.startswith(("POST", "PATCH")):
            needed |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        more = [(name, value) for name, value in needed.items() if name not in named]
        told = [(name, value.replace("KEY", self.key)) for name, value in lines]
        head = "".join(f"{name}: {value}\r\n" for name, value in [*more, *told])
        return f"{start} HTTP/1.1\r\n{head}\r\n".encode(errors="replace") + body


@asynccontextmanager
async def open_target(url: str, settings: Settings = SETTINGS) -> AsyncIterator[Target]:
    """The service on this database, with a key for everything."""
    new = await once.transact(
        url, lambda connection, q: api_keys.add(connection, q, 1, Scope.ADMIN, name="", lasts_s=None), ledger_id=1
    )
    nowhere = os.open(os.devnull, os.O_WRONLY)
    writer = LineWriter(nowhere, bytes_max=1_000_000, lost=lambda count: b"%d lost\n" % count)
    log = AccessLog(Streams(writer, writer, as_json=True), Proxies(settings.trusted_proxies))
    tracing = Tracing(SpanProcessor(), "1.2.3")  # which makes spans, and sends none
    service = open_service(settings, url, tracing=tracing)
    runner = Runner(application(settings, service), settings, Watch(log, counts=True))
    await runner.setup()
    target = Target(Way(runner), new.text, asyncio.get_running_loop())
    logging.getLogger().addHandler(target)
    try:
        yield target
    finally:
        logging.getLogger().removeHandler(target)
        await runner.cleanup()
        writer.flush(1)
        os.close(nowhere)
