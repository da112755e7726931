"""What a filter says as it is written: comparisons, and how they are joined. Data only."""

from typing import TypeAlias

from msgspec import Struct


class Word(Struct, frozen=True):
    """A value as it was written."""

    text: str
    is_quoted: bool


class Compared(Struct, frozen=True):
    """A comparison: of a field, or of one of its entries, with some values."""

    field: str
    entry: str | None
    operator: str  # `in`: with any of the values
    values: tuple[Word, ...]


class Joined(Struct, frozen=True):
    """Parts, all of which have to be true, or any."""

    parts: "tuple[Part, ...]"
    is_and: bool


class Negated(Struct, frozen=True):
    """A part that has to be false."""

    part: "Part"


Part: TypeAlias = Compared | Joined | Negated


class NotOfGrammar(Exception):
    """A text that is no filter; `at`: the number of the character that cannot stand there, None: it ends too early."""

    def __init__(self, at: int | None) -> None:
        super().__init__(at)
        self.at = at
