"""Rows of CSV, made of lines of JSON."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from msgspec import Raw, defstruct, json
from msgspec.structs import astuple

from koshel.db.export import Buffer
from koshel.files.cells import FORMULA, safe
from koshel.files.formats import DAYS, MONEY, NO_LIMIT, NUMBERS, OBJECTS, TIMES

_FORMULA = frozenset(FORMULA)
_NOTHING = (b"", b"{}", b"[]")


class Rows:
    """Writes to a file: a header first, and then a row for each line."""

    def __init__(self, columns: Sequence[str], file: BinaryIO) -> None:
        self._file = file
        # An object is decoded as late as can be: most have nothing in them.
        row = defstruct("Row", [(name, Raw, Raw(b"")) if name in OBJECTS else (name, Any, "") for name in columns])
        self._decode = json.Decoder(row).decode
        self._objects = [place for place, name in enumerate(columns) if name in OBJECTS]
        self._texts = [
            place for place, name in enumerate(columns) if name not in NUMBERS | MONEY | TIMES | DAYS | OBJECTS
        ]
        self._limit = columns.index("max_balance") if "max_balance" in columns else None
        self._put([columns])

    def write(self, lines: Iterable[Buffer]) -> None:
        """Some lines, each with all its columns; those that are not there are empty cells."""
        decode, cells = self._decode, self._cells
        self._put([cells(astuple(decode(line))) for line in lines])

    def _cells(self, values: Sequence[Any]) -> Sequence[Any]:
        cells = list(values)
        for place in self._texts:
            text = cells[place]
            if text and text[0] in _FORMULA:
                cells[place] = safe(text)
        for place in self._objects:
            raw = bytes(cells[place])
            cells[place] = "" if raw in _NOTHING else json.encode(json.decode(raw)).decode()
        if self._limit is not None and cells[self._limit] is None:
            cells[self._limit] = NO_LIMIT
        return cells

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        self._file.write(text.getvalue().encode())
