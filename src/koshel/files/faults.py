"""What is wrong with a file: where, and why."""

from msgspec import Struct

from koshel.errors import Refused

FAULTS_MAX = 100  # that are said of a file


class Fault(Struct, frozen=True):
    """Why a line cannot be imported; `column`: which of its values is wrong, None if it is the line."""

    line: int  # of the file, from 1
    column: str | None
    reason: str

    def __str__(self) -> str:
        return (
            f"line {self.line}: {self.reason}"
            if self.column is None
            else f"line {self.line}: {self.column} {self.reason}"
        )


class UnfitFile(Exception):
    """A file cannot be written or read as it was asked for; the message is one line."""


class Faulty(Exception):
    """A file has faults, FAULTS_MAX at most, and nothing of it was imported."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


class Stopped(Exception):
    """A line was refused when its turn came. What stands before `since` was imported, and nothing from there on.

    `older`: the first line whose time is before that of a line above it, if there is one: that may be why.
    """

    def __init__(self, line: int, since: int, refused: Refused, older: int | None = None) -> None:
        super().__init__(line, since, refused, older)
        self.line = line
        self.since = since
        self.refused = refused
        self.older = older

    def __str__(self) -> str:
        before = f"the lines before line {self.since} were imported, those from there on were not"
        hint = "" if self.older is None else f"; line {self.older} is older than a line above it: sort them by ctime"
        return f"line {self.line}: {self.refused}; {before}: put it right, and run it again{hint}"
