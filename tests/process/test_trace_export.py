"""Spans on their way to a collector: what is said when it does not take them, and what is never said."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from koshel.telemetry import trace_export
from koshel.telemetry.trace_export import Complaints, Delivery, open_tracing
from koshel.telemetry.tracing import Tracing
from tests.support.collector import collecting
from tests.support.waiting import wait_until

SECRET = "s3cret"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Moody(SpanExporter):
    """Takes spans, or does not."""

    def __init__(self) -> None:
        self.takes = True
        self.is_over = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS if self.takes else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.is_over = True


class Stuck(Moody):
    """Never comes back from sending."""

    def __init__(self) -> None:
        super().__init__()
        self.sends = threading.Event()
        self.over = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.sends.set()
        self.over.wait(60)
        return super().export(spans)


def record(name: str, text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, text, arguments, None)


def test_a_collector_that_takes_nothing_is_one_line_and_so_is_one_that_does_again() -> None:
    exporter, complaints = Moody(), Complaints()
    delivery = Delivery(exporter, complaints)
    spans: list[ReadableSpan] = [ReadableSpan("a"), ReadableSpan("b")]
    with capture_logs() as log:
        assert delivery.export(spans) is SpanExportResult.SUCCESS
        for _ in range(2):  # times that it goes away
            exporter.takes = False
            complaints.emit(record(EXPORTER, "Failed: %s, reason: %s", 403, "Forbidden"))
            for _ in range(3):
                assert delivery.export(spans) is SpanExportResult.FAILURE
            exporter.takes = True
            for _ in range(3):
                delivery.export(spans)
    lost = {"event": "traces cannot be sent", "log_level": "warning", "error": "403"}
    back = {"event": "traces are sent again", "log_level": "info", "lost": 6}
    assert log == [lost, back] * 2
    delivery.shutdown()
    assert exporter.is_over


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        ("Failed to export %s batch code: %s, reason: %s", ("spans", 401, f"Bearer {SECRET}"), "401"),
        (
            "Transient error %s, retrying in %.2fs.",
            (ConnectionError(f"http://user:{SECRET}@h/"), 1.5),
            "ConnectionError",
        ),
        ("Failed to export %s batch due to timeout.", (SECRET,), "Failed to export … batch due to timeout."),
    ],
)
def test_why_it_does_not_is_said_without_anything_that_could_be_secret(
    text: str, arguments: tuple[object, ...], reason: str
) -> None:
    complaints = Complaints()
    with capture_logs() as log:
        complaints.emit(record(EXPORTER, text, *arguments))
    assert log == []
    assert complaints.reason == reason


def test_the_library_s_complaints_are_said_once_each_and_without_their_arguments() -> None:
    complaints = Complaints()
    with capture_logs() as log:
        for _ in range(3):
            complaints.emit(record("opentelemetry.util.re", "Header format invalid! %s", f"x-key={SECRET}"))
            complaints.emit(record("opentelemetry.sdk", "Queue full, dropping %s.", "Span"))
            complaints.emit(record("opentelemetry.trace.span", "Member doesn't match %s", "a caller's"))
    said = [line["complaint"] for line in log]
    assert said == ["Header format invalid! …", "Queue full, dropping …."]


def test_what_the_library_logs_goes_nowhere_else(
    library: logging.Logger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace_export, "_complaints", Complaints())
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f'"{SECRET}"')
    with capture_logs() as log:
        trace_export.check("1.2.3")
    assert [line["event"] for line in log] == ["OpenTelemetry has a complaint"]
    assert SECRET not in str(log) + caplog.text
    assert not library.propagate


@pytest.mark.usefixtures("library")
async def test_what_has_ended_is_sent_when_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "till")
        tracing = open_tracing("1.2.3", "https")
        assert tracing is not None
        tracing.request("GET", "GET /account/{id}", None, None).end(200, None, "a-1", None, None)
        await tracing.close()
        (span,) = collector.spans
    assert (span.name, span.said["url.scheme"]) == ("GET /account/{id}", "https")
    assert (span.resource["service.name"], span.resource["service.version"]) == ("till", "1.2.3")


async def test_a_collector_that_hangs_keeps_nobody_and_the_end_for_so_long_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("koshel.telemetry.tracing.CLOSE_S", 0.2)
    exporter = Stuck()
    tracing = Tracing(BatchSpanProcessor(exporter, 100, 1, 10), "1.2.3")
    try:
        tracing.request("GET", "none", None, None).end(200, None, "a", None, None)
        wait_until(exporter.sends.is_set, "it sends")
        began = time.perf_counter()
        for _ in range(1_000):  # ten times what may wait
            tracing.request("GET", "none", None, None).end(200, None, "a", None, None)
        assert time.perf_counter() - began < 5
        ticks = asyncio.create_task(asyncio.sleep(0.05))
        await tracing.close()
        assert ticks.done(), "the loop turns meanwhile"
        assert 0.2 <= time.perf_counter() - began < 5
    finally:
        exporter.over.set()


@pytest.mark.usefixtures("library")
def test_where_opentelemetry_is_disabled_there_are_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_tracing("1.2.3") is None
    trace_export.check("1.2.3")
