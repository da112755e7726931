"""The parameters of the OpenAPI document: what of a request is in its path, its query and its headers."""

from collections.abc import Iterator, Mapping
from typing import Any

from koshel.http import examples, schemas
from koshel.http.problems import PROBLEMS
from koshel.http.routes import Route
from koshel.values import ID_MAX, KEY_PATTERN

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
_IF_CHANGED = {**_IF_NONE_MATCH, "description": "The ETag that the account must not have any more."}


def of(route: Route) -> list[dict[str, Any]]:
    """The parameters that a route takes."""
    return [{**one, "schema": schemas.plain(one["schema"])} for one in _taken(route)]


def _taken(route: Route) -> Iterator[Mapping[str, Any]]:
    for name, described in _PATH.items():
        if f"{{{name}}}" in route.path:
            example = examples.of(route.name)[0].path[name]
            yield {"name": name, "in": "path", "required": True, **described, "example": example}
    if route.body is not None:
        yield _KEY
    if route.later:
        yield _PREFER
    if route.dry_run:
        yield _DRY_RUN
    if route.method == "PATCH":
        yield _IF_MATCH
        yield _IF_CHANGED
    if 304 in route.replies:
        yield _IF_NONE_MATCH
