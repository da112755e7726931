"""The replies of the OpenAPI document: by status, with their headers, examples, and the problems that they may be."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from koshel.http.call import JSON, PROBLEM
from koshel.http.document import examples, headers, schemas
from koshel.http.problems import PROBLEMS
from koshel.http.route import Route


def of(route: Route) -> dict[str, Any]:
    """Every reply of a route, by status."""
    replies = {str(status): _reply(route, status, body) for status, body in route.replies.items()}
    return replies | _problems(route)


def shown(told: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The examples of a body."""
    return {title.lower().replace(" ", "-").replace(",", ""): {"summary": title, "value": v} for title, v in told}


def _reply(route: Route, status: int, body: type[Struct] | str) -> dict[str, Any]:
    described = {"description": _said(route, status), "headers": headers.of(route, status, body)}
    if status in {HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT}:
        return described
    if isinstance(body, str):
        return described | {"content": {body: {"schema": {"type": "object" if body == JSON else "string"}}}}
    told = [(one.title, one.reply) for one in examples.of(route.name) if one.status == status]
    examples_shown = {"examples": shown(told)} if told else {}
    also = {} if route.also is None else {route.also: {"schema": {"type": "string"}}}
    return described | {"content": {JSON: {"schema": schemas.ref(body.__name__), **examples_shown}, **also}}


def _said(route: Route, status: int) -> str:
    if status in route.said:
        return route.said[status]
    match status:
        case HTTPStatus.CREATED:
            return "Made, and on disk."
        case HTTPStatus.ACCEPTED:
            return "Queued: it is on disk, and not decided yet. Poll its Location."
        case HTTPStatus.OK:
            return "As it is now."
        case _:
            return f"{HTTPStatus(status).phrase}."


def _problems(route: Route) -> dict[str, Any]:
    """One reply for each status, with every problem that has it."""
    by_status: dict[int, list[str]] = {}
    for code in route.all_problems:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _problem(route, status, codes) for status, codes in sorted(by_status.items())}


def _problem(route: Route, status: int, codes: Sequence[str]) -> dict[str, Any]:
    described = "; ".join(f"`{code}`: {PROBLEMS[code].when}" for code in codes)
    content = {PROBLEM: {"schema": schemas.problems(codes)}}
    return {"description": described, "headers": headers.of_problem(route, status), "content": content}
