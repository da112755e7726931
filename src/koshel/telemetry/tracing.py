"""Traces by OpenTelemetry: a span for each request, and one for each batch, linked to the requests that it carried.

    request ──▶ span ──▶ queue ──▶ batch ──▶ span `settle`: resolve, lock, decide, write, commit
                 ◀──────── links both ways ────────┘

A batch belongs to many requests, so it has a trace of its own. It is recorded if one of its requests is. Only a process
with `KOSHEL_TRACING=on` imports this module.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from random import getrandbits
from time import time_ns
from typing import TypeAlias, get_args
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.http_attributes import (
    HTTP_REQUEST_METHOD,
    HTTP_RESPONSE_STATUS_CODE,
    HTTP_ROUTE,
)
from opentelemetry.semconv.attributes.service_attributes import SERVICE_NAME, SERVICE_VERSION
from opentelemetry.semconv.attributes.url_attributes import URL_PATH, URL_SCHEME
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from koshel.callers import Caller
from koshel.telemetry import traceparent
from koshel.telemetry.metrics import NO_ROUTE, Step

CLOSE_S = 3.0  # that the end of a process waits for the collector
STATE_MAX = 512  # characters of `tracestate`: as many as everybody has to take
STEPS: Sequence[Step] = get_args(Step)
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_OTHER = "_OTHER"  # as the semantic conventions call a method that a caller has made up

Said: TypeAlias = Mapping[str, str | int]

_carried: ContextVar[Sequence[Span] | None] = ContextVar("carried", default=None)


class RequestTrace:
    """One request's span; `header` names it in the answer, `id` is its trace's. Without `span` it is not recorded."""

    __slots__ = ("header", "id", "span")

    def __init__(self, trace_id: int | str, span_id: int, flags: int, span: Span | None = None) -> None:
        self.id: str = trace_id if isinstance(trace_id, str) else f"{trace_id:032x}"
        self.header = f"traceparent: 00-{self.id}-{span_id:016x}-{flags:02x}\r\n"
        self.span = span

    def end(self, status: int, code: str | None, name: str | None, caller: Caller | None, batch_id: str | None) -> None:
        """It was answered; `code` is the problem's, and `name` the request's."""
        span = self.span
        if span is None:
            return
        said: dict[str, str | int | None] = {
            HTTP_RESPONSE_STATUS_CODE: status,
            "koshel.request.id": name,
            "koshel.problem.code": code,
            "koshel.batch.id": batch_id,
        }
        if caller is not None:
            said |= {"koshel.ledger": caller.ledger, "koshel.key.id": caller.key_id}
        if status >= 500:
            said[ERROR_TYPE] = code or str(status)
            span.set_status(StatusCode.ERROR)
        span.set_attributes({key: value for key, value in said.items() if value is not None})
        span.end()


class BatchTrace:
    """A batch under way: since when, and which requests that are recorded it carries; None: it is the background's."""

    __slots__ = ("began_ns", "carried", "steps_ns")

    def __init__(self) -> None:
        self.carried = _carried.get()
        self.began_ns = time_ns()
        self.steps_ns = 0  # when its first step began; 0: it has not


