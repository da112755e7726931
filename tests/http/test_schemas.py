"""The schemas of the document say what the service takes; where they say it otherwise, they mean the same."""

import itertools
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import re2
import regress
from hypothesis import example, given
from hypothesis import strategies as st

from koshel.asking.requests import Requests
from koshel.asking.terms import Terms
from koshel.http.bodies import together
from koshel.http.document import members
from koshel.http.document.schemas import components, plain, problems
from koshel.http.handlers import batches, transactions
from koshel.inputs.values import END, KEY_PATTERN, TEXT_PATTERN, CurrencyCode, Invalid
from tests.support.documented import component

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.from_regex(r"\A[!-~]{1,300}\n?\Z")
CURRENCY = r"^[A-Z0-9_]{3,12}" + END


@pytest.mark.parametrize("pattern", [KEY_PATTERN, TEXT_PATTERN, CURRENCY, r"^-?[0-9]{1,18}(\.[0-9]{1,64})?" + END])
def test_a_pattern_means_the_same_to_python_to_re2_and_to_ecmascript(pattern: str) -> None:
    shown = plain({"type": "string", "pattern": pattern})["pattern"]
    assert END not in shown

    @given(TEXTS | st.from_regex(shown, fullmatch=True))
    @example("USD\n")
    @example("1\n")
    @example("-1.5")
    @example("")
    @example("\n")
    @example("USD\nUSD")
    @example("a\x00")
    def agree(text: str) -> None:
        here = re.search(pattern, text) is not None
        assert here == (re2.search(shown, text) is not None)
        assert here == (regress.Regex(shown, flags="u").find(text) is not None)

    agree()


