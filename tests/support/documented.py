"""The OpenAPI document as a witness: an answer is one of those that it says there are, or the test fails."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from koshel.http.document import openapi
from koshel.http.document.facts import type_name

DOCUMENT = openapi.document()
_OF_HTTP = frozenset({"Connection", "Content-Length", "Content-Type", "Date", "Server", "Transfer-Encoding"})  # of any
# Of any reply too, and not said of each: what caches and browsers heed by themselves.
_OF_CAUTION = frozenset(
    {"Cache-Control", "Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"}
)
_PATHS = {re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))): path for path in DOCUMENT["paths"]}


@cache
def component(name: str) -> Draft202012Validator:
    """Of one of the document's schemas."""
    return _validator({"$ref": f"#/components/schemas/{name}"})


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def operation(method: str, path: str) -> dict[str, Any] | None:
    """What the document has of this request, if anything. A path without braces comes before one with them."""
    bare = path.partition("?")[0]
    known = [bare] if bare in DOCUMENT["paths"] else [name for form, name in _PATHS.items() if form.fullmatch(bare)]
    found: dict[str, Any] | None = DOCUMENT["paths"][known[0]].get(method.lower()) if known else None
    return found


@cache
def _reply(method: str, path: str, status: int, media_type: str) -> Draft202012Validator | None:
    """Of a body with this status; None if there is none."""
    described = operation(method, path)
    assert described is not None
    assert str(status) in described["responses"], f"{method} {path} is not said to answer {status}"
    content = described["responses"][str(status)].get("content")
    if content is None:
        return None
    assert media_type in content, f"{method} {path} is not said to answer {status} with {media_type}"
    return _validator(content[media_type]["schema"])


def check(method: str, path: str, status: int, headers: Mapping[str, str], body: Any) -> None:
    """The answer has a status, a type, headers and a body that the document knows."""
    media_type = headers.get("Content-Type", "")
    if media_type == "application/problem+json":
        problem(body)
    described = operation(method, path)
    if described is None:  # as of any other path, or method
        return
    validator = _reply(method, path.partition("?")[0], status, media_type)
    if validator is not None:
        validator.validate(body)
    _check_headers(described["responses"][str(status)]["headers"], headers, f"{method} {path} {status}")


def _check_headers(described: Mapping[str, Any], headers: Mapping[str, str], where: str) -> None:
    for name in described:
        if DOCUMENT["components"]["headers"][name].get("required"):
            assert name in headers, f"{where}: no {name}"
    ours = {
        name for name in headers if name not in _OF_HTTP | _OF_CAUTION and not _is_for_browsers(name, headers[name])
    }
    assert ours <= described.keys(), f"{where}: {ours - described.keys()}"


def _is_for_browsers(name: str, value: str) -> bool:
    """Whether it is there for a page of another origin, and no client ever reads it."""
    return name.startswith("Access-Control-") or (name == "Vary" and value.endswith("Origin"))


def problem(body: Mapping[str, Any]) -> None:
    """The problem has the facts of its type, and no others."""
    name = type_name(body["code"])
    schema = DOCUMENT["components"]["schemas"].get(name)
    if schema is None:  # no operation has it: there is no such path, or no such method
        assert body["code"] == "method-not-allowed"
        return
    component(name).validate(body)
    assert body.keys() <= schema["properties"].keys(), f"{name}: {body.keys() - schema['properties'].keys()}"
    if "cause" in body:
        problem(body["cause"])