class Tracing:
    """Of one process; `version` is Koshel's, `scheme` that of its URL."""

    def __init__(self, processor: SpanProcessor, version: str, *, scheme: str = "http") -> None:
        own = {SERVICE_NAME: "koshel", SERVICE_VERSION: version, "service.instance.id": str(uuid4())}
        resource = Resource.create(own).merge(OTELResourceDetector().detect())  # what the environment says counts more
        asked = TracerProvider(resource=resource, shutdown_on_exit=False)
        always = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        for provider in (asked, always):
            provider.add_span_processor(processor)
        self._processor = processor
        self._scheme = scheme
        self._tracer = asked.get_tracer("koshel", version)  # asks OTEL_TRACES_SAMPLER
        self._heeds_callers = isinstance(asked.sampler, ParentBased)
        self.is_disabled = isinstance(self._tracer, NoOpTracer)  # by OTEL_SDK_DISABLED
        self._always = always.get_tracer("koshel", version)  # for what belongs to a span that is recorded

    def request(self, method: str, label: str, parent: str | None, state: str | None) -> RequestTrace:
        """The span of a request to the route of this label; `parent` and `state` are its trace headers."""
        caller = None if parent is None else traceparent.parse(parent)
        if caller is not None and self._heeds_callers and not caller.flags & traceparent.SAMPLED:
            # As the sampler would say, for a tenth of its time: under load nearly all requests are of this kind.
            return RequestTrace(caller.trace_id, getrandbits(64) or 1, caller.flags & TraceFlags.RANDOM_TRACE_ID)
        name, attributes = _described(method if method in _METHODS else _OTHER, label, self._scheme)
        span = self._tracer.start_span(name, _remote(caller, state), SpanKind.SERVER, attributes)
        context = span.get_span_context()
        return RequestTrace(
            context.trace_id, context.span_id, context.trace_flags, span if span.is_recording() else None
        )

    @staticmethod
    def batch() -> BatchTrace:
        """Of a batch that begins now, in the context that was told what it carries."""
        return BatchTrace()

    @staticmethod
    def carry(traces: Sequence[object]) -> None:
        """The batch that this context settles next carries these requests."""
        _carried.set([one.span for one in traces if isinstance(one, RequestTrace) and one.span is not None])

    def end_batch(
        self, batch: BatchTrace, took: Mapping[Step, float], said: Said, error: Exception | None = None
    ) -> None:
        """A batch has ended; `took` are the seconds of its steps. One that was broken off has an error."""
        if batch.carried is None:
            span = self._tracer.start_span("settle", Context(), attributes=said, start_time=batch.began_ns)
        elif batch.carried:
            links = [Link(one.get_span_context()) for one in batch.carried]
            span = self._always.start_span("settle", Context(), SpanKind.INTERNAL, said, links, batch.began_ns)
            for one in batch.carried:
                if one.is_recording():
                    one.add_link(span.get_span_context())
        else:
            return
        if span.is_recording():
            self._end_batch(span, batch, took, error)

    def _end_batch(self, span: Span, batch: BatchTrace, took: Mapping[Step, float], error: Exception | None) -> None:
        context = set_span_in_context(span, Context())
        at = batch.steps_ns or batch.began_ns
        for step, seconds in took.items():
            began, at = at, at + int(seconds * 1e9)
            self._always.start_span(step, context, start_time=began).end(at)
        if error is not None:
            began, at = at, max(at, time_ns())
            # Its type only: the text may have a row or an address in it.
            span.set_attribute(ERROR_TYPE, type(error).__name__)
            span.set_status(StatusCode.ERROR)
            if batch.steps_ns and len(took) < len(STEPS):
                step_span = self._always.start_span(STEPS[len(took)], context, start_time=began)
                step_span.set_status(StatusCode.ERROR)
                step_span.end(at)
        span.end(at)

    def shutdown(self) -> None:
        """Send what is left, and wait for it."""
        self._processor.shutdown()

    async def close(self, _: object = None) -> None:
        """Send what is left, if the collector takes it in time."""
        thread = threading.Thread(target=self.shutdown, name="last traces", daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, CLOSE_S)


@lru_cache(maxsize=1_000)
def _described(method: str, label: str, scheme: str) -> tuple[str, Said]:
    """The name of a request's span, and what is known at its start. Its path is the route's: ids are nobody's there."""
    said = {HTTP_REQUEST_METHOD: method, URL_SCHEME: scheme}
    name = "HTTP" if method == _OTHER else method
    if label == NO_ROUTE:
        return name, said
    route = label.partition(" ")[2]
    return f"{name} {route}", said | {HTTP_ROUTE: route, URL_PATH: route}


def _remote(caller: traceparent.Parent | None, state: str | None) -> Context:
    """The context of a request: its caller's span, if its headers name one."""
    if caller is None:
        return Context()
    kept = TraceState.from_header([state]) if state and len(state) <= STATE_MAX else None
    flags = TraceFlags(caller.flags)
    span = SpanContext(int(caller.trace_id, 16), int(caller.span_id, 16), True, flags, kept)  # noqa: FBT003
    return set_span_in_context(NonRecordingSpan(span), Context())
