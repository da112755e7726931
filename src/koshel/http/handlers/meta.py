"""The handlers and routes that speak of the service itself: health, problems, the API's own description."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from koshel.callers import Scope
from koshel.db.shared_reads import SharedReads
from koshel.db.starting import schema
from koshel.db.starting.proof import RISKS
from koshel.http import accept, docs_page
from koshel.http.bodies.wire import QueueHealth
from koshel.http.call import HTML, JSON, NO_HEADERS, TEXT, Call, Reply, json
from koshel.http.preconditions import OF_CACHES
from koshel.http.problems import PROBLEMS, SHOWN_MAX, Failure, ProblemDocument, printable
from koshel.http.route import Route
from koshel.shares import OPEN

_EITHER = {"Vary": "Accept"}  # HTML or JSON


class Health(Struct, frozen=True):
    """`ok`, or else the reply is a problem."""

    status: Literal["ok"]


class Index(Struct, frozen=True):
    """What this is, and where the rest is."""

    name: str
    version: str
    description: str
    docs: str = "/docs"
    openapi: str = "/openapi.json"
    accounts: str = "/account"
    transactions: str = "/transaction"
    health: str = "/health/ready"


async def index(call: Call) -> Reply:
    """GET /: HTML for a browser, JSON otherwise."""
    info = call.api()["info"]
    known = Index(info["title"], info["version"], info["description"])
    if _is_browser(call):
        return _html(docs_page.index(known.name, known.version, known.description), _EITHER)
    return json(200, known, _EITHER)


class Readiness(Struct, frozen=True):
    """`ok`, or else the reply is a problem. `warnings` only where there are some."""

    status: Literal["ok"]
    warnings: list[str] | UnsetType = UNSET


async def live(_: Call) -> Reply:
    """GET /health/live."""
    return json(200, Health("ok"))


async def ready(call: Call) -> Reply:
    """GET /health/ready."""
    reads = SharedReads(call.service.engine.store, OPEN)
    missing = set(schema.known()) - await reads.applied_migrations()
    if missing:
        raise Failure("database-unavailable", f"The schema lacks {', '.join(sorted(missing))}; run `koshel migrate`.")
    off = await reads.unsafe_settings()
    return json(200, Readiness("ok", [f"{name} is off: {RISKS[name]}" for name in off] or UNSET))


async def queue(call: Call) -> Reply:
    """GET /health/queue."""
    measured = await call.reads.measure_queue(call.caller.ledger_id)
    age_s = round(measured.oldest_age_s, 3)
    return json(200, QueueHealth(measured.depth, measured.retrying, age_s, measured.scheduled))


async def metrics(call: Call) -> Reply:
    """GET /metrics."""
    from koshel.http import exposition  # noqa: PLC0415  what it imports takes a while, and may never be needed

    if call.service.sampler is None:
        raise Failure("not-found", "There are no metrics here: KOSHEL_METRICS is off.")
    call.service.sampler.sample()
    text, media_type = await exposition.text(call.service.engine.store, accept.joined(call.headers))
    return Reply(200, text, _EITHER, media_type)


async def problem(call: Call) -> Reply:
    """GET /problem/{code}: HTML for a browser, JSON otherwise."""
    code = call.path["code"]
    if code not in PROBLEMS:
        raise Failure("not-found", f"There is no problem {printable(code, SHOWN_MAX)}.")
    known = PROBLEMS[code]
    page = ProblemDocument(f"/problem/{code}", known.title, known.status, code, known.when, known.retryable)
    if not _is_browser(call):
        return json(200, page, _EITHER)
    again = "may succeed" if known.retryable else "will not succeed"
    rows = {"Code": code, "Status": str(known.status), "Retry": f"The same request {again} later unchanged."}
    return _html(docs_page.page(known.title, f"<p>{escape(known.when)}</p>{docs_page.definitions(rows)}"), _EITHER)


async def openapi(call: Call) -> Reply:
    """GET /openapi.json."""
    return json(200, call.api())


async def docs(call: Call) -> Reply:
    """GET /docs."""
    return _html(docs_page.render(call.api()))


def _is_browser(call: Call) -> bool:
    """Whether `Accept` names HTML, itself or as text, and does not prefer JSON. All there is names neither."""
    page, other = accept.wanted(call.headers, HTML, JSON)
    return page.weight > 0 and page.narrow > 0 and page >= other


def _html(text: str, headers: Mapping[str, str] = NO_HEADERS) -> Reply:
    return Reply(200, text.encode(), headers, HTML)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/",
        "What this is, and where the rest is",
        "read_index",
        index,
        None,
        {200: Index},
        is_page=True,
        passes_over=OF_CACHES,
        scope=None,
    ),
    Route("GET", "/health/live", "Whether the process answers", "check_live", live, None, {200: Health}, scope=None),
    Route(
        "GET",
        "/health/ready",
        "Whether the database answers and its schema is current",
        "check_ready",
        ready,
        None,
        {200: Readiness},
        ("database-unavailable",),
        scope=None,
    ),
    Route(
        "GET",
        "/health/queue",
        "How many background transactions wait, and for how long",
        "measure_queue",
        queue,
        None,
        {200: QueueHealth},
        ("database-unavailable",),
    ),
    Route(
        "GET",
        "/metrics",
        "What the service has done, and how it is, for Prometheus",
        "read_metrics",
        metrics,
        None,
        {200: TEXT},
        ("not-found",),
        passes_over=OF_CACHES,
        scope=Scope.ADMIN,
        is_for_operator=True,
        outlives_database=True,
    ),
    Route(
        "GET",
        "/problem/{code}",
        "What a problem means",
        "get_problem",
        problem,
        None,
        {200: ProblemDocument},
        ("not-found",),
        is_page=True,
        passes_over=OF_CACHES,
        scope=None,
    ),
    Route(
        "GET",
        "/openapi.json",
        "This document",
        "get_openapi",
        openapi,
        None,
        {200: "application/json"},
        passes_over=OF_CACHES,
        scope=None,
    ),
    Route(
        "GET",
        "/docs",
        "This document, to read",
        "get_docs",
        docs,
        None,
        {200: "text/html"},
        passes_over=OF_CACHES,
        scope=None,
    ),
)
