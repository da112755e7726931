"""The trace's id in the access log, with traces and without, and two lanes that answer the same."""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from multidict import CIMultiDict

from koshel.app import open_service
from koshel.config.proxies import Proxies
from koshel.config.settings import Settings
from koshel.http.connection import protocol
from koshel.http.connection.access import AccessLog
from koshel.http.connection.runner import Runner
from koshel.http.connection.watch import Watch
from koshel.http.origins import Origins
from koshel.http.server import application
from koshel.line_writer import LineWriter
from koshel.streams import Streams
from tests.process.test_traceparent import INVALID
from tests.support.database import Database
from tests.support.traced import NOT_RECORDED, RECORDED, TRACE, open_traced
from tests.support.ways import BYE, Watched, Way, post

BODY = b'{"amount": "1"}'
RUNNERS = {"express": Runner, "aiohttp": protocol.Runner}
PLAIN = {"capitals": "TraceParent: " + RECORDED[13:], "recorded": RECORDED, "not recorded": NOT_RECORDED}
# A header line can be neither of these.
SENT = {name: one for name, one in INVALID.items() if one.isascii() and "\n" not in one and name != "a space before"}


class Logged:
    """A log that tests read."""

    def __init__(self) -> None:
        self._reader, self._descriptor = os.pipe()
        writer = LineWriter(self._descriptor, bytes_max=1_000_000, lost=lambda count: b"%d lost\n" % count)
        self._writer = writer
        self.log = AccessLog(Streams(writer, writer, as_json=True), Proxies(""))

    def lines(self) -> list[dict[str, Any]]:
        """Those of requests that move money."""
        self.log.flush()
        self._writer.flush(5)
        found = [json.loads(line) for line in os.read(self._reader, 1_000_000).splitlines()]
        return [line for line in found if line["path"].startswith("/account/")]

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._descriptor)


@pytest.fixture
def logged() -> Iterator[Logged]:
    logged = Logged()
    yield logged
    logged.close()


@asynccontextmanager
async def untraced(url: str, runner: type[protocol.Runner], log: AccessLog) -> AsyncIterator[Way]:
    """The service without traces."""
    settings = Settings(auth="off", settle_connections=2, read_connections=2)
    running = runner(application(settings, open_service(settings, url)), settings, Watch(log, counts=False))
    await running.setup()
    try:
        if isinstance(running, Runner):
            assert isinstance(running.server, protocol.Server)
            running.server.connect = Watched
        yield Way(running)
    finally:
        await running.cleanup()


def refused(*lines: str) -> bytes:
    """A request that changes nothing."""
    return post("/account/1/withdrawal", BODY, *lines)


@pytest.mark.parametrize("lane", RUNNERS)
async def test_without_traces_a_valid_traceparent_is_in_the_log_and_in_no_answer(
    database: Database, logged: Logged, lane: str
) -> None:
    async with untraced(database.service_url, RUNNERS[lane], logged.log) as way:
        for header in PLAIN.values():
            connection, answers = await way.say([refused(header), BYE])
            assert len(getattr(connection, "taken", [])) == (lane == "express")
            assert b"traceparent" not in answers
        assert [line["trace_id"] for line in logged.lines()] == [TRACE] * len(PLAIN)


@pytest.mark.parametrize("lane", RUNNERS)
async def test_a_traceparent_that_is_not_valid_is_passed_over(database: Database, logged: Logged, lane: str) -> None:
    async with untraced(database.service_url, RUNNERS[lane], logged.log) as way:
        for header in SENT.values():
            assert b"404 Not Found" in (await way.say([refused(f"traceparent: {header}"), BYE]))[1]
        await way.say([refused(RECORDED, RECORDED), BYE])
        await way.say([refused(), BYE])
        lines = logged.lines()
    assert len(lines) == len(SENT) + 2
    assert not [line for line in lines if "trace_id" in line]


@pytest.mark.parametrize("lane", RUNNERS)
async def test_with_traces_each_line_has_the_trace_that_the_answer_names(
    database: Database, logged: Logged, lane: str
) -> None:
    async with open_traced(database.service_url, RUNNERS[lane], log=logged.log) as traced:
        named = []
        for header in [*PLAIN.values(), *(f"traceparent: {one}" for one in SENT.values())]:
            answers = await traced.say(refused(header))
            named.append(re.findall(rb"traceparent: 00-([0-9a-f]{32})-[0-9a-f]{16}-0[0-3]\r\n", answers)[0].decode())
        lines = logged.lines()
    assert [line["trace_id"] for line in lines] == named
    assert [one == TRACE for one in named] == [True] * len(PLAIN) + [False] * len(SENT)
    assert len(set(named)) == len(SENT) + 1, "a request without a trace begins one of its own"


async def test_both_lanes_answer_the_same_to_the_byte_but_for_what_is_random(database: Database) -> None:
    requests = [
        refused(RECORDED),
        refused(NOT_RECORDED, "X-Request-Id: mine"),
        refused("traceparent: nonsense"),
        refused(RECORDED, "tracestate: congo=t61rcWkgMzE"),
        post("/account/1/withdrawal", b'{"amount": 0}', RECORDED),
        post("/transaction", b"{", RECORDED),
        b"POST /account/1/withdrawal HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    ]
    answers = {}
    for lane, runner in RUNNERS.items():
        async with open_traced(database.service_url, runner) as traced:
            answers[lane] = [_comparable(await traced.say(one)) for one in requests]
            assert traced.taken == (4 if lane == "express" else 0)
    assert answers["express"] == answers["aiohttp"]
    assert all(one.count(b"traceparent: 00-<trace>-<span>-") == 2 for one in answers["express"][:-1])


def _comparable(answers: bytes) -> bytes:
    return re.sub(rb"traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-", b"traceparent: 00-<trace>-<span>-", answers)


@pytest.mark.parametrize("tracing", ["on", "off"])
def test_a_page_that_is_allowed_may_send_its_trace_and_read_ours_where_there_are_traces(
    tracing: Literal["on", "off"],
) -> None:
    page = "https://shop.example"
    origins = Origins(Settings(tracing=tracing, allowed_origins=page))
    asked = CIMultiDict({"Origin": page, "Access-Control-Request-Method": "POST"})
    allowed = origins.preflight(asked, "POST")
    assert allowed is not None
    is_traced = tracing == "on"
    assert ("traceparent, tracestate" in allowed["Access-Control-Allow-Headers"]) == is_traced
    assert ("traceparent" in origins.grant("POST", asked)["Access-Control-Expose-Headers"]) == is_traced
