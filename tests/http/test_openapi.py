from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator

from koshel.http.document.openapi import document
from koshel.http.handlers.routes import ROUTES
from koshel.http.preconditions import HEADERS
from koshel.http.problems import PROBLEMS
from tests.support.till import READ_ONLY


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it_with_its_problems() -> None:
    paths = document()["paths"]
    assert {(r.method.lower(), r.path) for r in ROUTES} == {(m, p) for p, methods in paths.items() for m in methods}
    for route in ROUTES:
        replies = paths[route.path][route.method.lower()]["responses"]
        for code in route.problems:
            assert f"`{code}`" in replies[str(PROBLEMS[code].status)]["description"]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def parameters(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"] for parameter in operation["parameters"]}


def test_everything_that_changes_something_takes_an_idempotency_key() -> None:
    for method, path, operation in operations():
        takes_key = method in {"post", "patch"} and not path.startswith(("/key", "/ledger"))
        assert ("Idempotency-Key" in parameters(operation)) == takes_key, path


ENDINGS = {("post", "/split/{id}/capture"), ("post", "/split/{id}/void")}  # of a split's holds


def test_everything_that_makes_a_transaction_can_be_a_dry_run_and_be_put_off() -> None:
    money = {(m, p) for m, p, operation in operations() if "dry_run" in parameters(operation)}
    assert money == {
        ("post", "/account/{id}/payment"),
        ("post", "/account/{id}/withdrawal"),
        ("post", "/transaction"),
        ("post", "/transaction/batch"),
        ("post", "/exchange"),
        ("post", "/transaction/{id}/capture"),
        ("post", "/transaction/{id}/void"),
        ("post", "/transaction/{id}/refund"),
        *ENDINGS,
    }
    later = {(m, p) for m, p, operation in operations() if "Prefer" in parameters(operation)}
    assert later == money - {("post", "/transaction/batch")}
    for method, path in money:
        replies = set(document()["paths"][path][method]["responses"])
        assert replies >= {"200", "201"}
        assert ("202" in replies) == ((method, path) in later)


def test_an_account_is_read_and_changed_by_its_etag() -> None:
    for method, path, operation in operations():
        assert ("If-Match" in parameters(operation)) == ((method, path) == ("patch", "/account/{id}")), path
        conditional = path == "/account/{id}" and method in {"get", "patch"}
        assert ("If-None-Match" in parameters(operation)) == conditional, path


def test_the_document_has_the_preconditions_that_its_routes_take() -> None:
    for route in ROUTES:
        if "ETag" in str(document()["paths"][route.path]):
            operation = document()["paths"][route.path][route.method.lower()]
            assert parameters(operation) & set(HEADERS) == route.preconditions, route


def test_a_body_is_required_where_something_in_it_is() -> None:
    optional = {path for _, path, one in operations() if not one.get("requestBody", {"required": True})["required"]}
    moves = {f"/transaction/{{id}}/{word}" for word in ("capture", "void", "refund")}
    assert optional == moves | {path for _, path in ENDINGS} | {"/key/{id}/rotate"}


OF_SOME = {"exchange", "expires_at", "capture_at", "execute_at", "problem", "cancelled_at", "cancelled_by"}


def test_what_a_hold_and_a_declined_transaction_have_of_their_own_is_not_required() -> None:
    transaction = document()["components"]["schemas"]["Transaction"]
    own = {*OF_SOME, "source", "target", "sources", "targets", "reference", "description", "effective_on", *READ_ONLY}
    assert set(transaction["properties"]) - set(transaction["required"]) == own


def test_a_batch_has_its_limits() -> None:
    members = document()["components"]["schemas"]["BatchRequest"]["properties"]["transactions"]
    assert (members["minItems"], members["maxItems"]) == (1, 1_000)
