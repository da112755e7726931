"""A collector of traces on loopback, over OTLP and HTTP: it takes spans, refuses them, or lets their sender wait."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Mood = Literal["takes", "refuses", "hangs"]


class Span:
    """One that was received: its name, its attributes, and those of the resource that it is of."""

    def __init__(self, sent: Any, resource: Any) -> None:
        self.name: str = sent.name
        self.trace_id: str = sent.trace_id.hex()
        self.id: str = sent.span_id.hex()
        self.parent: str = sent.parent_span_id.hex()
        self.links = [(one.trace_id.hex(), one.span_id.hex()) for one in sent.links]
        self.said = _said(sent.attributes)
        self.resource = _said(resource.attributes)


class Collector:
    """What it was sent so far; `mood` may change at any time."""

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
        self.spans: list[Span] = []
        self.headers: list[Mapping[str, str]] = []
        self.over = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer."""
        self.headers.append(headers)
        if self.mood == "hangs":
            self.over.wait()
        if self.mood != "takes":
            return 403
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.spans += [Span(span, group.resource) for scope in group.scope_spans for span in scope.spans]
        return 200


def _said(attributes: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in attributes}


@contextmanager
def collecting(mood: Mood = "takes") -> Iterator[Collector]:
    """A collector, for the length of a block."""
    collector = Collector(mood)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Spans come."""
            status = collector.receive(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is said of it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_port
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.over.set()
            server.shutdown()
            thread.join()
