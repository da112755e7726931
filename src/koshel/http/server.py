"""The HTTP server: aiohttp around the table of routes. One wrapper a route, no middleware between.

bytes ─▶ Protocol ─▶ router ─▶ wrapper: origin, key, body, decode ─▶ handler ─▶ Reply ─▶ bytes
           │                      └── every exception becomes a problem
           └── what is not HTTP, or too slow, ends here
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from typing import Any, TypeAlias, get_args

import msgspec
import structlog
from aiohttp import HttpVersion11, web

from koshel.app import Service
from koshel.callers import Caller, IssuerUnavailable, Unauthenticated
from koshel.config.settings import Settings
from koshel.core.commands import Kind
from koshel.core.model import Refusal
from koshel.db.errors import HistoryArchived, OutcomeUnknown, StoreError, Unfit
from koshel.errors import Overloaded, SchemaNotCurrent
from koshel.http import authorization, preconditions, prefer, receive, refused, request_id, traces
from koshel.http.call import JSON, MERGE_PATCH, PROBLEM, Call, Reply
from koshel.http.handlers.routes import ROUTES
from koshel.http.handlers.transactions import pointer
from koshel.http.limits import CallerLimits, Policy
from koshel.http.merging import MERGED
from koshel.http.origins import Origins
from koshel.http.parameters import DryRun, QueryReader, names
from koshel.http.problems import PROBLEMS, SHOWN_MAX, Failure, printable, validation_failed
from koshel.http.response import CALL, Response
from koshel.http.route import Route, is_optional
from koshel.inputs.values import Invalid
from koshel.library import history
from koshel.rates import Buckets
from koshel.telemetry import metrics

SERVICE = web.AppKey("service", Service)
LIMITS = web.AppKey("limits", CallerLimits)

Serve: TypeAlias = Callable[[web.Request], Awaitable[Reply]]

_log = structlog.get_logger()


def application(
    settings: Settings, service: AbstractAsyncContextManager[Service], buckets: Buckets | None = None
) -> web.Application:
    """The web application, which opens the service when it starts and closes it when it stops.

    `buckets` are those of all workers; without them its rates are its own.
    """
    metrics.begin(problems=PROBLEMS, limits=get_args(Policy), kinds=Kind, refusals=Refusal)
    app = web.Application()
    app[LIMITS] = CallerLimits(settings, buckets)

    async def run_service(app: web.Application) -> AsyncIterator[None]:
        async with service as app[SERVICE]:
            yield

    app.cleanup_ctx.append(run_service)
    app.on_shutdown.append(_end_rests)
    origins = Origins(settings)
    wrap = partial(_wrap, origins=origins, traced=settings.tracing == "on")
    no_route = wrap(_no_route(origins))
    for route in ROUTES:
        serve = wrap(_serve(route, settings), label=route.label)
        for method in methods(route):
            # An id may be any text without a slash: what cannot be one is answered as one that does not exist.
            app.router.add_route(method, route.path.replace("}", ":[^/]+}"), serve, expect_handler=_expected)
    for path in sorted({route.path for route in ROUTES if "{" not in route.path}):
        # Before a path with braces takes it: /transaction/{id}
        app.router.add_route("*", path, no_route, expect_handler=_expected)
    app.router.add_route("*", "/{path:(?s:.*)}", no_route, expect_handler=_expected)
    return app


async def _end_rests(app: web.Application) -> None:
    app[LIMITS].rests.end()


def _decoders(route: Route) -> "Mapping[str, msgspec.json.Decoder[Any]]":
    """The decoders of the route's body, by media type."""
    types = {JSON: route.body, MERGE_PATCH: MERGED.get(route.body)}
    return {name: msgspec.json.Decoder(body) for name, body in types.items() if body is not None}


@cache
def _api() -> Mapping[str, Any]:
    """The OpenAPI document, made when it is first asked for: it takes as long to make as all else here."""
    from koshel.http.document import openapi  # noqa: PLC0415

    return openapi.document()


def _serve(route: Route, settings: Settings) -> Serve:
    decoders = _decoders(route)
    body_limits = receive.BodyLimits(
        bytes_max=getattr(settings, route.bytes_max),
        timeout_s=settings.receive_timeout_ms / 1_000,
        optional=route.body is not None and is_optional(route.body) and route.method == "POST",
        media_types=tuple(decoders),
    )
    query_reader, conditions = QueryReader(route.query), route.preconditions
    takes_prefer = "Prefer" in names(route.headers)
    not_taken = [name for name in preconditions.HEADERS if name not in conditions]

    async def serve(request: web.Request) -> Reply:
        caller = await authorization.caller_of(request, route, request.app[SERVICE].authentication)
        if route.scope is None:
            return await answer(request, caller)
        return await request.app[LIMITS].within(caller, partial(answer, request, caller))

    async def answer(request: web.Request, caller: Caller) -> Reply:
        received, decoded, key, preference = b"", None, None, prefer.NONE
        service = request.app[SERVICE]
        if decoders:
            _shed(request, caller, route, body_limits.bytes_max)
            received = await receive.body(request, body_limits)
            key = receive.idempotency_key(request)
        if not route.takes_key and route.method != "GET":
            receive.refuse_idempotency_key(request)
        query = receive.query(request, query_reader)
        preconditions.refuse(request, not_taken)
        if isinstance(query, DryRun) and query.dry_run:  # one that is refused costs least before its body is looked at
            service.engine.store.check_rehearsals(route.weight, caller.share)
        if decoders:
            decoded = receive.decode(decoders.get(receive.media_type(request), decoders[JSON]), received)
            if takes_prefer and "Prefer" in request.headers:
                preference = prefer.parse(request.headers.getall("Prefer"))
        size, path, headers = len(received), request.match_info, request.headers
        call = request[CALL] = Call(service, caller, _api, path, headers, decoded, size, key, preference, query)
        call.limits, call.trace, call.name = request.app[LIMITS], request.get(traces.TRACE), request_id.of(request)
        if conditions:
            call.if_match = preconditions.tags(request, "If-Match")
            call.if_none_match = preconditions.tags(request, "If-None-Match")
        return await route.answer(call)

    return serve


