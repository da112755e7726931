"""The lines of a file, CSV or JSON Lines, each with its number; what cannot be read is a fault in its place.

A file is read line by line: memory does not grow with it. It is UTF-8, with or without a byte order mark; lines end in
LF or CRLF.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import DecodeError, ValidationError, json

from koshel.files.cells import unsafe
from koshel.files.faults import Fault, UnfitFile
from koshel.files.json_lines import json_lines
from koshel.files.lines import METADATA, BrokenLine, Line, Read, of_twice, of_unknown, texts
from koshel.http.names import twice

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LOOK_BYTES = 4096


def lines_of(path: str, form: str, columns: Sequence[str]) -> Iterator[Read]:
    """The lines of a file whose columns are some of these. Raises UnfitFile, OSError."""
    with Path(path).open("rb") as file:
        _check_encoding(path, file)
        yield from _csv(file, columns) if form == "csv" else json_lines(file, columns)


def _check_encoding(path: str, file: BinaryIO) -> None:
    begin = file.read(_LOOK_BYTES)
    if begin.startswith(_UTF_16) or b"\0" in begin:
        raise UnfitFile(f"{path}: it is UTF-16, or no text; save it as UTF-8")
    file.seek(len(codecs.BOM_UTF8) if begin.startswith(codecs.BOM_UTF8) else 0)


def _csv(file: BinaryIO, columns: Sequence[str]) -> Iterator[Read]:
    """After a line that is broken nobody knows where the next one begins, so that fault is the last."""
    reader = csv.reader(texts(file), strict=True)
    number = 1
    try:
        header = next(reader, None)
        if header is None:
            yield Fault(1, None, "there is no header, which names the columns")
            return
        names = [unsafe(name).strip() for name in header]
        if faults := list(_of_header(names, columns)):
            yield from faults
            return
        number = reader.line_num + 1
        has_notes = any(map(_is_metadata, names))
        for cells in reader:
            if not has_notes and len(cells) == len(names):  # as nearly all lines are
                said = zip(names, cells, strict=True)
                values = {name: cell if cell[0] != "'" else unsafe(cell) for name, cell in said if cell}
                if values:
                    yield Line(number, values, file.tell())
            else:
                yield from _row(number, names, cells, file.tell())
            number = reader.line_num + 1
    except (BrokenLine, csv.Error) as error:
        yield Fault(number, None, f"{error}; what follows was not read")


def _of_header(names: Sequence[str], columns: Sequence[str]) -> Iterator[Fault]:
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        yield Fault(1, None, "commas must stand between the columns")
        return
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Fault(1, name, "is the name of two columns")
        elif not _is_known(name, columns):
            yield of_unknown(1, name, columns)


def _row(number: int, names: Sequence[str], cells: Sequence[str], end: int) -> Iterator[Read]:
    if not any(cells):
        return  # an empty line, as spreadsheets leave them at the end
    if len(cells) != len(names):
        yield Fault(number, None, f"has {len(cells)} columns, but the header names {len(names)}")
        return
    values: dict[str, Any] = {}
    notes: dict[str, str] = {}  # that have a column each
    together: dict[str, str] = {}
    for name, cell in zip(names, cells, strict=True):
        if not cell:
            continue
        if name.startswith(f"{METADATA}."):
            notes[name.removeprefix(f"{METADATA}.")] = unsafe(cell)
        elif name != METADATA:
            values[name] = unsafe(cell)
        else:
            try:
                together = json.decode(cell, type=dict[str, str])
            except (ValidationError, DecodeError):
                yield Fault(number, METADATA, "must be an object of JSON that has texts")
                return
            if (pointer := twice(cell.encode())) is not None:
                yield of_twice(number, f"/{METADATA}{pointer}")
                return
    if both := [name for name in notes if name in together]:
        yield from (Fault(number, f"{METADATA}.{name}", f"is in the column {METADATA} too") for name in both)
    else:
        notes |= together
        yield Line(number, values | ({METADATA: notes} if notes else {}), end)


def _is_metadata(name: str) -> bool:
    return name.startswith(METADATA)


def _is_known(name: str, columns: Sequence[str]) -> bool:
    return name in columns or (name.startswith(f"{METADATA}.") and METADATA in columns)
