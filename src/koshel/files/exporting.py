"""A ledger's accounts, transactions or lines, written to a file."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from koshel.db import export
from koshel.db.export import Buffer
from koshel.files.faults import UnfitFile
from koshel.files.formats import FORMATS, csv_of
from koshel.files.written import STDOUT, written

_LOOK_EVERY = 10_000  # lines, between two words on the progress


def format_of(path: str, named: str | None) -> str:
    """The format that is named, or else that of the path's suffix. Raises UnfitFile."""
    if named is not None:
        return named
    if path == STDOUT:
        return FORMATS[0]
    suffix = PurePath(path).suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise UnfitFile(f"{path}: the name must end in .{' or .'.join(FORMATS)}, or --format must say what it is")
    return suffix


def export_to(
    path: str, form: str, found: export.Export, kind: str, progress: Callable[[float], None] = lambda _: None
) -> int:
    """Write all lines of an export; returns how many there were."""
    count = 0

    def watched() -> Iterator[Buffer]:
        nonlocal count
        whole = max(1, found.last - found.first)
        for line in found.lines:
            if count % _LOOK_EVERY == 0:
                progress((_id_of(line) - found.first) / whole)
            count += 1
            yield line

    lines: Iterable[Buffer] = watched()
    with written(path) as file:
        file.writelines(lines if form == "jsonl" else csv_of(lines, kind))
    return count


def _id_of(line: Buffer) -> int:
    """The first value of an object, which is an id."""
    return int(bytes(line[:60]).partition(b":")[2].partition(b",")[0])
