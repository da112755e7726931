"""The lines of a file of JSON Lines: plain ones many at a time, which takes half the time, and all others one by one.

Lines are plain if nothing can be wrong with them as JSON: each is one object with known names, none of them twice.
Where one of some lines is not, each is read alone, since a fault is said of a line.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

from msgspec import DecodeError, ValidationError, json

from koshel.files.faults import Fault
from koshel.files.lines import LINE_BYTES_MAX, METADATA, BrokenLine, Line, Read, of_twice, of_unknown, texts
from koshel.http.names import twice

AT_ONCE_BYTES = 1 << 16  # of plain lines

_decoder = json.Decoder(dict[str, Any], float_hook=Decimal)


def json_lines(file: BinaryIO, columns: Sequence[str]) -> Iterator[Read]:
    """The lines from here on, whose names are some of these. Empty lines are passed over."""
    known, number = frozenset(columns), 0
    try:
        while some := _some_lines(file):
            end = file.tell()
            objects = _plain(some, known)
            if objects is not None:
                for values in objects:
                    number += 1
                    yield Line(number, values, end)
            else:
                for text in texts(BytesIO(some)):
                    number += 1
                    yield from _one(text, number, end, columns)
    except BrokenLine as error:
        yield Fault(number + 1, None, f"{error}; what follows was not read")


def _some_lines(file: BinaryIO) -> bytes:
    """The next lines, or one of them that is long, or what can be told of one that is too long; nothing at the end."""
    begin = file.tell()
    read = file.read(AT_ONCE_BYTES)
    size = read.rfind(b"\n") + 1
    file.seek(begin + size)
    return read[:size] or file.readline(LINE_BYTES_MAX + 1)


def _plain(some: bytes, known: frozenset[str]) -> Sequence[dict[str, Any]] | None:
    """The objects of lines that are all plain; None if they are not, or if only reading them one by one can tell."""
    if not (some.startswith(b"{") and some.endswith(b"}\n")):
        return None
    try:
        text = some.decode()
        objects = _decoder.decode_lines(text)
    except (DecodeError, ArithmeticError, RecursionError, UnicodeDecodeError):
        return None
    # No object goes on where a line ends in } and the next one begins with {. So if there are as many such places as
    # there are between objects, each object has a line of its own.
    is_plain = text.count("}\n{") == len(objects) - 1 and known.issuperset(chain(*objects)) and _are_once(text, objects)
    return objects if is_plain else None


def _one(text: str, number: int, end: int, columns: Sequence[str]) -> Iterator[Read]:
    """What a line says, or what is wrong with it."""
    if not text.strip():
        return
    try:
        values = _decoder.decode(text)
    except ValidationError:
        yield Fault(number, None, "must be an object")
    except ArithmeticError:
        yield Fault(number, None, "has a number that is too large")
    except (DecodeError, RecursionError):
        yield Fault(number, None, "is no JSON")
    else:
        if unknown := [name for name in values if name not in columns]:
            yield from (of_unknown(number, name, columns) for name in unknown)
        elif not _are_once(text, [values]) and (pointer := twice(text.encode())) is not None:
            yield of_twice(number, pointer)
        else:
            yield Line(number, values, end)


def _are_once(text: str, objects: Sequence[dict[str, Any]]) -> bool:
    """Whether it is plain that no name comes twice, as it is of nearly all lines; `twice` takes ten times as long.

    Where no name has a space behind it, each has `":`, and so there are no more names than these.
    """
    names = sum(map(len, objects))
    if METADATA in text:
        names += sum(len(notes) for one in objects if type(notes := one.get(METADATA)) is dict)
    if text.count('":') != names or '" ' in text:
        return False
    return "\t" not in text and ("\r" not in text or '"\r' not in text)
