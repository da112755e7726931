"""Spans on their way to a collector: a thread of the library sends them, from a bounded queue, over OTLP and HTTP.

Whatever the collector does, nobody waits for it but that thread. OpenTelemetry's own variables say where it is, what is
sampled, and how long the queue is: OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER, OTEL_BSP_*. Only a process with
`KOSHEL_TRACING=on` imports this module.
"""

import logging
import re
from collections.abc import Sequence

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from koshel.telemetry.tracing import Tracing

_EXPORTER = OTLPSpanExporter.__module__
_ARGUMENT = re.compile(r"%[\d.]*[a-z]")

_log = structlog.get_logger()


class Complaints(logging.Handler):
    """What the library logs: each thing once, and without its arguments, since headers and URLs are among them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.reason = ""  # why the collector did not take what was sent last
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless it was said before, or a caller of ours is to blame for it."""
        complaint = str(record.msg)
        if record.name == _EXPORTER:  # Delivery says it
            self.reason = ", ".join(_shown(record.args)) or self.reason or _bare(complaint)
        elif not record.name.startswith("opentelemetry.trace") and complaint not in self._said:
            self._said.add(complaint)
            _log.warning("OpenTelemetry has a complaint", complaint=_bare(complaint))


def _shown(arguments: object) -> list[str]:
    """Those of a record's arguments that have no secret in them: statuses, and the types of exceptions."""
    found = arguments if isinstance(arguments, tuple) else ()
    return [
        type(one).__name__ if isinstance(one, Exception) else str(one)
        for one in found
        if isinstance(one, Exception | int)
    ]


def _bare(complaint: str) -> str:
    """The text, with `…` in the place of each argument."""
    return _ARGUMENT.sub("…", complaint)


class Delivery(SpanExporter):
    """Sends spans on; says once that it cannot, and once that it can again."""

    def __init__(self, exporter: SpanExporter, complaints: Complaints) -> None:
        self._exporter = exporter
        self._complaints = complaints
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; those that cannot be sent are lost."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                _log.warning("traces cannot be sent", error=self._complaints.reason)
            self._lost += len(spans)
        elif self._lost:
            _log.info("traces are sent again", lost=self._lost)
            self._lost, self._complaints.reason = 0, ""
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()


_complaints = Complaints()


def check(version: str) -> None:
    """Raises ValueError or RuntimeError for variables of no use, before there are workers to meet them."""
    if (tracing := open_tracing(version)) is not None:
        tracing.shutdown()


def open_tracing(version: str, scheme: str = "http") -> Tracing | None:
    """Of this process: a fork has none of its threads. None where OTEL_SDK_DISABLED says so.

    `scheme` is that of the URLs which are asked for. Raises ValueError or RuntimeError for variables of no use.
    """
    library = logging.getLogger("opentelemetry")
    library.handlers, library.propagate = [_complaints], False
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of every request, with its URL
    processor = BatchSpanProcessor(Delivery(OTLPSpanExporter(), _complaints))
    tracing = Tracing(processor, version, scheme=scheme)
    if tracing.is_disabled:
        tracing.shutdown()
        return None
    return tracing
