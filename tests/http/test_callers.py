"""Who sends a request: what its scope includes, and which routes need one."""

import pytest

from koshel.callers import ANYBODY, MAIN_LEDGER, Caller, Scope
from koshel.http.handlers.routes import ROUTES
from koshel.http.route import Route

OPEN = {"/", "/docs", "/openapi.json", "/health/live", "/health/ready", "/problem/{code}"}


@pytest.mark.parametrize(
    ("scope", "included"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.WRITE, {Scope.READ, Scope.WRITE}),
        (Scope.ADMIN, {Scope.READ, Scope.WRITE, Scope.ADMIN}),
    ],
)
def test_a_scope_includes_the_ones_before_it(scope: Scope, included: set[Scope]) -> None:
    assert {one for one in Scope if scope.includes(one)} == included


@pytest.mark.parametrize(
    ("caller", "is_operator"),
    [
        (Caller(1, MAIN_LEDGER, Scope.ADMIN), True),
        (Caller(1, MAIN_LEDGER, Scope.WRITE), False),
        (Caller(2, "shop", Scope.ADMIN), False),
        (ANYBODY, True),
    ],
)
def test_an_operator_is_an_administrator_of_the_main_ledger(caller: Caller, *, is_operator: bool) -> None:
    assert caller.is_operator == is_operator


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_tells_nothing_of_a_ledger_is_open_and_all_else_needs_a_scope(route: Route) -> None:
    if route.path in OPEN:
        assert route.scope is None
    else:
        assert isinstance(route.scope, Scope)
        assert route.scope is not Scope.READ or route.method == "GET", "who may read changes nothing"
