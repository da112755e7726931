"""The replies in the document: their headers, their problems; and that every answer of the tests is held against it."""

from typing import Any

import pytest
from jsonschema_rs import ValidationError

from koshel.http.document.facts import type_name
from koshel.http.document.openapi import document
from koshel.http.handlers.routes import ROUTES
from koshel.http.problems import PROBLEMS, Failure
from koshel.http.route import Route
from tests.support import documented
from tests.support.service import Running
from tests.support.till import Till

PATHS = document()["paths"]
REFUSED = {"404", "409", "412", "422"}


def replies(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = PATHS[route.path][route.method.lower()]["responses"]
    return found


def names(schema: dict[str, Any]) -> set[str]:
    return {form["$ref"].rpartition("/")[2] for form in schema.get("oneOf", [schema])}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_answers_each_status_with_exactly_its_own_problems(route: Route) -> None:
    for status, reply in replies(route).items():
        media = reply.get("content", {}).get("application/problem+json")
        own = {code for code in route.all_problems if str(PROBLEMS[code].status) == status}
        assert (names(media["schema"]) if media else set()) == {type_name(code) for code in own}
        for code in own:
            assert PROBLEMS[code].when in reply["description"]


def test_every_reply_has_the_name_of_its_request() -> None:
    for route in ROUTES:
        for status, reply in replies(route).items():
            assert reply["headers"]["X-Request-Id"] == {"$ref": "#/components/headers/X-Request-Id"}, (route, status)


def with_header(name: str) -> set[tuple[str, str]]:
    return {
        (route.name, status) for route in ROUTES for status, reply in replies(route).items() if name in reply["headers"]
    }


def test_what_was_made_is_found_by_its_location() -> None:
    money = {route.name for route in ROUTES if 202 in route.replies}
    others = {(name, "201") for name in ("open_account", "ensure_account", "create_key", "rotate_key")}
    made = {(name, status) for name in money for status in ("201", "202")}
    several = {(name, "201") for name in ("exchange", "capture_split", "void_split")}
    assert with_header("Location") == others | made - several, "each is several transactions"


def test_an_account_comes_with_its_etag() -> None:
    assert with_header("ETag") == {
        ("open_account", "201"),
        ("ensure_account", "200"),
        ("ensure_account", "201"),
        ("get_account", "200"),
        ("get_account", "304"),
        ("change_account", "200"),
        ("change_account", "412"),
    }


def test_whatever_takes_a_key_may_be_an_answer_to_an_earlier_request() -> None:
    replayed = with_header("Idempotent-Replayed")
    assert {name for name, _ in replayed} == {route.name for route in ROUTES if route.takes_key}
    for route in ROUTES:
        for status in replies(route):
            expected = route.takes_key and (status < "300" or status in REFUSED)
            assert ((route.name, status) in replayed) == expected, (route.name, status)


def test_a_preference_is_said_to_be_followed_where_it_can_be() -> None:
    followed = with_header("Preference-Applied")
    assert {name for name, _ in followed} == {route.name for route in ROUTES if 202 in route.replies}
    assert {status for _, status in followed} == {"201", "202", "404", "409", "422"}


def test_what_is_away_for_a_while_says_for_how_long() -> None:
    for header, statuses in (("Retry-After", {"429", "503"}), ("RateLimit", {"429"}), ("RateLimit-Policy", {"429"})):
        expected = {(route.name, status) for route in ROUTES for status in statuses & replies(route).keys()}
        assert set(with_header(header)) == expected


HEADERS = {"Content-Type": "application/json", "X-Request-Id": "a-1"}
PROBLEM = HEADERS | {"Content-Type": "application/problem+json"}


def test_an_answer_that_the_document_does_not_know_is_noticed() -> None:
    health = {"status": "ok"}
    documented.check("GET", "/health/ready", 200, HEADERS, health)
    with pytest.raises(AssertionError, match="is not said to answer 202"):
        documented.check("GET", "/health/ready", 202, HEADERS, health)
    with pytest.raises(AssertionError, match="is not said to answer 200 with text/html"):
        documented.check("GET", "/health/ready", 200, HEADERS | {"Content-Type": "text/html"}, health)
    with pytest.raises(AssertionError, match="no X-Request-Id"):
        documented.check("GET", "/health/ready", 200, {"Content-Type": "application/json"}, health)
    with pytest.raises(AssertionError, match="ETag"):
        documented.check("GET", "/health/ready", 200, HEADERS | {"ETag": '"1"'}, health)
    with pytest.raises(ValidationError):
        documented.check("GET", "/health/ready", 200, HEADERS, {"status": "so-so"})


def test_a_problem_that_the_route_is_not_said_to_have_is_noticed() -> None:
    lost = Failure("transaction-not-found", "…", transaction_id=7).content()
    documented.check("GET", "/transaction/7?x=1", 404, PROBLEM, lost)
    with pytest.raises(ValidationError):
        documented.check("GET", "/account/7", 404, PROBLEM, lost)
    with pytest.raises(ValidationError):
        documented.check("GET", "/nowhere", 404, PROBLEM, {"code": "not-found"})


def test_a_path_that_is_nowhere_has_only_its_problem_to_be_judged() -> None:
    documented.check("GET", "/nowhere", 404, PROBLEM, Failure("not-found", "There is no such route.").content())
    documented.check("PUT", "/account", 405, PROBLEM, Failure("method-not-allowed", "…").content())
    assert documented.operation("POST", "/transaction/batch") == PATHS["/transaction/batch"]["post"]
    assert documented.operation("GET", "/transaction/batch") is None


def test_the_document_that_is_served_is_the_one_that_the_tests_hold_answers_against(
    service: Running, till: Till
) -> None:
    assert service.call("GET", "/openapi.json").body == documented.DOCUMENT
    assert till.account(till.open("1"))["status"] == "open"
