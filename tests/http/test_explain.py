"""Why a body is refused, in our own sentences: with the field's own pointer, and without a pattern or a type's name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, inspect

from koshel.http.handlers.accounts import AccountChange, AccountPatch, AccountRequest
from koshel.http.handlers.batches import BatchRequest
from koshel.http.handlers.routes import ROUTES
from koshel.http.handlers.transactions import TransactionRequest
from koshel.http.problems import Failure, printable
from koshel.http.receive import decode

MOVE = '"source_account_id": 1, "target_account_id": 2, "amount": "1"'
ID_WORDS = "must be a whole number from 1 to 9223372036854775807"
DECODERS = {
    body: msgspec.json.Decoder(body)
    for body in dict.fromkeys([*(route.body for route in ROUTES), AccountPatch])
    if body
}


def failure_of(body: type[Struct], received: bytes) -> Failure | None:
    try:
        decode(DECODERS[body], received)
    except Failure as failure:
        return failure
    return None


def refused(body: type[Struct], received: bytes | str) -> Failure:
    failure = failure_of(body, received if isinstance(received, bytes) else received.encode())
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    ("body", "received", "pointer", "detail"),
    [
        (TransactionRequest, "[]", "", "must be an object"),
        (TransactionRequest, "null", "", "must be an object"),
        (TransactionRequest, "{}", "/source_account_id", "is required"),
        (TransactionRequest, '{"source_account_id": 1}', "/amount", "is required"),
        (TransactionRequest, f'{{{MOVE}, "amout": 1}}', "/amout", "is not a field"),
        (TransactionRequest, f'{{{MOVE}, "a/b~c": 1}}', "/a~1b~0c", "is not a field"),
        (TransactionRequest, f'{{{MOVE}, "a\\nb": 1}}', "/a\nb", "is not a field"),
        (TransactionRequest, '{"source_account_id": "1"}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": 1.0}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": true}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": null}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": 0}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": -0}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": %s}' % ("9" * 5_000), "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"source_account_id": 1e400}', "/source_account_id", ID_WORDS),
        (TransactionRequest, '{"target_account_id": 0}', "/target_account_id", f"{ID_WORDS}, or null"),
        (TransactionRequest, f'{{{MOVE}, "hold": null}}', "/hold", "must be an object"),
        (TransactionRequest, '{"hold": {"expires_in": 0}}', "/hold/expires_in", "must be a whole number, 1 or more"),
        (TransactionRequest, '{"hold": {"for": 1}}', "/hold/for", "is not a field"),
        (TransactionRequest, '{"metadata": null}', "/metadata", "must be an object"),
        (TransactionRequest, '{"metadata": {"a": 1}}', "/metadata/a", "must be a string"),
        (TransactionRequest, '{"metadata": {"a": null}}', "/metadata/a", "must be a string"),
        (TransactionRequest, '{"metadata": {"a": "b", "c/d": []}}', "/metadata/c~1d", "must be a string"),
        (
            TransactionRequest,
            '{"metadata": {"a": "%s"}}' % ("b" * 501),
            "/metadata/a",
            "must have at most 500 characters",
        ),
        (TransactionRequest, '{"metadata": {"": "b"}}', "/metadata/", "must have 1 to 40 characters, as a name"),
        (
            TransactionRequest,
            '{"metadata": {"%s": "b"}}' % ("k" * 41),
            f"/metadata/{'k' * 41}",
            "must have 1 to 40 characters, as a name",
        ),
        (TransactionRequest, '{"metadata": {"a": "\\u0000"}}', "/metadata/a", "must not hold the character U+0000"),
        (
            TransactionRequest,
            '{"metadata": {"\\u0000": "a"}}',
            "/metadata/\0",
            "must not hold the character U+0000, as a name",
        ),
        (
            TransactionRequest,
            '{{"metadata": {{{}}}}}'.format(", ".join(f'"{number}": ""' for number in range(51))),
            "/metadata",
            "must have at most 50 entries",
        ),
        (TransactionRequest, f'{{{MOVE}, "amount": 2}}', "/amount", "comes twice in its object"),
        (TransactionRequest, '{"metadata": {"a": 1, "a": 2}}', "/metadata/a", "comes twice in its object"),
        (AccountRequest, '{"email": 7}', "/email", "must be a string"),
        (AccountRequest, '{"email": "%s"}' % ("a" * 255), "/email", "must have at most 254 characters"),
        (
            AccountRequest,
            '{"currency": "usd"}',
            "/currency",
            "must be a currency's code: 3 to 12 characters A-Z, 0-9 and _",
        ),
        (AccountChange, '{"status": "asleep"}', "/status", 'must be one of "closed", "frozen", "open"'),
        (AccountChange, '{"status": 1}', "/status", 'must be one of "closed", "frozen", "open"'),
        (AccountChange, '{"status": []}', "/status", 'must be one of "closed", "frozen", "open"'),
        (AccountChange, '{"email": null}', "/email", "must be a string"),
        (AccountPatch, '{"metadata": {"a": 1}}', "/metadata/a", "must be a string, or null"),
        (AccountPatch, '{"metadata": 1}', "/metadata", "must be an object, or null"),
        (BatchRequest, '{"transactions": {}}', "/transactions", "must be an array"),
        (BatchRequest, '{"transactions": []}', "/transactions", "must have 1 to 1000 members"),
        (
            BatchRequest,
            '{{"transactions": [{}]}}'.format(",".join(["{}"] * 1_001)),
            "/transactions",
            "must have 1 to 1000 members",
        ),
        (BatchRequest, '{"transactions": [{}, 1]}', "/transactions/1", "must be an object"),
        (BatchRequest, '{"transactions": [{}, {}, {"final": 1}]}', "/transactions/2/final", "must be true or false"),
        (
            BatchRequest,
            '{"transactions": [{"idempotency_key": "a b"}]}',
            "/transactions/0/idempotency_key",
            "must be 1 to 255 visible ASCII characters, or null",
        ),
        (
            BatchRequest,
            '{"transactions": [{"metadata": {"a": {}}}]}',
            "/transactions/0/metadata/a",
            "must be a string",
        ),
        (BatchRequest, '{"transactions": [{}], "atomic": null}', "/atomic", "must be true or false"),
        (BatchRequest, "[" * 19_000 + "]" * 19_000, "", "is nested too deeply"),
    ],
)
def test_a_field_that_is_wrong_is_named_in_words(body: type[Struct], received: str, pointer: str, detail: str) -> None:
    failure = refused(body, received)
    assert failure.code == "validation-failed"
    assert failure.members == {"errors": [{"pointer": pointer, "detail": detail}]}
    assert failure.detail == printable(f"{pointer or 'The body'}: {detail}.")


NOT_JSON = "The body is not JSON: what begins at byte {} cannot be there."
ENDS = "The body ends before its JSON does, after {} bytes."


@pytest.mark.parametrize(
    ("received", "detail"),
    [
        (b"", "The body is empty."),
        (b"{", ENDS.format(1)),
        (b'{"amount": ', ENDS.format(11)),
        (b'{"amount" 1}', NOT_JSON.format(10)),
        (b'{"source_account_id": 1} {}', NOT_JSON.format(25)),
        ('{"ключ": tru}'.encode(), NOT_JSON.format(13)),
        (b"\xef\xbb\xbf{}", NOT_JSON.format(0)),
        (b'{"a": "\x01"}', NOT_JSON.format(7)),
        (b"{'a': 1}", NOT_JSON.format(1)),
        (b'{"amount": NaN}', "The body is not JSON: there is no NaN in it."),
        (b'{"amount": -Infinity}', "The body is not JSON: there is no -Infinity in it."),
        (b'{"amount": "\xff"}', "The body is not UTF-8: the byte at 12 cannot be there."),
        (b"\xff\xfe{}", "The body is not UTF-8: the byte at 0 cannot be there."),
        (
            rb'{"metadata": {"a": "\ud800"}}',
            "A text in the body is not Unicode: it has half of a surrogate pair.",
        ),
    ],
)
def test_what_is_not_json_is_said_to_the_byte(received: bytes, detail: str) -> None:
    failure = refused(TransactionRequest, received)
    assert (failure.code, failure.detail, failure.members) == ("malformed-json", detail, {})


def test_a_field_that_is_nested_too_deeply_is_named() -> None:
    for body, pointer in (
        (b'{"amount": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "/amount"),
        (b'{"amount": [1], "metadata": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}", "/metadata"),
    ):
        errors = refused(TransactionRequest, body).members["errors"]
        assert errors == [{"pointer": pointer, "detail": "is nested too deeply"}]


def reasons_of(type_: inspect.Type) -> Iterator[str]:
    """Of each pattern, its reason."""
    match type_:
        case inspect.Metadata(type=inspect.StrType(pattern=str()), extra={"reason": str(reason)}):
            yield reason
        case inspect.Metadata():
            yield from reasons_of(type_.type)
        case inspect.UnionType():
            for one in type_.types:
                yield from reasons_of(one)
        case inspect.StructType():
            for field in type_.fields:
                yield from reasons_of(field.type)
        case inspect.ListType():
            yield from reasons_of(type_.item_type)
        case inspect.DictType():
            yield from reasons_of(type_.key_type)
            yield from reasons_of(type_.value_type)


def patterns_of(type_: inspect.Type) -> Iterator[str]:
    match type_:
        case inspect.StrType(pattern=str(pattern)):
            yield pattern
        case inspect.Metadata():
            yield from patterns_of(type_.type)
        case inspect.UnionType():
            for one in type_.types:
                yield from patterns_of(one)
        case inspect.StructType():
            for field in type_.fields:
                yield from patterns_of(field.type)
        case inspect.ListType():
            yield from patterns_of(type_.item_type)
        case inspect.DictType():
            yield from patterns_of(type_.key_type)
            yield from patterns_of(type_.value_type)


@pytest.mark.parametrize("body", DECODERS, ids=lambda body: body.__name__)
def test_every_pattern_has_its_reason(body: type[Struct]) -> None:
    assert len(list(reasons_of(inspect.type_info(body)))) == len(list(patterns_of(inspect.type_info(body))))


NAMES = sorted({field.encode_name for body in DECODERS for field in msgspec.structs.fields(body)})
scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from(["", "usd", "USD", "open", "a b", "\0", "1", 2**70, 1.5])
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*NAMES, "", "other", "\0"]), inner, max_size=4)
    ),
    max_leaves=15,
)
CODE = re.compile(r"`|\bregex\b|\bint\b|\bstr\b|\bbool\b|\bdict\b|\blist\b|\$\.|\^|\\x")


@given(st.sampled_from(sorted(DECODERS, key=str)), st.dictionaries(st.sampled_from(NAMES), anything, max_size=6))
def test_whatever_msgspec_refuses_is_explained(body: type[Struct], value: dict[str, Any]) -> None:
    failure = failure_of(body, json.dumps(value).encode())
    if failure is not None:
        assert failure.code == "validation-failed"
        (error,) = failure.members["errors"]
        assert error["detail"] != "cannot be used as it is"
        assert not CODE.search(error["detail"]), error
