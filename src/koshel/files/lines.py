"""A line of a file, and what reading one line takes, whichever format it is in."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, BinaryIO, TypeAlias

from msgspec import Struct

from koshel.files.faults import Fault
from koshel.http.problems import SHOWN_MAX, printable

LINE_BYTES_MAX = 1 << 20  # of a line of a file
METADATA = "metadata"


class Line(Struct, frozen=True, gc=False):
    """A line: where it begins, and what its columns say; those that say nothing are left out."""

    number: int
    values: dict[str, Any]  # of CSV texts; of JSON what stood there, None for null
    end: int  # how many bytes of the file were read then


Read: TypeAlias = Line | Fault


class BrokenLine(Exception):
    """The line that is read now is no text."""


def texts(file: BinaryIO) -> Iterator[str]:
    """The lines of a file, each with its end. Raises BrokenLine."""
    while raw := file.readline(LINE_BYTES_MAX + 1):
        if len(raw) > LINE_BYTES_MAX:
            raise BrokenLine(f"is longer than {LINE_BYTES_MAX} bytes")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise BrokenLine(f"is not UTF-8: byte {error.start + 1} is 0x{raw[error.start]:02x}") from None
        if "\0" in text:
            raise BrokenLine("has the character U+0000")
        yield text


def of_twice(number: int, pointer: str) -> Fault:
    """The fault of a line with a name that comes twice: where, as a JSON pointer."""
    return Fault(number, printable(pointer[1:], SHOWN_MAX), "comes twice in its object")


def of_unknown(number: int, name: str, columns: Sequence[str]) -> Fault:
    """The fault of a name that is none of these columns."""
    near = get_close_matches(name, columns, 1)
    others = f"; the nearest is {near[0]}" if near else f"; there are {', '.join(columns)}"
    return Fault(number, repr(name), f"is no column{others}")
