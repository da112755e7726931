"""A service with traces, in this process; its spans stay in memory."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp.web_protocol import RequestHandler
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from koshel.app import open_service
from koshel.config.settings import Settings
from koshel.db.errors import DatabaseUnavailable
from koshel.http.connection import protocol
from koshel.http.connection.access import AccessLog
from koshel.http.connection.runner import Runner
from koshel.http.connection.watch import Watch
from koshel.http.server import application
from koshel.telemetry.tracing import Tracing
from tests.support.ways import BYE, Watched, Way, Wire, post

SETTINGS = Settings(tracing="on", auth="off", settle_connections=2, read_connections=2, background_poll_ms=50)
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RECORDED = f"traceparent: 00-{TRACE}-{CALLER}-01"
NOT_RECORDED = f"traceparent: 00-{TRACE}-{CALLER}-00"
STEPS = ["resolve", "lock", "decide", "write", "commit"]


def make_tracing() -> tuple[Tracing, InMemorySpanExporter]:
    """Traces whose spans are in the exporter as soon as they have ended."""
    exporter = InMemorySpanExporter()
    return Tracing(SimpleSpanProcessor(exporter), "1.2.3"), exporter


class Traced:
    """One way into the service."""

    def __init__(self, way: Way, exporter: InMemorySpanExporter) -> None:
        self.taken = 0  # requests that the express lane has answered
        self._way = way
        self._exporter = exporter

    async def say(self, *requests: bytes) -> bytes:
        """The answers to requests on one connection, and to one more that hangs up."""
        connection, answers = await self._way.say([*requests, BYE])
        self.taken += len(getattr(connection, "taken", []))
        return answers

    async def connect(self) -> tuple[RequestHandler, Wire]:
        """A new connection."""
        return await self._way.connect()

    async def together(self, *requests: bytes) -> list[bytes]:
        """The answers to requests at the same moment, each on a connection of its own."""
        return list(await asyncio.gather(*(self.say(one) for one in requests)))

    async def open(self, count: int = 1) -> None:
        """Accounts, and no trace of how they were opened."""
        for _ in range(count):
            assert b"201 Created" in await self.say(post("/account", b'{"email": "ann@example.com"}'))
        self._exporter.clear()

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Those that have ended, as they did; without those of the requests that hang up."""
        found = [one for one in self._exporter.get_finished_spans() if one.name != "GET /health/live"]
        return [one for one in found if one.name == name] if name else found


@asynccontextmanager
async def open_traced(
    url: str,
    runner: type[protocol.Runner] = Runner,
    settings: Settings = SETTINGS,
    log: AccessLog | None = None,
) -> AsyncIterator[Traced]:
    """The service on this database."""
    tracing, exporter = make_tracing()
    running = runner(
        application(settings, open_service(settings, url, tracing=tracing)), settings, Watch(log, counts=False)
    )
    await running.setup()
    try:
        if isinstance(running, Runner):
            assert isinstance(running.server, protocol.Server)
            running.server.connect = Watched
        yield Traced(Way(running), exporter)
    finally:
        await running.cleanup()


def said(span: ReadableSpan) -> dict[str, object]:
    """The span's attributes."""
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[str, str]:
    """The ids of its trace and of itself, as headers have them."""
    context = span.get_span_context()
    assert context is not None
    return format_trace_id(context.trace_id), format_span_id(context.span_id)


def links(span: ReadableSpan) -> list[tuple[str, str]]:
    """The ids of what it is linked to."""
    return [(format_trace_id(one.context.trace_id), format_span_id(one.context.span_id)) for one in span.links]


def parents(answers: bytes) -> Sequence[str]:
    """The headers `traceparent` of the answers, but for the last one, which hangs up."""
    return re.findall(r"\r\ntraceparent: ([^\r]*)\r\n", answers.decode())[:-1]


@asynccontextmanager
async def no_lease(*_: object) -> AsyncIterator[None]:
    """In the place of a connection to the database: there is none."""
    raise DatabaseUnavailable
    yield
