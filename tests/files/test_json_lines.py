"""Lines of JSON that are read many at a time are what they are one by one, and so is what is wrong with them."""

from collections.abc import Sequence
from io import BytesIO
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from koshel.files import json_lines
from koshel.files.faults import Fault
from koshel.files.lines import LINE_BYTES_MAX, Line, Read

COLUMNS = ("name", "amount", "metadata")
PLAIN = b'{"name":"ann","amount":"1.00","metadata":{"a":"b"}}\n'

PARTS = st.sampled_from(
    [
        PLAIN,
        b'{"name":"ann", "amount":0.10}\n',
        b'{"name": "\xc3\xa9 }"}\n',
        b'{"amount":1}\r\n',
        b"\n",
        b" \n",
        b"{}\n",
        b"{}{}\n",
        b"{} {}\n",
        b'{"metadata":\n',
        b'{"metadata":{}\n',
        b'{"a":1}}\n',
        b"{}}\n",
        b"1}\n",
        b"[{}\n",
        b"{}]\n",
        b'{"name":"a","name":"b"}\n',
        b'{"name" :"a","name":"b"}\n',
        b'{"name":"a\\":b"}\n',
        b'{"metadata":{"a":"1","a":"2"}}\n',
        b'{"nam":1}\n',
        b'{"name":"\xff"}\n',
        b'{"name":"\0"}\n',
        b'{"name":"\\ud800"}\n',
        b'{"amount":1e9999999999999999999}\n',
        b"nonsense\n",
        b'{"name":"no end"}',
    ]
)


def read(content: bytes) -> Sequence[tuple[int, object]]:
    return [_said(one) for one in json_lines.json_lines(BytesIO(content), COLUMNS)]


def _said(one: Read) -> tuple[int, object]:
    return (one.line, str(one)) if isinstance(one, Fault) else (one.number, one.values)


@given(st.lists(PARTS, max_size=12).map(b"".join), st.sampled_from([1, 40, 100, 1 << 16]))
@example(b'{"metadata":\n{}}\n{}{}\n', 1 << 16)
@example(b'{"metadata":{}\n,"name":"a"}\n{},{}\n', 1 << 16)
def test_many_at_a_time_are_what_they_are_one_by_one(content: bytes, at_once: int) -> None:
    with patch.object(json_lines, "_plain", lambda *_: None):
        one_by_one = read(content)
    with patch.object(json_lines, "AT_ONCE_BYTES", at_once):
        assert read(content) == one_by_one


@pytest.mark.parametrize(
    ("some", "count"),
    [
        (PLAIN * 3, 3),
        (b'{"name": "ann", "amount": 1}\n', 1),
        (PLAIN + b'{"nam":"ann"}\n' + PLAIN, None),
        (PLAIN + b'{"name":"a","name":"b"}\n' + PLAIN, None),
        (PLAIN + b"\n" + PLAIN, None),
        (PLAIN + b'{"name":\n"a"}\n{}{}\n', None),
        (PLAIN + PLAIN[:-1], None),
    ],
)
def test_lines_are_plain_if_nothing_can_be_wrong_with_them(some: bytes, count: int | None) -> None:
    objects = json_lines._plain(some, frozenset(COLUMNS))
    assert (None if objects is None else len(objects)) == count


def test_a_fault_among_plain_lines_has_its_own_number() -> None:
    found = read(PLAIN * 5_000 + b"nonsense\n" + PLAIN * 5_000)
    assert [number for number, _ in found] == [*range(1, 10_002)]
    assert found[5_000] == (5_001, "line 5001: is no JSON")


def test_a_line_that_is_longer_than_what_is_read_at_once_is_read() -> None:
    long = b'{"name":"' + b"a" * (2 * json_lines.AT_ONCE_BYTES) + b'"}\n'
    assert [number for number, _ in read(PLAIN + long + PLAIN)] == [1, 2, 3]
    too_long = b'{"name":"' + b"a" * LINE_BYTES_MAX + b'"}\n'
    reason = "line 2: is longer than 1048576 bytes; what follows was not read"
    assert read(PLAIN + too_long + PLAIN)[1:] == [(2, reason)]


def test_how_much_was_read_never_falls_and_ends_with_the_file() -> None:
    content = PLAIN * 3_000 + b"\n" + PLAIN * 10
    ends = [one.end for one in json_lines.json_lines(BytesIO(content), COLUMNS) if isinstance(one, Line)]
    assert ends == sorted(ends)
    assert (len({*ends}) > 2, ends[-1]) == (True, len(content))
