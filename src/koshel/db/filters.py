"""A filter as an expression: comparisons of fields with values, joined by AND and OR. Data, and whether a row meets it.

There is no NOT: when an expression is made, NOT is pushed down to the comparisons, each of which is negated or not.
A comparison is true or false of a row, never unknown. So NOT is what it says: what a field does not have equals nothing
but null, and is neither more nor less than any value.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

RowT = TypeVar("RowT")
ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Prefix(Struct, frozen=True):
    """How the name of an account begins."""

    begin: str


Value: TypeAlias = int | str | Decimal | datetime | date | Prefix | None


class Type(Enum):
    """What the values of a field are."""

    NUMBER = "whole number"
    AMOUNT = "amount"
    TIME = "time"
    DATE = "date"
    TEXT = "text"
    EMAIL = "email address"
    NAME = "name of an account"
    CHOICE = "one of a few words"


class Access(Enum):
    """What an index does for a comparison of the field."""

    PROBE = "it finds the rows that have one value"
    CHOICES = "it finds the rows that have one of a few values; each row has one"
    RANGE = "it finds the rows between two values, in the order of the list; each row has one"
    NONE = "there is none"


class Field(Struct, Generic[RowT], frozen=True):
    """A field of a list's rows that a filter may name."""

    type: Type
    of: Callable[[RowT], Any]  # its value; of a field that has several, a tuple of them
    access: Access = Access.NONE
    rank: int = 0  # of those that an index finds, the highest finds the fewest rows
    index: str = ""  # the one of PostgreSQL, and of what is posted where there are several
    has_prefixes: bool = False  # whether the index finds what begins with a text too
    choices: tuple[str, ...] = ()
    usual: frozenset[str] = frozenset()  # of these: what most rows have, so that it finds too many


Fields: TypeAlias = Mapping[str, Field[RowT]]


class Comparison(Struct, frozen=True):
    """A field and some values. `operator`: `in`, equal to one of them; or one of ORDERINGS, with one value."""

    field: str
    operator: str
    values: tuple[Value, ...]
    is_negated: bool = False
    entry: str = ""  # of metadata: which


class And(Struct, frozen=True):
    """All of its parts."""

    parts: "tuple[Expression, ...]"


class Or(Struct, frozen=True):
    """At least one of its parts."""

    parts: "tuple[Expression, ...]"


Expression: TypeAlias = Comparison | And | Or


def negated(one: Expression) -> Expression:
    """What is true where the other one is false."""
    match one:
        case Comparison():
            return replace(one, is_negated=not one.is_negated)
        case And():
            return Or(tuple(negated(part) for part in one.parts))
        case Or():
            return And(tuple(negated(part) for part in one.parts))


def is_met(one: Expression, row: RowT, fields: Fields[RowT]) -> bool:
    """Whether a row is as the expression says. Its depth is bounded where it is read."""
    match one:
        case Comparison():
            return _is_true(one, fields[one.field].of(row)) is not one.is_negated
        case And():
            return all(is_met(part, row, fields) for part in one.parts)
        case Or():
            return any(is_met(part, row, fields) for part in one.parts)


def _is_true(one: Comparison, value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_is_true(one, each) for each in value)
    if one.entry:
        value = value.get(one.entry)
    if one.operator in ORDERINGS:
        return value is not None and ORDERINGS[one.operator](value, one.values[0])
    return any(equals(value, wanted) for wanted in one.values)


def equals(value: Any, wanted: Value) -> bool:
    """Whether a value is as it is wanted; a prefix is met by what begins so."""
    if isinstance(wanted, Prefix):
        return value is not None and value.startswith(wanted.begin)
    return bool(value == wanted)
