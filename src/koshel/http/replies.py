"""The replies of the OpenAPI document: by status, with their headers, examples, and the problems that they may be."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from koshel.core.model import Refusal
from koshel.http import examples, facts, schemas, wire
from koshel.http.call import JSON, PROBLEM
from koshel.http.problems import PROBLEMS
from koshel.http.routes import ALWAYS, Route

HEADERS: Mapping[str, Any] = {
    "X-Request-Id": {
        "description": "By which the log has the request: the caller's own, if it sent one.",
        "required": True,
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
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "required": True,
        "schema": {"type": "integer", "format": "int32", "minimum": 0},
    },
}
_REFUSED = {PROBLEMS[facts.code_of(one)].status for one in Refusal}  # which is an answer as well, and remembered


def of(route: Route) -> dict[str, Any]:
    """Every reply of a route, by status."""
    replies = {str(status): _reply(route, status, body) for status, body in route.replies.items()}
    return replies | _problems(route)


def shown(told: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The examples of a body."""
    return {title.lower().replace(" ", "-").replace(",", ""): {"summary": title, "value": v} for title, v in told}


def _reply(route: Route, status: int, body: type[Struct] | str) -> dict[str, Any]:
    described = {"description": _said(route, status), "headers": _refs(_headers(route, status, body))}
    if status == HTTPStatus.NOT_MODIFIED:
        return described
    if isinstance(body, str):
        return described | {"content": {body: {"schema": {"type": "object" if body == JSON else "string"}}}}
    told = [(one.title, one.reply) for one in examples.of(route.name) if one.status == status]
    examples_shown = {"examples": shown(told)} if told else {}
    return described | {"content": {JSON: {"schema": schemas.ref(body.__name__), **examples_shown}}}


def _said(route: Route, status: int) -> str:
    match status:
        case HTTPStatus.CREATED:
            return "Made, and on disk."
        case HTTPStatus.ACCEPTED:
            return "A promise: it is on disk, and not decided yet. Poll its Location."
        case HTTPStatus.OK if route.is_batch:
            return "Not atomic: what became of each member. Or a dry run: what would."
        case HTTPStatus.OK if route.dry_run:
            return "A dry run: what would happen."
        case HTTPStatus.OK:
            return "As it is now."
        case _:
            return f"{HTTPStatus(status).phrase}."


def _headers(route: Route, status: int, body: type[Struct] | str) -> Iterable[str]:
    yield "X-Request-Id"
    if status in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED} and not route.is_batch:
        yield "Location"
    if body is wire.Account or status == HTTPStatus.NOT_MODIFIED:
        yield "ETag"
    if route.body is not None:
        yield "Idempotent-Replayed"
    if route.later and status != HTTPStatus.OK:
        yield "Preference-Applied"


def _problems(route: Route) -> dict[str, Any]:
    """One reply a status, with every problem that has it."""
    by_status: dict[int, list[str]] = {}
    for code in (*route.problems, *ALWAYS):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _problem(route, status, codes) for status, codes in sorted(by_status.items())}


def _problem(route: Route, status: int, codes: Sequence[str]) -> dict[str, Any]:
    names = ["X-Request-Id"]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        names.append("Retry-After")
    if status in _REFUSED and route.body is not None:
        names.append("Idempotent-Replayed")
    if status in _REFUSED and route.later:
        names.append("Preference-Applied")
    described = "; ".join(f"`{code}`: {PROBLEMS[code].when}" for code in codes)
    content = {PROBLEM: {"schema": schemas.problems(codes)}}
    return {"description": described, "headers": _refs(names), "content": content}


def _refs(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
