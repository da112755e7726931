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
    """A line was refused when its turn came. What stands before `since` was imported, and nothing from there on."""

    def __init__(self, line: int, since: int, refused: Refused) -> None:
        super().__init__(line, since, refused)
        self.line = line
        self.since = since
        self.refused = refused

    def __str__(self) -> str:
        before = f"the lines before line {self.since} were imported, those from there on were not"
        return f"line {self.line}: {self.refused}; {before}: put it right, and run it again"