def _shed(request: web.Request, caller: Caller, route: Route, bytes_max: int) -> None:
    """Raise Overloaded before the body is read, if it would be refused after that. A query may ask for a dry run."""
    if route.queues and not request.rel_url.raw_query_string:
        batcher = request.app[SERVICE].engine.batcher
        batcher.check(caller.share, min(request.content_length or 0, bytes_max), is_heavy=route.weight > 1)


def _wrap(
    serve: Serve, *, origins: Origins, traced: bool, label: str = metrics.NO_ROUTE
) -> Callable[[web.Request], Awaitable[Response]]:
    """The wrapper of one route: its reply, or the problem that its exception is."""

    async def respond(request: web.Request) -> Response:
        name, began = request_id.of(request), time.perf_counter()
        trace = traces.begin(request.app[SERVICE].tracing, request, label) if traced else None
        try:
            origins.check(request.method, request.headers)
            reply = await serve(request)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem
            reply = problem(failure_of(error, name))
        if granted := origins.grant(request.method, request.headers):
            vary = ", ".join(filter(None, (reply.headers.get("Vary"), granted["Vary"])))
            reply.headers = {**reply.headers, **granted, "Vary": vary}
        response = Response(reply, name, label, began, trace)
        if reply.code == "unauthorized":
            await refused.wait_for_turn(request, response, request.app[LIMITS])
        return response

    return respond


async def _expected(request: web.Request) -> Response | None:
    """The reply to `Expect`. aiohttp's own refusal repeats the header, and fails if the header is not UTF-8."""
    if request.version < HttpVersion11:
        return None
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # so that nothing counts as sent yet
        return None
    failure = Failure("malformed-request", "The only Expect that is met here is 100-continue.")
    return Response(problem(failure), request_id.of(request))


def failure_of(error: Exception, name: str) -> Failure:
    """The failure that a caller is told of; a fault of ours goes to the log under the request's name."""
    match error:
        case Failure():
            return error
        case Unauthenticated():
            metrics.key_refused(error.reason)
            return authorization.unauthenticated(error.reason)
        case IssuerUnavailable():
            return Failure("issuer-unavailable", "The keys that verify JWTs cannot be read now; nothing was done.")
        case Invalid():
            return validation_failed(pointer(error.field), error.reason)
        case HistoryArchived():
            facts = history.facts(error)
            return Failure(history.ARCHIVED, history.sentence(facts), **facts)
        case Overloaded():
            return Failure("overloaded", "Too much is waiting, or the service is stopping; nothing was done.")
        case OutcomeUnknown():
            _log.error("outcome unknown", request_id=name)
            detail = "The commit could be neither confirmed nor denied; repeat with the same key."
            return Failure("outcome-unknown", detail)
        case StoreError() | Unfit() | SchemaNotCurrent():  # the latter two until the operator has mended it
            _log.warning("database unavailable", request_id=name, error=str(error))
            return Failure("database-unavailable", "The database cannot be used right now; nothing was done.")
        case _:
            _log.error("internal error", request_id=name, exc_info=error)
            return Failure("internal-error", "A fault of ours; the log has it under this request_id.", request_id=name)


def problem(failure: Failure) -> Reply:
    """The reply that a failure is."""
    known = PROBLEMS[failure.code]
    return Reply(known.status, failure.document(), failure.headers, PROBLEM, known.closes, failure.code)


def _no_route(origins: Origins) -> Serve:
    async def serve(request: web.Request) -> Reply:
        routes = [route for route in ROUTES if route.path == request.path]
        routes = routes or [route for route in ROUTES if _matches(route.path, request.path)]
        allowed = {method for route in routes for method in methods(route)}
        if not allowed or request.method in allowed:  # the latter: a slash that was escaped is no slash
            raise Failure("not-found", f"There is no {printable(request.path, SHOWN_MAX)} here; see /docs.")
        allow = ", ".join(sorted(allowed))
        if request.method == "OPTIONS" and (granted := origins.preflight(request.headers, allow)) is not None:
            return Reply(204, b"", granted)
        raise Failure("method-not-allowed", f"{printable(request.path, SHOWN_MAX)} takes {allow}.", {"Allow": allow})

    return serve


def methods(route: Route) -> tuple[str, ...]:
    """A route that can be read can also be asked for its head alone."""
    return ("GET", "HEAD") if route.method == "GET" else (route.method,)


def _matches(pattern: str, path: str) -> bool:
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(w == g or (w[:1] == "{" and g) for w, g in zip(wanted, given, strict=True))
