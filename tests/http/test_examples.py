"""The examples of the document: each is what its schema says, and sent in turn they give the replies they show."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from koshel.http.document import examples
from koshel.http.document.example import Example
from koshel.http.document.examples import STORY
from koshel.http.handlers.routes import ROUTES
from tests.support.database import Database
from tests.support.documented import DOCUMENT, component
from tests.support.service import Running, serving

NAMED = {route.name: route for route in ROUTES}
TIMES = {"ctime", "expires_at", "revoked_at", "execute_at", "cancelled_at"}
CURSORS = {"next"}  # they have times


def operation(name: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][NAMED[name].path][NAMED[name].method.lower()]
    return found


def media() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of a request, and every JSON body of a reply that is no problem."""
    for name in NAMED:
        for content in (operation(name).get("requestBody", {}), *operation(name)["responses"].values()):
            if "application/json" in content.get("content", {}) and name != "get_openapi":
                yield name, content["content"]["application/json"]


def test_every_example_is_what_its_schema_says() -> None:
    count = 0
    for _, one in media():
        for shown in one.get("examples", {}).values():
            component(one["schema"]["$ref"].rpartition("/")[2]).validate(shown["value"])
            count += 1
    assert count == sum((one.reply is not None) + (one.body is not None) for one in STORY)


@pytest.mark.parametrize("name", NAMED)
def test_every_body_and_the_main_reply_have_an_example(name: str) -> None:
    described = operation(name)
    if "requestBody" in described:
        assert described["requestBody"]["content"]["application/json"]["examples"]
    if "204" in described["responses"]:
        return
    main = described["responses"]["201" if "201" in described["responses"] else "200"]["content"]
    assert list(main) in (["application/json"], ["application/json", "text/csv"], ["text/html"], ["text/plain"])
    if "application/json" in main and name != "get_openapi":
        assert main["application/json"]["examples"]


def test_a_parameter_in_a_path_has_an_example() -> None:
    for name in NAMED:
        for parameter in operation(name)["parameters"]:
            if parameter["in"] == "path":
                told = {one.path[parameter["name"]] for one in examples.of(name)}
                assert parameter["example"] in told | {*map(str, told)}


@pytest.fixture
def empty(database: Database) -> Iterator[Running]:
    """A service in which nothing has happened yet."""
    with serving(database.service_url, workers="1", auth="off") as service:
        yield service


def without_times(document: Any) -> Any:
    if isinstance(document, list):
        return [without_times(one) for one in document]
    if isinstance(document, dict):
        known = {name: one for name, one in document.items() if name not in TIMES | CURSORS}
        return {name: without_times(one) for name, one in known.items() if not str(one).startswith("koshel_live_")}
    return document


def told(service: Running, example: Example) -> None:
    route = NAMED[example.route]
    headers = {} if example.key is None else {"Idempotency_Key": example.key}
    body = example.body
    if body is not None and "execute_at" in body:  # the story's own is past one day, and then it would be now
        body = body | {"execute_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    if example.reply is not None and "cancelled_by" in example.reply:
        headers["X_Request_Id"] = example.reply["cancelled_by"]
    query = f"?{urlencode(example.query)}" if example.query else ""
    answer = service.call(route.method, route.path.format(**example.path) + query, body, **headers)
    assert answer.status == example.status, example.title
    assert without_times(answer.body) == without_times(example.reply), example.title
    assert list(answer.body or {}) == list(example.reply or {}), "in this order"


def test_the_examples_are_one_story_that_goes_as_it_is_told(empty: Running) -> None:
    for example in STORY:
        told(empty, example)
    pages = {name for name, route in NAMED.items() if all(isinstance(reply, str) for reply in route.replies.values())}
    assert {example.route for example in STORY} == NAMED.keys() - pages | {"erase_account", "revoke_key"}
