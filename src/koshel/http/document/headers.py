"""The headers of the OpenAPI document's replies."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from koshel.core.model import Refusal
from koshel.http import receive
from koshel.http.bodies import wire
from koshel.http.bodies.exchanged import ExchangeReply
from koshel.http.bodies.together import BatchReply
from koshel.http.call import TEXT
from koshel.http.document import facts
from koshel.http.handlers import ledgers
from koshel.http.pages import PageQuery
from koshel.http.parameters import names
from koshel.http.problems import PROBLEMS
from koshel.http.route import Route

HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {
        "description": "By which the log has the request: the caller's own, if it sent one that a log may have.",
        "required": True,
        "schema": {"type": "string"},
    },
    "traceparent": {
        "description": "The request's span, where the service has traces (W3C Trace Context).",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The path of what was made.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The account's version, for If-Match and If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "`true`: the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Preference-Applied": {
        "description": "What of Prefer was followed.",
        "schema": {"type": "string"},
    },
    "Accept-Post": {
        "description": "The media types of bodies that are taken.",
        "schema": {"type": "string"},
    },
    "Accept-Patch": {
        "description": "The media types of bodies that are taken.",
        "schema": {"type": "string"},
    },
    "Accept": {
        "description": "The media types of bodies that are taken.",
        "schema": {"type": "string"},
    },
    "Accept-Encoding": {
        "description": "The content codings of bodies that are taken.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": "The next page, if there is one: rel=next (RFC 8288).",
        "schema": {"type": "string"},
    },
    "Vary": {
        "description": "By which of the request's headers the reply was chosen.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "The scheme of authentication, and what was wrong with the key (RFC 6750).",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "The policy that was hit, how much of it remains, and when there is more (IETF httpapi draft).",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "How much may come, and in how many seconds, or how much at once.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": {"type": "integer", "format": "int32", "minimum": 0},
    },
}
_LIMITED = ("Retry-After", "RateLimit", "RateLimit-Policy")
_ALWAYS = ("X-Request-Id", "traceparent")
_PREFER = "Prefer"
_REFUSED = {PROBLEMS[facts.code_of(one)].status for one in Refusal}  # a refusal is an answer too, and has a receipt


def of(route: Route, status: int, body: type[Struct] | str) -> dict[str, Any]:
    """The headers of a reply that is no problem."""
    return _refs(_made(route, status, body))


def of_problem(route: Route, status: int) -> dict[str, Any]:
    """The headers of a problem."""
    return _refs(_refused(route, status))


_NOWHERE = {BatchReply, ExchangeReply, ledgers.NewLedger}  # what is made has no place of its own to be read


def _made(route: Route, status: int, body: type[Struct] | str) -> Iterable[str]:
    yield from _ALWAYS
    if status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED} and body not in _NOWHERE:
        yield "Location"
    if body is wire.Account or status == HTTPStatus.NOT_MODIFIED:
        yield "ETag"
    if route.takes_key:
        yield "Idempotent-Replayed"
    if issubclass(route.query, PageQuery):
        yield "Link"
    if route.is_page or body == TEXT or route.also:
        yield "Vary"
    if _PREFER in names(route.headers) and status != HTTPStatus.OK:
        yield "Preference-Applied"


def _refused(route: Route, status: int) -> Iterable[str]:
    yield from _ALWAYS
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and route.scope is not None:
        yield "WWW-Authenticate"
    if status == HTTPStatus.PRECONDITION_FAILED:
        yield "ETag"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        yield "Retry-After"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        yield from _LIMITED
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        yield from (receive.ACCEPTS[route.method], "Accept-Encoding")
    if status in _REFUSED and route.takes_key:
        yield "Idempotent-Replayed"
    if status in _REFUSED and _PREFER in names(route.headers):
        yield "Preference-Applied"


def _refs(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
