"""A file that is there as a whole or not at all: written beside its place, and put there at the end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

STDOUT = "-"
_BUFFER_BYTES = 1 << 20
_TOKEN_BYTES = 4


class ReaderGone(Exception):
    """Whoever was reading standard output reads no more, as `head` does when it has enough."""


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """To write to. If that fails, what stood at the path stands there still, and nothing else is left behind.

    What is there and is no file, such as a pipe or a device, is written to as it is. Raises OSError, which names this
    path; ReaderGone for standard output, which takes whatever is written to it from then on.
    """
    if path == STDOUT:
        try:
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as nothing:  # else the end of the process would complain again
                os.dup2(nothing.fileno(), sys.stdout.fileno())
            raise ReaderGone from None
        return
    place = Path(path)
    if place.exists() and not place.is_file():
        with place.open("wb", buffering=_BUFFER_BYTES) as file:
            yield file
        return
    part = Path(f"{path}.{token_hex(_TOKEN_BYTES)}.part")  # another export may be writing the same file
    try:
        with _named(part, path), part.open("xb", buffering=_BUFFER_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with _named(part, path):
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _named(part: Path, path: str) -> Iterator[None]:
    """What the system says of one file, said of the other: of what was asked for."""
    try:
        yield
    except OSError as error:
        if error.filename != str(part):
            raise
        raise OSError(error.errno, error.strerror, path) from error
