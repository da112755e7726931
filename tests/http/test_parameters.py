"""The parameters of routes: a query is read by its type, and what is not of it is refused by name."""

from decimal import Decimal
from typing import Annotated, Any

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import fields

from koshel.http.document.openapi import document
from koshel.http.handlers.routes import ROUTES
from koshel.http.parameters import DryRun, MoneyHeaders, Nothing, QueryReader, names, said
from koshel.http.preconditions import HEADERS
from koshel.http.problems import Failure
from koshel.http.route import Route
from tests.http.conftest import OpenAccount
from tests.http.test_refusals import assert_problem
from tests.support.service import Running


class Page(Struct, frozen=True):
    """A query with a parameter of every kind."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    after: str | UnsetType = UNSET
    is_open: bool = False


PAGES = QueryReader(Page)


@pytest.mark.parametrize(
    ("pairs", "read"),
    [
        ([], Page()),
        ([("limit", "500")], Page(limit=500)),
        ([("after", "1"), ("is_open", "true")], Page(after="1", is_open=True)),
        ([("is_open", "false"), ("limit", "007")], Page(limit=7)),
    ],
)
def test_a_query_is_read_by_its_type(pairs: list[tuple[str, str]], read: Page) -> None:
    assert PAGES.read(pairs) == read
    assert PAGES.none == Page()


LIMITS = "must be a whole number from 1 to 500"


@pytest.mark.parametrize(
    ("pairs", "name", "detail"),
    [
        ([("limt", "1")], "limt", "is not known"),
        ([("limit", "0")], "limit", LIMITS),
        ([("limit", "-1")], "limit", LIMITS),
        ([("limit", "1.0")], "limit", LIMITS),
        ([("limit", "")], "limit", LIMITS),
        ([("limit", "٣")], "limit", LIMITS),
        ([("limit", "9" * 5_000)], "limit", LIMITS),
        ([("is_open", "True")], "is_open", "must be true or false"),
        ([("is_open", "1")], "is_open", "must be true or false"),
        ([("after", "a"), ("after", "a")], "after", "must come once"),
        ([("after", "a"), ("after", "b"), ("limit", "x")], "limit", LIMITS),
    ],
)
def test_what_is_not_of_its_type_is_refused_by_name(pairs: list[tuple[str, str]], name: str, detail: str) -> None:
    with pytest.raises(Failure) as failure:
        PAGES.read(pairs)
    assert failure.value.members["errors"] == [{"pointer": "", "parameter": name, "detail": detail}]


def test_a_route_without_parameters_knows_none() -> None:
    assert names(Nothing) == frozenset()
    with pytest.raises(Failure):
        QueryReader(Nothing).read([("dry_run", "true")])


def described(operation: dict[str, Any], where: str) -> set[str]:
    return {one["name"] for one in operation["parameters"] if one["in"] == where}


def test_the_document_has_the_parameters_of_every_route_and_no_others() -> None:
    paths = document()["paths"]
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert described(operation, "query") == names(route.query)
        assert described(operation, "header") == names(route.headers)


def test_what_may_be_queued_takes_prefer_and_what_may_be_a_dry_run_answers_200() -> None:
    for route in ROUTES:
        assert (202 in route.replies) == (route.headers is MoneyHeaders), route.name
        if route.query is DryRun:
            assert 200 in route.replies, route.name


def test_every_header_of_a_route_is_one_that_the_server_looks_at() -> None:
    looked_at = {"Idempotency-Key", "Prefer", *HEADERS}
    assert {name for route in ROUTES for name in names(route.headers)} <= looked_at
    for route in ROUTES:
        # The answers to the one cannot be given again; the other is the same whenever it comes.
        takes_none = route.path.startswith(("/key", "/ledger")) or route.method == "PUT"
        assert ("Idempotency-Key" in names(route.headers)) == (route.body is not None and not takes_none), route.name
        assert all(not one.required for one in fields(route.headers)), route.name


@pytest.mark.parametrize(
    ("route", "name"),
    [
        pytest.param(route, name, id=f"{route.label} {name}")
        for route in ROUTES
        for name in sorted(names(route.query))
        if name != "metadata"  # the value of an entry may be empty
    ],
)
def test_no_parameter_may_be_empty(service: Running, open_account: OpenAccount, route: Route, name: str) -> None:
    path = route.path.replace("{id}", str(open_account("10")))
    answer = service.call(route.method, f"{path}?{name}=", None if route.method == "GET" else {})
    assert_problem(answer, "validation-failed")
    (error,) = answer.body["errors"]
    assert error["parameter"] == name
    assert "None" not in error["detail"]


@pytest.mark.parametrize("value", [0, "", False, Decimal(0)])
def test_a_parameter_that_is_there_says_something_whatever_it_is(value: Any) -> None:
    assert said(value) is value
    assert said(UNSET) is None
