"""What generators of clients stumble over, as rules over the OpenAPI document: none of it is in there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import re2
import regress

from koshel.http import receive
from koshel.http.document import headers
from koshel.http.document.members import FORMS
from tests.support import reserved
from tests.support.documented import DOCUMENT

SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = [(m, p, operation) for p, methods in DOCUMENT["paths"].items() for m, operation in methods.items()]
REQUESTS = {name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}


def within(part: Any, at: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document, with its place; what an example holds is none of its own."""
    if isinstance(part, dict):
        yield at, part
        for name, value in part.items():
            if name not in {"example", "examples"}:
                yield from within(value, f"{at}/{name}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from within(value, f"{at}/{index}")


EVERYTHING = list(within(DOCUMENT))
SHOWN = [(at, part) for at, part in EVERYTHING if not at.endswith("/properties")]  # whose names are not ours to judge
HEADER = re.compile(r"Allow|ETag|Link|Location|Vary|RateLimit(-Policy)?|WWW-Authenticate|[A-Z][a-z]+(-[A-Z][a-z]+)+")
PATTERNS = sorted({part["pattern"] for _, part in SHOWN if "pattern" in part})


def test_there_is_something_to_judge() -> None:
    assert len(PATTERNS) >= 4
    assert len(SCHEMAS) >= 50
    assert {"AccountRequest", "HoldTerms", "MoveMember", "BatchRequest"} <= REQUESTS


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_a_whole_one_without_look_around_or_references_back(pattern: str) -> None:
    assert not re.search(r"\(\?|\\[1-9bBkAZzpP]", pattern)
    assert pattern[0] == "^"
    assert pattern[-1] == "$"
    re2.compile(pattern)  # Go, and C++
    regress.Regex(pattern, flags="u")  # ECMAScript, as JSON Schema wants it


def test_nothing_has_a_default() -> None:
    assert not [at for at, part in SHOWN if "default" in part], "TypeScript would take such a field for a required one"


def test_every_reference_leads_somewhere_and_stands_alone() -> None:
    for at, part in SHOWN:
        if "$ref" in part:
            assert part.keys() == {"$ref"}, at
            _, _, kind, name = part["$ref"].split("/")
            assert name in DOCUMENT["components"][kind], at


def test_no_component_is_there_for_nothing() -> None:
    wanted = {part["$ref"] for _, part in SHOWN if "$ref" in part}
    there = {f"#/components/{kind}/{name}" for kind, names in DOCUMENT["components"].items() for name in names}
    named = {name for _, _, operation in OPERATIONS for one in operation.get("security", []) for name in one}
    assert there == wanted | {f"#/components/securitySchemes/{name}" for name in named}


def test_null_is_said_in_one_way_and_never_alone() -> None:
    for at, part in SHOWN:
        assert isinstance(part.get("type", ""), str), f"{at}: one type, or anyOf"
        assert "nullable" not in part, at
        if part.get("type") == "null":
            assert at.endswith("/anyOf/1"), f"{at}: null is the second of two"
        if "anyOf" in part:  # Rust and Kotlin have no type for a text or a number: what comes of it is empty
            (one, null) = part["anyOf"]
            assert null == {"type": "null"}, at
            assert not one.keys() & {"anyOf", "oneOf"}, at


def test_a_choice_between_objects_is_one_of_references() -> None:
    for at, part in SHOWN:
        assert "allOf" not in part, at
        if "oneOf" in part:
            assert all(option.keys() == {"$ref"} for option in part["oneOf"]), at
            assert len(part["oneOf"]) > 1, at


def test_a_discriminator_has_a_constant_of_each_of_its_choices() -> None:
    for at, part in SHOWN:
        if "discriminator" in part:
            mapping = part["discriminator"]["mapping"]
            assert [{"$ref": reference} for reference in mapping.values()] == part["oneOf"], at
            for code, reference in mapping.items():
                schema = SCHEMAS[reference.rpartition("/")[2]]
                assert schema["properties"]["code"]["const"] == code
                assert "code" in schema["required"]


def test_every_integer_says_its_width() -> None:
    for at, part in SHOWN:
        if part.get("type") == "integer":
            assert part["format"] in {"int32", "int64"}, f"{at}: an id has more digits than many an int"


def test_every_schema_has_a_type_and_every_object_is_described() -> None:
    for at, part in EVERYTHING:
        if re.search(r"/(schema|items|properties/\w+|components/schemas/\w+)$", at) and not at.endswith("/properties"):
            assert part.keys() & {"type", "$ref", "anyOf", "oneOf"}, at
    for name, schema in SCHEMAS.items():
        assert schema["title"] == name
        assert schema["description"]
        assert schema.get("properties") is None or schema["type"] == "object"
        assert schema.get("required") != [], "a list of none is not a list, to OpenAPI 3.0"


def test_what_is_not_known_is_refused_in_requests_and_passed_over_in_replies() -> None:
    received = {f"#/components/schemas/{name}" for name in REQUESTS}
    sent = [o["requestBody"]["content"]["application/json"]["schema"] for _, _, o in OPERATIONS if "requestBody" in o]
    forms = {f"#/components/schemas/{name}": SCHEMAS[name].get("oneOf") for name in FORMS}
    assert {form["$ref"] for schema in sent for form in forms.get(schema["$ref"]) or [schema]} <= received
    for _, _, operation in OPERATIONS:
        for at, part in within(operation["responses"]):
            assert part.get("$ref") not in received, at


def test_an_operation_has_a_name_of_its_own_that_no_language_keeps_for_itself() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len({name.replace("_", "") for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert name not in reserved.OPERATIONS


def test_a_schema_has_a_name_that_is_no_type_of_a_language() -> None:
    assert len({name.lower() for name in SCHEMAS}) == len(SCHEMAS), "files have no capitals everywhere"
    for name in SCHEMAS:
        assert re.fullmatch(r"([A-Z][a-z]*)+", name)
        assert name.lower() not in reserved.TYPES
    # An enum within an object is named after both, and must not meet another.
    fields = [(name, *one) for name, schema in SCHEMAS.items() for one in schema.get("properties", {}).items()]
    inner = {f"{name}{field.title().replace('_', '')}" for name, field, schema in fields if "$ref" not in schema}
    assert not inner & SCHEMAS.keys()


def test_every_operation_has_a_summary_and_one_tag_that_is_described() -> None:
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert all(tags.values())
    used = [operation["tags"] for _, _, operation in OPERATIONS]
    assert {name for (name,) in used} == tags.keys()
    for _, path, operation in OPERATIONS:
        assert operation["summary"], path


def test_every_parameter_and_every_reply_is_described() -> None:
    for method, path, operation in OPERATIONS:
        for parameter in operation["parameters"]:
            assert parameter["description"].endswith("."), (method, path, parameter["name"])
            assert "schema" in parameter
        for status, reply in operation["responses"].items():
            assert reply["description"], (method, path, status)
    for name, header in DOCUMENT["components"]["headers"].items():
        assert header["description"].endswith("."), name


def sent_headers() -> Iterator[str]:
    """The headers of replies that the code names, as the names in a dictionary are."""
    for file in sorted(Path(headers.__file__).parents[1].rglob("*.py")):
        if file.name not in {"headers.py", "origins.py"}:  # what is said of them; what only browsers read
            for node in ast.walk(ast.parse(file.read_text())):
                named = [node.slice] if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) else []
                for one in node.keys if isinstance(node, ast.Dict) else named:
                    if isinstance(one, ast.Constant) and HEADER.fullmatch(str(one.value)):
                        yield str(one.value)
    yield from receive.ACCEPTS.values()


def test_every_header_that_is_sent_is_described_and_no_other() -> None:
    # A 405 answers no operation of the document, since that has none with this method; so it has no place there.
    assert set(sent_headers()) - {"Allow"} | {"X-Request-Id", "traceparent"} == set(DOCUMENT["components"]["headers"])


def test_what_is_taken_instead_is_said_where_a_body_is_not() -> None:
    for method, path, operation in OPERATIONS:
        refused = operation["responses"].get("415", {"headers": {}})["headers"]
        said = {"post": {"Accept-Post"}, "patch": {"Accept-Patch"}, "put": {"Accept"}}.get(method, set()) | {
            "Accept-Encoding"
        }
        assert refused.keys() - {"X-Request-Id", "traceparent"} == (said if "requestBody" in operation else set()), path


def test_the_path_and_the_parameters_have_the_same_names() -> None:
    for _, path, operation in OPERATIONS:
        named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        names = [(one["in"], one["name"].lower()) for one in operation["parameters"]]
        assert len(set(names)) == len(names)
