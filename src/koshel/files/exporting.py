"""A ledger's accounts, transactions or lines, written to a file."""

from collections.abc import Callable
from itertools import chain, islice
from pathlib import PurePath

from koshel.db import export
from koshel.db.export import Buffer
from koshel.files.faults import UnfitFile
from koshel.files.formats import COLUMNS, FORMATS, READABLE
from koshel.files.writing import writing
from koshel.files.written import STDOUT, written

BLOCK = 1_000  # lines, between two words on the progress


def format_of(path: str, named: str | None, *, to_read: bool = False) -> str:
    """The format that is named, or else that of the path's suffix. Raises UnfitFile."""
    known = READABLE if to_read else FORMATS
    if named is not None:
        return named
    if path == STDOUT:
        return known[0]
    suffix = PurePath(path).suffix.removeprefix(".").lower()
    if suffix not in known:
        raise UnfitFile(f"{path}: the name must end in .{' or .'.join(known)}, or --format must say what it is")
    return suffix


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
