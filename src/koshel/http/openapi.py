"""The OpenAPI 3.1 document, from the table of routes."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from koshel import __version__
from koshel.http.bodies import is_optional
from koshel.http.call import JSON, PROBLEM
from koshel.http.problems import PROBLEMS, ProblemDocument
from koshel.http.routes import ROUTES, Route
from koshel.values import ID_MAX, KEY_PATTERN

_REF = "#/components/schemas/{name}"
_PATH_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1, "maximum": ID_MAX},
}
_PATH_CODE = {"name": "code", "in": "path", "required": True, "schema": {"type": "string", "enum": sorted(PROBLEMS)}}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key gives the same answer, for ever. Repeat a request with its key until it is answered.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async`: a promise, durable, instead of the answer; `wait=N`: only after N seconds.",
    "schema": {"type": "string"},
}
_DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "description": "`true`: answer what would happen, and do nothing.",
    "schema": {"type": "boolean", "default": False},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the account must still have.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
_ALWAYS = ("internal-error",)


def document() -> dict[str, Any]:
    """The whole document."""
    types = [
        t for route in ROUTES for t in (route.body, *route.replies.values()) if t is not None and not isinstance(t, str)
    ]
    _, components = msgspec.json.schema_components([*types, ProblemDocument], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Koshel",
            "version": __version__,
            "description": "Accounts, transfers, holds, refunds. One request, one final answer, durable when given.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": route.name,
        "parameters": _parameters(route),
        "responses": {str(status): _reply(status, body) for status, body in route.replies.items()}
        | _problem_replies((*route.problems, *_ALWAYS)),
    }
    if route.body is not None:
        schema = {"$ref": _REF.format(name=route.body.__name__)}
        required = not is_optional(route.body) or route.method == "PATCH"
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": schema}}}
    return operation


def _parameters(route: Route) -> list[Mapping[str, Any]]:
    parameters: list[Mapping[str, Any]] = []
    if "{id}" in route.path:
        parameters.append(_PATH_ID)
    if "{code}" in route.path:
        parameters.append(_PATH_CODE)
    if route.body is not None:
        parameters.append(_KEY)
    if route.later:
        parameters.append(_PREFER)
    if route.dry_run:
        parameters.append(_DRY_RUN)
    if route.method == "PATCH":
        parameters.append(_IF_MATCH)
    if 304 in route.replies:
        parameters.append(_IF_NONE_MATCH)
    return parameters


def _reply(status: int, body: type[msgspec.Struct] | str) -> dict[str, Any]:
    if status == 304:
        return {"description": "Not modified"}
    if isinstance(body, str):
        return {"description": "OK", "content": {body: {}}}
    described = {"description": HTTPStatus(status).phrase}
    return described | {"content": {JSON: {"schema": {"$ref": _REF.format(name=body.__name__)}}}}


def _problem_replies(codes: Sequence[str]) -> dict[str, Any]:
    """One reply a status, which names every problem that has it."""
    replies: dict[str, Any] = {}
    for code in codes:
        status = str(PROBLEMS[code].status)
        reply = replies.setdefault(
            status,
            {"description": "", "content": {PROBLEM: {"schema": {"$ref": _REF.format(name="ProblemDocument")}}}},
        )
        reply["description"] += f"{'; ' if reply['description'] else ''}`{code}`: {PROBLEMS[code].when}"
    return dict(sorted(replies.items()))
