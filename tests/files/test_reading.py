"""Files as programs and spreadsheets write them, and files that are none."""

from collections.abc import Sequence
from json import loads
from pathlib import Path
from typing import Any

import pytest

from koshel.files.faults import UnfitFile
from koshel.files.lines import LINE_BYTES_MAX, Line
from koshel.files.reading import lines_of

COLUMNS = ("name", "amount", "metadata")


def read(path: Path, content: bytes, form: str = "csv") -> Sequence[Any]:
    """The values of each line, or what is wrong with it."""
    path.write_bytes(content)
    found = list(lines_of(str(path), form, COLUMNS))
    return [(one.number, one.values) if isinstance(one, Line) else str(one) for one in found]


@pytest.mark.parametrize(
    "content",
    [
        b"name,amount\nann,1\n",
        b"name,amount\r\nann,1\r\n",
        b"\xef\xbb\xbfname,amount\r\nann,1",
        b"amount,name\n1,ann\n\n,\n",
        b'"name","amount"\n"ann","1"\n',
        b" name , amount\nann,1\n",
    ],
)
def test_csv_is_read_as_programs_write_it(tmp_path: Path, content: bytes) -> None:
    assert read(tmp_path / "f", content) == [(2, {"name": "ann", "amount": "1"})]


def test_a_line_of_several_lines_has_the_number_of_its_first(tmp_path: Path) -> None:
    content = b'name,amount\n"a\nb",1\n"c\n\nd",2\ne,3\n'
    assert [number for number, _ in read(tmp_path / "f", content)] == [2, 4, 7]


def test_notes_are_one_column_of_json_or_a_column_each(tmp_path: Path) -> None:
    content = b'name,metadata,metadata.plan\nann,"{""a"": ""=1""}",\'=gold\nbob,,\n'
    assert read(tmp_path / "f", content) == [
        (2, {"name": "ann", "metadata": {"a": "=1", "plan": "=gold"}}),
        (3, {"name": "bob"}),
    ]


@pytest.mark.parametrize(
    "content", ["name\nann\n".encode("utf-16"), "name\nann\n".encode("utf-16-le"), b"PK\x03\x04\0\0"]
)
def test_utf_16_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnfitFile, match="it is UTF-16, or no text; save it as UTF-8"):
        read(tmp_path / "f", content)


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (b"", ["line 1: there is no header, which names the columns"]),
        (b"name,amuont\na,1\n", ["line 1: 'amuont' is no column; the nearest is amount"]),
        (b"name,name\n", ["line 1: name is the name of two columns"]),
        (b"q\n", ["line 1: 'q' is no column; there are name, amount, metadata"]),
        (b"name;amount\na;1\n", ["line 1: commas must stand between the columns"]),
        (
            b"name\na\n\xff\nb\n",
            [(2, {"name": "a"}), "line 3: is not UTF-8: byte 1 is 0xff; what follows was not read"],
        ),
        (b'name\n"a\n', ["line 2: unexpected end of data; what follows was not read"]),
        (b'name\n"a"b\n', ["line 2: ',' expected after '\"'; what follows was not read"]),
        (b"name,metadata\na,[1]\n", ["line 2: metadata must be an object of JSON that has texts"]),
        (b'metadata\n"{""a"":""1"",""a"":""2""}"\n', ["line 2: metadata/a comes twice in its object"]),
        (b'metadata\n"{""a"":""1"",""\\u0061"":""1""}"\n', ["line 2: metadata/a comes twice in its object"]),
        (b'metadata.a,metadata\n1,"{""a"":""2""}"\n', ["line 2: metadata.a is in the column metadata too"]),
        (b'metadata,metadata.a\n"{""a"":""1""}",1\n', ["line 2: metadata.a is in the column metadata too"]),
        (b"name\n" + 5_000 * b"a\n" + b"\0\n", "line 5002: has the character U+0000; what follows was not read"),
        (b"name\n" + (LINE_BYTES_MAX + 1) * b"a", "line 2: is longer than 1048576 bytes; what follows was not read"),
        (b"name\n" + 200_000 * b"a", "line 2: field larger than field limit (131072); what follows was not read"),
    ],
)
def test_csv_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, faults: list[Any] | str) -> None:
    found = read(tmp_path / "f", content)
    assert found == faults if isinstance(faults, list) else found[-1] == faults


def test_json_lines_keep_their_types_and_every_digit(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"name":"ann","amount":0.10}\r\n\n{"amount":1,"metadata":{"a":"b"}}'
    (_, first), (number, second) = read(tmp_path / "f", content, "jsonl")
    assert (first["name"], str(first["amount"])) == ("ann", "0.10")
    assert (number, second) == (3, {"amount": 1, "metadata": {"a": "b"}})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{"name"', "line 1: is no JSON"),
        (b"[1]", "line 1: must be an object"),
        (b'{"nam":1}', "line 1: 'nam' is no column; the nearest is name"),
        (b'{"name":' * 100_000, "line 1: is no JSON"),
        (b'{"name":"\xff"}', "line 1: is not UTF-8: byte 10 is 0xff; what follows was not read"),
    ],
)
def test_json_that_cannot_be_read_says_where(tmp_path: Path, content: bytes, fault: str) -> None:
    assert read(tmp_path / "f", content, "jsonl") == [fault]


def test_what_follows_a_line_that_is_no_json_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "f", b'nonsense\n{"name":"a"}\n', "jsonl") == ["line 1: is no JSON", (2, {"name": "a"})]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (b'{"name":"ann","name":"bob","amount":1}', "name"),
        (b'{"name":"ann","name":"ann"}', "name"),
        (b'{"name" :"ann","name":"bob"}', "name"),
        (b'{"name"\t:"ann","name":"bob"}', "name"),
        (b'{"name":"ann","name"\r:"bob"}', "name"),
        (b'{"name":"ann","na\\u006de":"bob"}', "name"),
        (b'{"name":"a\\":b","amount":1,"name":"bob"}', "name"),
        (b'{"name":":","amount":1,"amount" :2}', "amount"),
        (b'{"name":"ann","metadata":{"a":"1","a":"2"}}', "metadata/a"),
        (b'{"name":"ann","metadata":{"a":"1"},"metadata":{"a":"1"}}', "metadata"),
        (b'{"name":"ann","metadata":{"a":"1"},"metadata":{}}', "metadata"),
        (b'{"name":{"a":1,"a":2}}', "name/a"),
        (b'{"metadata":{"\xc3\xa9\\u001b":"1","\xc3\xa9\\u001b":"2"}}', "metadata/\u00e9?"),
    ],
)
def test_a_name_that_comes_twice_in_an_object_is_a_fault_of_its_line(tmp_path: Path, line: bytes, column: str) -> None:
    found = read(tmp_path / "f", b'{"name":"a"}\n' + line + b'\n{"name":"b"}\n', "jsonl")
    assert found == [(1, {"name": "a"}), f"line 2: {column} comes twice in its object", (3, {"name": "b"})]


@pytest.mark.parametrize(
    "line",
    [
        b'{"name":"users:1","amount":"1","metadata":{"at":"12:30","to":":"}}\r',
        b'{ "name" : "users:1", "amount": 1, "metadata": {} }',
        b'{"name":"a\\":b","metadata":{"name":"b","metadata":"c"}}',
        b'{"name":": ","amount":{"name":{"name":1}}}',
        b'{\t"name"\t:\t"a" }',
    ],
)
def test_what_comes_once_is_read(tmp_path: Path, line: bytes) -> None:
    ((_, values),) = read(tmp_path / "f", line, "jsonl")
    assert values == loads(line)
