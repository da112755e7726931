"""The trace of a request: its headers, its span if there are spans, and its id for the log."""

from typing import TYPE_CHECKING

from aiohttp import web
from multidict import MultiMapping

from koshel.telemetry import traceparent

if TYPE_CHECKING:
    from koshel.telemetry.tracing import RequestTrace, Tracing

TRACE = web.RequestKey("trace", object)  # of a request, if it has one
PARENT, STATE = "traceparent", "tracestate"


def begin(tracing: "Tracing | None", request: web.BaseRequest, label: str) -> "RequestTrace | None":
    """The span of a request that aiohttp has received, to the route of this label, if there are spans."""
    if tracing is None:
        return None
    state = ",".join(request.headers.getall(STATE, ()))
    trace = request[TRACE] = tracing.request(request.method, label, _parent(request.headers), state)
    return trace


def id_of(headers: MultiMapping[str]) -> str | None:
    """The id of the trace that the caller names."""
    return traceparent.trace_id_of(_parent(headers)) if PARENT in headers else None


def _parent(headers: MultiMapping[str]) -> str | None:
    """The header that names the caller's span; two of them name none."""
    sent = headers.getall(PARENT, ())
    return sent[0].strip(" \t") if len(sent) == 1 else None
