"""A file that is there as a whole or not at all: written beside its place, and put there at the end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STDOUT = "-"
_BUFFER_BYTES = 1 << 20


class ReaderGone(Exception):
    """Whoever was reading standard output reads no more, as `head` does when it has enough."""


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """To write to. If that fails, what stood at the path stands there still, and nothing else is left behind.

    Raises OSError; ReaderGone for standard output, which takes whatever is written to it from then on.
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
    part = Path(f"{path}.part")
    try:
        with part.open("wb", buffering=_BUFFER_BYTES) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
