"""A file that is there as a whole or not at all: written beside its place, and put there at the end."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

STDOUT = "-"
_BUFFER_BYTES = 1 << 20


@contextmanager
def written(path: str) -> Iterator[BinaryIO]:
    """To write to. If that fails, what stood at the path stands there still, and nothing else is left behind."""
    if path == STDOUT:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
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
