"""Lines of JSON, written to a file in whichever format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

from koshel.db.export import Buffer
from koshel.files.csv_rows import Rows

Write: TypeAlias = Callable[[Iterable[Buffer]], object]  # some lines, each with a line feed


@contextmanager
def writing(form: str, columns: Sequence[str], file: BinaryIO) -> Iterator[Write]:
    """Writes lines to the file, in one of FORMATS, with these columns. Raises UnfitFile."""
    match form:
        case "jsonl":
            yield file.writelines
        case "csv":
            yield Rows(columns, file).write
        case _:
            from koshel.files.parquet import opened  # noqa: PLC0415  pyarrow takes long to load, and may not be there

            with opened(columns, file) as rows:
                yield rows.write
