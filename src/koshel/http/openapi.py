"""The OpenAPI 3.1 document, from the table of routes."""

from collections.abc import Mapping, Sequence
from typing import Any

from koshel import __version__
from koshel.http import examples, replies, schemas
from koshel.http.bodies import is_optional
from koshel.http.call import JSON
from koshel.http.problems import PROBLEMS
from koshel.http.routes import ROUTES, Route
from koshel.values import ID_MAX, KEY_PATTERN

# By the first word of the path.
_TAGS = {
    "account": ("Accounts", "Accounts, and money that comes in and leaves."),
    "transaction": ("Transactions", "Transfers, holds, refunds and batches."),
    "health": ("Health", "Whether the service can do its work."),
}
_SERVICE = ("Service", "What the service says of itself.")
_PATH = {
    "id": {
        "description": "The id that the service gave.",
        "schema": {"type": "integer", "minimum": 1, "maximum": ID_MAX},
    },
    "code": {"description": "The code of a problem.", "schema": {"enum": sorted(PROBLEMS)}},
}
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
    "schema": {"type": "boolean"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag that the account must still have.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag that is known already: if the account still has it, the reply is 304.",
    "schema": {"type": "string"},
}


def document() -> dict[str, Any]:
    """The whole document."""
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
        "tags": [{"name": name, "description": text} for name, text in (*_TAGS.values(), _SERVICE)],
        "paths": paths,
        "components": {"schemas": schemas.components(), "headers": replies.HEADERS},
    }


def _operation(route: Route) -> dict[str, Any]:
    tag, _ = _TAGS.get(route.path.split("/")[1], _SERVICE)
    operation: dict[str, Any] = {
        "tags": [tag],
        "summary": route.summary,
        "operationId": route.name,
        "parameters": [{**one, "schema": schemas.plain(one["schema"])} for one in _parameters(route)],
        "responses": replies.of(route),
    }
    if route.body is not None:
        required = not is_optional(route.body) or route.method == "PATCH"
        operation["requestBody"] = {"required": required, "content": {JSON: _body(route, route.body.__name__)}}
    return operation


def _body(route: Route, name: str) -> dict[str, Any]:
    told = [(one.title, one.body) for one in examples.of(route.name)]
    return {"schema": schemas.ref(name), "examples": replies.shown(told)}


def _parameters(route: Route) -> Sequence[Mapping[str, Any]]:
    parameters: list[Mapping[str, Any]] = []
    for name, described in _PATH.items():
        if f"{{{name}}}" in route.path:
            example = examples.of(route.name)[0].path[name]
            parameters.append({"name": name, "in": "path", "required": True, **described, "example": example})
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
