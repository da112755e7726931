"""The gate before the database: closed until the start has found that the database is there, and fit."""

import mmap


class NotOpenYet(ConnectionError):
    """The start has not reached the database yet."""


class Gate:
    """Made before the workers are forked: one byte of memory that they all share says whether it is open."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    @property
    def is_open(self) -> bool:
        """Whether connections may be made."""
        return self._shared[0] != 0

    def open(self) -> None:
        """For good, and in every process."""
        self._shared[0] = 1
