"""The OpenAPI document on file is the one that the service serves."""

from tests.support import generate


def test_the_document_on_file_is_the_one_that_is_served() -> None:
    assert generate.OPENAPI.read_text() == generate.openapi_text(), "run `make docs`"
