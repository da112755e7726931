"""The OpenAPI 3.1 document, from the table of routes."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from koshel import __version__
from koshel.http.call import JSON, MERGE_PATCH
from koshel.http.document import examples, headers, replies, schemas
from koshel.http.handlers.routes import ROUTES
from koshel.http.merging import MERGED
from koshel.http.problems import PROBLEMS
from koshel.http.route import Route, is_optional
from koshel.inputs.values import ACCOUNT_NAME_PATTERN, END, ID_MAX

# By the first word of the path.
_TAGS = {
    "account": ("Accounts", "Accounts, and money that comes in and leaves."),
    "transaction": ("Transactions", "Transfers, holds, refunds and batches."),
    "split": ("Transactions", "Transfers, holds, refunds and batches."),
    "ledger": ("Ledgers", "Sets of accounts and transactions; each key is of one."),
    "key": ("Keys", "Who may use a ledger, and for what."),
    "health": ("Health", "Whether the service can do its work."),
}
_PATH: Mapping[str, Mapping[str, Any]] = {
    "id": {
        "description": "The id that the service gave.",
        "schema": {"type": "integer", "minimum": 1, "maximum": ID_MAX},
    },
    "code": {"description": "The code of a problem.", "schema": {"enum": sorted(PROBLEMS)}},
}
_NAME = f"@{ACCOUNT_NAME_PATTERN[1:].replace(END, '')}"
_ACCOUNT: Mapping[str, Any] = {
    "description": "The account: the id that the service gave, or @ and the name that the account has.",
    "schema": {"type": "string", "pattern": f"^([1-9][0-9]{{0,18}}|{_NAME})$"},
}
_ACCOUNT_NAME: Mapping[str, Any] = {
    "description": "The account: @ and the name that it has, or is to have.",
    "schema": {"type": "string", "pattern": f"^{_NAME}$"},
}
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "koshel_live_...",
    "description": "An API key, or a JWT where the service takes those. "
    "Its scope, of read, write and admin, must include the one that an operation names.",
}
_SERVICE = ("Service", "What the service says of itself.")


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
        "tags": [{"name": name, "description": text} for name, text in dict.fromkeys((*_TAGS.values(), _SERVICE))],
        "paths": paths,
        "components": {
            "schemas": schemas.components(),
            "headers": headers.HEADERS,
            "securitySchemes": {"key": _KEY},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    tag, _ = _TAGS.get(route.path.split("/")[1], _SERVICE)
    operation: dict[str, Any] = {
        "tags": [tag],
        "summary": route.summary,
        "operationId": route.name,
        "parameters": list(_parameters(route)),
        "responses": replies.of(route),
    }
    if route.scope:
        operation["security"] = [{"key": [route.scope]}]
    if route.body is not None:
        required = not is_optional(route.body) or route.method == "PATCH"
        content: dict[str, Any] = {JSON: _body(route, route.body.__name__)}
        if route.body in MERGED:
            content[MERGE_PATCH] = {"schema": schemas.ref(MERGED[route.body].__name__)}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _body(route: Route, name: str) -> dict[str, Any]:
    told = [(one.title, one.body) for one in examples.of(route.name)]
    return {"schema": schemas.ref(name), "examples": replies.shown(told)}


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    """What of a request is in its path, its headers and its query."""
    for name in _PATH:
        if f"{{{name}}}" in route.path:
            example: int | str = examples.of(route.name)[0].path[name]
            described = _PATH[name]
            if route.path.startswith("/account/"):
                described, example = _ACCOUNT_NAME if route.method == "PUT" else _ACCOUNT, str(example)
            schema = schemas.plain(described["schema"])
            yield {"name": name, "in": "path", "required": True, **described, "schema": schema, "example": example}
    yield from _fields(route.headers, "header")
    yield from _fields(route.query, "query")


def _fields(parameters: type[Struct], where: str) -> Iterator[dict[str, Any]]:
    _, schemas_found = msgspec.json.schema_components((parameters,))
    for name, schema in schemas_found[parameters.__name__]["properties"].items():
        described = {"name": name, "in": where, "description": schema.pop("description")}
        if schema.get("type") == "object":  # each entry is a parameter of its own, with the name before it
            schema["propertyNames"] = {"pattern": rf"^{name}\..{{1,40}}$"}
            described |= {"style": "form", "explode": True}
        yield {**described, "schema": schemas.plain(schema)}
