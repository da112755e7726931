"""A ledger's accounts, transactions or lines, written to a file."""

from collections.abc import Callable
from itertools import chain, islice

from koshel.db import export
from koshel.db.export import Buffer
from koshel.files.formats import COLUMNS
from koshel.files.writing import writing
from koshel.files.written import written

BLOCK = 1_000  # lines, between two words on the progress


def export_to(
    path: str, form: str, found: export.Export, kind: str, progress: Callable[[float], None] = lambda _: None
) -> int:
    """Write all lines of an export; returns how many there were. Raises UnfitFile, OSError, ReaderGone."""
    whole = max(1, found.last - found.first)
    with written(path) as file, writing(form, COLUMNS[kind], file) as write:
        for first in found.lines:
            progress((_id_of(first) - found.first) / whole)
            write(chain((first,), islice(found.lines, BLOCK - 1)))
    return found.count()


def _id_of(line: Buffer) -> int:
    """The first value of an object, which is an id."""
    return int(bytes(line[:60]).partition(b":")[2].partition(b",")[0])
