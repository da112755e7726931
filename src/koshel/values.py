"""What a value may be, whether it comes over HTTP or from a program: amounts, keys, metadata, and their limits."""

import re
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from koshel.core.commands import METADATA_MAX
from koshel.core.money import CEILING, DECIMALS_MAX

Money = Decimal | str | int
_EXACT = (Decimal, str, int)

ID_MAX = 2**63 - 1
MEMBERS_MAX = 1_000  # of a batch
END = r"(?!\n)$"  # of a text: Python's `$` alone would let a newline follow; RE2's and ECMAScript's do not
KEY_PATTERN = rf"^[\x21-\x7e]{{1,255}}{END}"  # of an idempotency key
TEXT_PATTERN = r"^[^\x00]*$"  # PostgreSQL keeps every character but this one

Id = Annotated[int, Meta(ge=1, le=ID_MAX)]
Key = Annotated[str, Meta(pattern=KEY_PATTERN)]
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=TEXT_PATTERN)]
Note = Annotated[str, Meta(max_length=500, pattern=TEXT_PATTERN)]
Notes = Annotated[
    dict[Name, Note],
    Meta(max_length=METADATA_MAX, description=f"Your own notes: at most {METADATA_MAX} strings by name."),
]
NotesPatch = Annotated[
    dict[Name, Note | None],
    Meta(max_length=2 * METADATA_MAX, description="Merged into what is there; null removes an entry."),
]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?")


class Texts(Struct, frozen=True):
    """What a command says that is not money."""

    key: Key | None
    metadata: Notes


def positive(amount: Money) -> Decimal:
    """An amount to move."""
    value = exact(amount)
    if value <= 0:
        message = f"{amount} is not more than zero"
        raise ValueError(message)
    return value


def floor(amount: Money) -> Decimal:
    """A min_balance."""
    value = exact(amount)
    if value > 0:
        raise ValueError("min_balance must not be more than zero")
    return value


def ceiling(amount: Money) -> Decimal:
    """A max_balance."""
    value = exact(amount)
    if value < 0:
        raise ValueError("max_balance must not be less than zero")
    return value


def exact(amount: object) -> Decimal:
    """The amount, in digits that Koshel can keep."""
    if isinstance(amount, bool) or not isinstance(amount, _EXACT):
        message = f"{amount!r} is not exact: give a Decimal, a str or an int"
        raise TypeError(message)
    if isinstance(amount, str) and not _NUMBER.fullmatch(amount):
        message = f"{amount!r} is not a decimal number"
        raise ValueError(message)
    value = Decimal(amount)
    # Not abs(), which rounds to the thread's own precision.
    if not value.is_finite() or value.copy_abs() >= CEILING or _decimals(value) > DECIMALS_MAX:
        message = f"{amount} has more digits than an amount can have"
        raise ValueError(message)
    return value


def _decimals(value: Decimal) -> int:
    """Of a finite value, how many digits are after the point, or if they are few: at most how many."""
    text = str(value)
    if len(text) <= DECIMALS_MAX and "E" not in text.upper():  # nearly always, and a tuple takes several times as long
        return len(text)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent
