from openapi_spec_validator import OpenAPIV31SpecValidator

from koshel.http.openapi import document
from koshel.http.problems import PROBLEMS
from koshel.http.routes import ROUTES


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_every_route_is_in_it_with_its_problems() -> None:
    paths = document()["paths"]
    assert {(r.method.lower(), r.path) for r in ROUTES} == {(m, p) for p, methods in paths.items() for m in methods}
    for route in ROUTES:
        replies = paths[route.path][route.method.lower()]["responses"]
        for code in route.problems:
            assert f"`{code}`" in replies[str(PROBLEMS[code].status)]["description"]


def test_every_post_takes_an_idempotency_key() -> None:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            names = {parameter["name"] for parameter in operation["parameters"]}
            assert ("Idempotency-Key" in names) == (method == "post"), path
