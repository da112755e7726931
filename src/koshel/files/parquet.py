"""Parquet, made of lines of JSON: a row group at a time, so that memory does not grow with the file.

Money is a decimal with as many digits as Koshel keeps of any currency, so it is exact; its currency says how many of
them it has. Times are in UTC, to the microsecond. Objects are texts of JSON.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from io import RawIOBase
from typing import Any, BinaryIO

from msgspec import Raw, defstruct, json

from koshel.config.extras import how_to_install
from koshel.core.money import INTEGER_DIGITS_MAX, SCALE_MAX
from koshel.db.export import Buffer
from koshel.files.faults import UnfitFile
from koshel.files.formats import DAYS, MONEY, NUMBERS, OBJECTS, TIMES

try:
    import pyarrow as pa
    from pyarrow import parquet as pq
except ImportError:
    raise UnfitFile(f"Parquet is written by pyarrow: {how_to_install('parquet')}") from None

GROUP_ROWS = 100_000  # some 30 MB in memory

_MONEY = pa.decimal128(INTEGER_DIGITS_MAX + SCALE_MAX, SCALE_MAX)


class Rows:
    """Writes to a file: a row for each line."""

    def __init__(self, columns: Sequence[str], writer: Any) -> None:
        self._writer = writer
        row = defstruct("Row", [_field(name) for name in columns])
        self._decode = json.Decoder(row).decode
        self._columns = columns
        self._batches: list[Any] = []
        self._count = 0  # of rows that are not written yet

    def write(self, lines: Iterable[Buffer]) -> None:
        """Some lines; what is not in one is null."""
        rows = [self._decode(line) for line in lines]
        arrays = [pa.array([_value(getattr(row, name)) for row in rows], _type(name)) for name in self._columns]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, names=self._columns))
        self._count += len(rows)
        if self._count >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet, as a row group."""
        if self._count:
            self._writer.write_table(pa.Table.from_batches(self._batches))
        self._batches, self._count = [], 0


class _Sink(RawIOBase):
    """Writes to a file until it is given up: a writer that is let go of would make a whole file of what it has."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.is_given_up = False

    def writable(self) -> bool:
        """As pyarrow asks for."""
        return True

    def write(self, data: Any) -> int:
        """All of it."""
        return len(data) if self.is_given_up else self._file.write(data)


@contextmanager
def opened(columns: Sequence[str], file: BinaryIO) -> Iterator[Rows]:
    """Rows with these columns; the file is complete at the end of the block, and cannot be read if that fails."""
    schema = pa.schema([(name, _type(name)) for name in columns])
    sink = _Sink(file)
    writer = pq.ParquetWriter(sink, schema, compression="zstd")
    rows = Rows(columns, writer)
    try:
        yield rows
        rows.flush()
        writer.close()
    except BaseException:
        sink.is_given_up = True
        raise


def _type(name: str) -> Any:
    """Of a column in the file."""
    if name in NUMBERS:
        return pa.int64()
    if name in MONEY:
        return _MONEY
    if name in TIMES:
        return pa.timestamp("us", tz="UTC")
    return pa.date32() if name in DAYS else pa.string()


def _field(name: str) -> tuple[str, Any, Any]:
    """Of a line, with its default."""
    if name in OBJECTS:
        return name, Raw, Raw(b"")
    known = {int: NUMBERS, Decimal: MONEY, datetime: TIMES, date: DAYS}
    kind = next((kind for kind, names in known.items() if name in names), str)
    return name, kind | None, None


def _value(value: Any) -> Any:
    return (bytes(value).decode() or None) if type(value) is Raw else value
