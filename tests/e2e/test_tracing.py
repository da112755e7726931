"""Traces of a real service, two workers, to a collector that takes them, refuses them, hangs, or is not there."""

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.collector import Collector, Mood, collecting
from tests.support.database import Database
from tests.support.launch import launched, serving_into
from tests.support.service import Running, free_port
from tests.support.waiting import wait_until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{CALLER}-01"
SECRET = "c0llect0r-s3cret"
TOO_LATE = "Failed to export … batch due to timeout, max retries or shutdown."
STOPS_WITHIN_S = 10  # far less than shutdown_timeout_s
Point = Callable[[str], None]


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Point:
    """Tells services where the collector is, with a secret that it asks for."""

    def point(url: str) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-secret={SECRET}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")

    return point


def pay(service: Running, count: int, **headers: str) -> list[str]:
    """Payments, at once and each over a connection of its own; the span that each answer names."""

    def one(_: int) -> str:
        answer = service.call("POST", "/account/1/payment", {"amount": "0.01"}, **headers)
        assert answer.status == 201
        return str(answer.headers["traceparent"])

    with ThreadPoolExecutor(8) as callers:
        return list(callers.map(one, range(count)))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_collector_has_the_spans_of_all_workers_and_the_last_ones_when_they_stop(
    database: Database, tmp_path: Path, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        point(collector.url)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")  # only a stop sends them
        with serving_into(tmp_path, database.service_url, log_format="json", tracing="on") as (service, out, err):
            service.call("POST", "/account", {"email": "ann@example.com"})
            wait_until(lambda: len(service.workers()) == 2, "two workers")
            returned = pay(service, 60, traceparent=SENT)
            assert collector.spans == []
    requests = [one for one in collector.spans if one.name == "POST /account/{id}/payment"]
    assert sorted(returned) == sorted(f"00-{one.trace_id}-{one.id}-01" for one in requests)
    assert {(one.trace_id, one.parent) for one in requests} == {(TRACE, CALLER)}
    assert len({one.resource["service.instance.id"] for one in requests}) == 2
    assert {(one.resource["service.name"], one.resource["deployment.environment.name"]) for one in requests} == {
        ("koshel", "test")
    }
    batches = {one.said["koshel.batch.id"]: one for one in collector.spans if one.name == "settle"}
    for one in requests:
        batch = batches[one.said["koshel.batch.id"]]
        assert (one.trace_id, one.id) in batch.links
        assert one.links == [(batch.trace_id, batch.id)]
        assert one.resource["service.instance.id"] == batch.resource["service.instance.id"]
    logged = [line for line in lines(out) if line.get("path") == "/account/1/payment"]
    assert {line["trace_id"] for line in logged} == {TRACE}
    assert {headers["x-secret"] for headers in collector.headers} == {SECRET}
    assert SECRET not in out.read_text() + err.read_text()
    assert not [line for line in lines(err) if line["level"] == "warning" and "key" not in line["event"]]


@pytest.mark.parametrize(
    ("mood", "reasons"),
    [("refuses", {"403"}), ("hangs", {TOO_LATE, "ReadTimeout"}), (None, {TOO_LATE, "ConnectionError"})],
    ids=["refuses", "hangs", "is not there"],
)
def test_whatever_the_collector_does_everybody_is_answered_and_one_line_says_so(
    database: Database, tmp_path: Path, point: Point, mood: Mood | None, reasons: set[str]
) -> None:
    with collecting(mood or "takes") as collector:
        point(collector.url if mood else f"http://user:{SECRET}@127.0.0.1:{free_port()}")
        with serving_into(tmp_path, database.service_url, log_format="json", tracing="on", workers="1") as (
            service,
            out,
            err,
        ):
            service.call("POST", "/account", {"email": "ann@example.com"})
            wait_until(lambda: "traces cannot be sent" in err.read_text(), "a line about it")
            began = time.monotonic()
            for _ in range(5):
                pay(service, 20)
            assert time.monotonic() - began < 10
            service.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            service.process.wait(30)
            assert time.monotonic() - began < STOPS_WITHIN_S
    said = [line for line in lines(err) if line["event"].startswith(("traces", "OpenTelemetry"))]
    (line,) = [line for line in said if line["event"] == "traces cannot be sent"]
    assert said == [line]
    assert line["error"] in reasons
    assert SECRET not in out.read_text() + err.read_text()


def test_when_the_collector_is_back_that_is_said_too(database: Database, tmp_path: Path, point: Point) -> None:
    def said(log: Path, event: str) -> list[dict[str, Any]]:
        return [line for line in lines(log) if line["event"] == event]

    with collecting("refuses") as collector:
        point(collector.url)
        with serving_into(tmp_path, database.service_url, log_format="json", tracing="on", workers="1") as (_, __, log):
            wait_until(lambda: bool(said(log, "traces cannot be sent")), "a line about it")
            collector.mood = "takes"
            wait_until(lambda: _asked(_, collector), "spans")
            wait_until(lambda: bool(said(log, "traces are sent again")), "another line")
    (line,) = said(log, "traces are sent again")
    assert line["lost"] > 0


def _asked(service: Running, collector: Collector) -> bool:
    service.call("GET", "/health/live")
    return bool(collector.spans)


def test_a_worker_that_takes_a_killed_one_s_place_has_traces_of_its_own(database: Database, point: Point) -> None:
    with collecting() as collector:
        point(collector.url)
        with launched(database.service_url, tracing="on", workers="1") as service:
            (first,) = service.workers()
            wait_until(lambda: _asked(service, collector), "spans")
            instances = {one.resource["service.instance.id"] for one in collector.spans}
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: first not in service.workers(), "another worker")

            def has_more() -> bool:
                _asked(service, collector)
                return bool({one.resource["service.instance.id"] for one in collector.spans} - instances)

            wait_until(has_more, "spans of the other worker")