@pytest.mark.parametrize("text", ["USD\n", "USD\r", "\nUSD", "usd", "US", "USD USD", "ÜSD"])
def test_a_currency_is_a_code_and_nothing_after_it(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(text, CurrencyCode)
    assert not component("AccountRequest").is_valid({"email": "ann@example.com", "currency": text})


@pytest.mark.parametrize("key", ["a\n", "\n", "", "a b", "a" * 256, "é"])
def test_a_members_key_is_visible_characters_and_nothing_after_them(key: str) -> None:
    member = {"void": 1, "idempotency_key": key}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(member, batches.MemberRequest)
    assert not component("MemberRequest").is_valid(member)


CHOICES: dict[str, tuple[Any, ...]] = {
    "source_account_id": (1, None),
    "target_account_id": (2, None),
    "source": ("a",),
    "target": ("b",),
    "amount": ("5",),
    "hold": ({}, {"expires_in": 60}),
    "sources": ([{"source_account_id": 3}],),
    "targets": ([{"target_account_id": 3, "share": "100%"}],),
    "capture": (3,),
    "final": (False,),
    "void": (3,),
    "refund": (3,),
    "open": ({"name": "a", "email": "ann@example.com"},),
}
EXCHANGE = {"source_account_id": 1, "target_account_id": 2, "source_amount": "5", "rate": "2"}
SPLITS = (3 + 2 * 2) + (3 + 2 * 4)  # to several: from one account or outside, or holds; from several likewise
COMMON: tuple[dict[str, Any], ...] = ({}, {"metadata": {"a": "b"}, "idempotency_key": "k"}, {"idempotency_key": None})


def every_member() -> Iterator[dict[str, Any]]:
    """Each field left out, or with each of its values."""
    for values in itertools.product(*[(msgspec.UNSET, *values) for values in CHOICES.values()]):
        yield {name: value for name, value in zip(CHOICES, values, strict=True) if value is not msgspec.UNSET}
    yield {"exchange": EXCHANGE}
    for name, choices in CHOICES.items():
        yield from ({"exchange": EXCHANGE, name: value} for value in choices)


def taken(member: dict[str, Any]) -> bool:
    """Whether the service takes it."""
    requests = Requests(1, Terms("USD", Decimal(1_000), 60, 3_600, 86_400, Decimal(0)))
    body = msgspec.json.decode(msgspec.json.encode(member), type=batches.MemberRequest)
    try:
        batches._member(requests, body)
    except Invalid:
        return False
    return True


def test_a_member_of_a_batch_is_one_of_its_forms_exactly_when_the_service_takes_it() -> None:
    validator, count = component("MemberRequest"), 0
    for member in every_member():
        for common in COMMON:
            given_ = member | common
            from_nowhere = member.get("source_account_id", 0) is member.get("target_account_id", 0) is None
            if from_nowhere and "hold" not in member:  # which the form of a transfer can only say in words
                continue
            assert validator.is_valid(given_) == taken(given_), given_
            count += taken(given_)
    moves, holds = 3 * 3 - 1, 2 * 4 * 2  # each side by its id, by its name or null, and not both null
    made = moves + holds + SPLITS + 2 * 2 + 1 + 2 + 1  # and captures, a void, refunds, an exchange
    assert count == len(COMMON) * made + 1  # and an opening


def test_the_forms_of_a_member_have_its_fields_and_no_others() -> None:
    for name, whole in (
        ("TransactionRequest", transactions.TransactionRequest),
        ("MemberRequest", batches.MemberRequest),
        ("MemberResult", together.MemberResult),
    ):
        forms = [{one.name for one in msgspec.structs.fields(form)} for form in members.FORMS[name]]
        assert set.union(*forms) == {one.name for one in msgspec.structs.fields(whole)}


def test_a_result_is_one_of_its_forms_and_no_two() -> None:
    schemas = components()
    assert [schemas[ref["$ref"].rpartition("/")[2]]["required"] for ref in schemas["MemberResult"]["oneOf"]] == [
        ["transaction"],
        ["account"],
        ["problem"],
        ["results", "group_id"],
        ["left_out"],
    ]


def test_kinds_and_statuses_are_enums() -> None:
    schemas = components()
    shown = schemas["Transaction"]["properties"]
    assert set(schemas["AccountStatus"]["enum"]) == {"open", "frozen", "closed"}
    assert set(schemas["TransactionKind"]["enum"]) == {
        *("payment", "withdrawal", "transfer", "hold", "capture", "void", "expiry", "refund"),
    }
    assert set(shown["status"]["enum"]) == {
        *("posted", "held", "captured", "voided", "expired", "queued", "declined", "cancelled"),
    }
    assert schemas["Account"]["properties"]["status"] == {"$ref": "#/components/schemas/AccountStatus"}
    assert schemas["AccountChange"]["properties"]["status"] == {"$ref": "#/components/schemas/AccountStatus"}
    assert shown["kind"] == {"$ref": "#/components/schemas/TransactionKind"}


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": "boolean", "default": True}, {"type": "boolean"}),
        ({"type": "integer"}, {"type": "integer", "format": "int64"}),
        ({"type": "integer", "format": "int32"}, {"type": "integer", "format": "int32"}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": ["a"]}, {"type": "string", "const": "a"}),
        ({"$ref": "#/components/schemas/Kind", "description": "…"}, {"$ref": "#/components/schemas/TransactionKind"}),
        (
            {"anyOf": [{"type": "string", "description": "It."}, {"type": "null"}]},
            {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "It."},
        ),
        (
            {"type": "object", "properties": {"default": {"type": "string", "default": "a"}}, "required": []},
            {"type": "object", "properties": {"default": {"type": "string"}}},
        ),
        ({"type": "array", "items": {"enum": ["a"]}}, {"type": "array", "items": {"type": "string", "const": "a"}}),
    ],
)
def test_a_schema_is_shown_plainly(schema: dict[str, Any], shown: dict[str, Any]) -> None:
    assert plain(schema) == shown


def test_one_problem_is_itself_and_several_are_a_choice_by_their_code() -> None:
    assert problems(["not-found"]) == {"$ref": "#/components/schemas/NotFound"}
    choice = problems(["same-account", "not-a-hold"])
    assert choice["discriminator"] == {
        "propertyName": "code",
        "mapping": {
            "same-account": "#/components/schemas/SameAccount",
            "not-a-hold": "#/components/schemas/NotAHold",
        },
    }
