"""A name that comes twice in one object is found, however it is spelled and wherever it stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel.http.names import step, twice

DEEP = 100_000
MEMBERS = b", ".join([b'{"source_account_id": 1, "target_account_id": 2, "amount": "1"}'] * 6)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"amount": 1, "amount": 2}', "/amount"),
        (b'{"amount": 1, "amount": 1}', "/amount"),
        (b'{"a": 1, "b": 2, "c": 3, "b": 4, "a": 5}', "/b"),
        (rb'{"amount": 1, "am\u006funt": 2}', "/amount"),
        (rb'{"\u0061\u006d": 1, "am": 2}', "/am"),
        (rb'{"a\/b": 1, "a/b": 2}', "/a~1b"),
        (b'{"a~b": 1, "a~b": 2}', "/a~0b"),
        (b'{"": 1, "": 2}', "/"),
        (b'{"a" : "b:c", "a" : 1}', "/a"),
        (b'{"a"\t:"b:c","a"\r\n:1}', "/a"),
        (rb'{"a": "\": 1", "b": 1, "a": 2}', "/a"),
        (b'{"a": "b:c", "m": {"a" : 1, "a" : 1}}', "/m/a"),
        (b'{"transactions": [%b, {"a" : "users:1", "a" : "users:1"}]}' % MEMBERS, "/transactions/6/a"),
        ('{"имя": 1, "\\u0438мя": 2}'.encode(), "/имя"),
        (b'{"metadata": {"a": "1", "a": "2"}}', "/metadata/a"),
        (b'{"metadata": {"at": "12:30", "at": "12:31"}}', "/metadata/at"),
        (b'{"metadata": {"a:b": "1", "a:b": "2"}}', "/metadata/a:b"),
        (rb'{"metadata": {"a": "\u003a", "b": "1", "b": "2"}}', "/metadata/b"),
        (rb'{"metadata": {"a": "\u003A:", "b": "1", "b": "2"}}', "/metadata/b"),
        (rb'{"metadata": {"a": "\"", "b": "\\", "b": "\\\""}}', "/metadata/b"),
        (b'{"hold": {"expires_in": 1, "expires_in": 2}}', "/hold/expires_in"),
        (b'{"t": [{"a": 1}, {"a": 1}, [], {"b": [1, 2, {"c": 1, "c": 1}]}]}', "/t/3/b/2/c"),
        (b'{"transactions": [1, 2, 3, {"amount": 1, "amount": 2}]}', "/transactions/3/amount"),
        (b'{"transactions": [%b, {"refund": 1, "refund": 2}]}' % MEMBERS, "/transactions/6/refund"),
        (b'{"transactions": [%b], "atomic": true, "atomic": false}' % MEMBERS, "/atomic"),
        (b'{"transactions": [], "transactions": [%b]}' % MEMBERS, "/transactions"),
        (b'{"transactions": [%b], "transactions": []}' % MEMBERS, "/transactions"),
        (b'{"transactions": [%b, {"metadata": {"a": "1", "a": "2"}}]}' % MEMBERS, "/transactions/6/metadata/a"),
        (b'{"transactions": [%b, {"a": "\\u003a", "a": 1}]}' % MEMBERS, "/transactions/6/a"),
        (b'{"source": "users:1", "target": "users:2", "source": "users:1"}', "/source"),
        (b'{"source": "users:1", "source": "users:1:2"}', "/source"),
        (rb'{"source": "users:1", "\u003a": 1, "\u003a": 2}', "/:"),
        (b'{"source": "{", "a": [":"], "a": [":"]}', "/a"),
        (b'{"transactions": [%b, {"a": "users:1", "a": "1"}]}' % MEMBERS, "/transactions/6/a"),
        (b'{"transactions": [%b, {"a": "b:c"}], "transactions": [%b]}' % (MEMBERS, MEMBERS), "/transactions"),
        (b'{"amount": {"a": 1, "a": 2}}', "/amount/a"),
        (b'{"amount": 1e400, "a": 1, "a": 2}', "/a"),
        (b'{"amount": ' + b"9" * 400 + b', "a": 1, "a": 2}', "/a"),
        (b'{"a": {"b": 1}, "a": {"b": 1}}', "/a"),
        (b'{"a":' * DEEP + b'{"b": 1, "b": 1}' + b"}" * DEEP, "/a" * DEEP + "/b"),
        (b'{"x": ' + b"[" * DEEP + b"]" * DEEP + b', "x": 1}', "/x"),
        (rb'{"\ud800": 1, "\ud800": 2}', "/?"),
        (b'{"\xff": 1, "\xff": 2}', "/?"),
    ],
)
def test_a_name_that_comes_twice_is_pointed_at(body: bytes, pointer: str) -> None:
    assert twice(body) == pointer


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"1",
        b'{"source_account_id": 1, "target_account_id": 2, "amount": "12.50"}',
        b'{"a": {"a": {"a": 1}}}',
        b'{"a": [{"b": 1}, {"b": 1}]}',
        b'{"a": 1, "A": 2}',
        b'{"a": "a", "b": "b"}',
        b'{"at": "12:30", "to": "https://example.com:8080/"}',
        b'{"at" : "12:30", "to"\n: 1}',
        rb'{"a": "\": 1", "b": "\" :"}',
        b'{"targets": [{"target": "users:1", "share": "1/2"}, {"target": "users:2", "share": "1/2"}], "source": "a:b"}',
        b'{"a": "\\"b\\":1,\\"b\\":2"}',
        rb'{"a": "\u003a\u003A", "b": ":"}',
        rb'{"\ud800": 1, "\ud801": 2}',
        b'{"\xfe": 1, "\xff": 2}',
        b'{"amount": 1e400}',
        b'{"transactions": [%b]}' % MEMBERS,
        b'{"transactions": [%b], "atomic": false}' % MEMBERS,
        b'{"source": "users:1", "target": "users:2", "amount": "1"}',
        b'{"source": "users:1", "target": "users:2", "amount": "1", "metadata": {"a": "b:c"}}',
        b'{"a:b": "users:1", "target": "{users:2", "list": [":", "::"]}',
        b'{"transactions": [%b, {"source": "users:1", "target": "users:2", "amount": "1"}]}' % MEMBERS,
        b'{"transactions": [%b, {"source": "users:1"}], "atomic": true}' % MEMBERS,
        b'{"transactions": [%b, {"metadata": {"at": "12:30"}}]}' % MEMBERS,
        b"[" * DEEP + b"]" * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        json.dumps({f"name {number}": ":" * number for number in range(100)}).encode(),
    ],
)
def test_what_comes_once_is_let_pass(body: bytes) -> None:
    assert twice(body) is None


class Pairs(list[tuple[str, Any]]):
    """An object as its pairs."""


def written(value: Any, escape: Any) -> str:
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{text(name, escape)}: {written(one, escape)}" for name, one in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(one, escape) for one in value) + "]"
    return text(value, escape) if isinstance(value, str) else json.dumps(value)


def text(value: str, escape: Any) -> str:
    return '"' + "".join(f"\\u{ord(one):04x}" if escape() else json.dumps(one)[1:-1] for one in value) + '"'


def first_twice(value: Any, at: str = "") -> str | None:
    """The plain way: pair by pair, in the order in which they stand."""
    if isinstance(value, Pairs):
        seen = set()
        for name, one in value:
            if name in seen:
                return f"{at}/{step(name)}"
            seen.add(name)
            if (found := first_twice(one, f"{at}/{step(name)}")) is not None:
                return found
    elif isinstance(value, list):
        for index, one in enumerate(value):
            if (found := first_twice(one, f"{at}/{index}")) is not None:
                return found
    return None


texts = st.text(st.sampled_from('ab:"\\/~{}[],é'), max_size=3)
values = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(st.tuples(texts, inner), max_size=4).map(Pairs)),
    max_leaves=12,
)


@given(values, st.data())
def test_the_counts_and_the_plain_way_agree(value: Any, data: st.DataObject) -> None:
    body = written(value, lambda: data.draw(st.sampled_from([False, False, False, True])))
    assert twice(body.encode()) == first_twice(value)
