"""A filter as an expression: comparisons of fields with values, joined by AND and OR. Data, and a predicate of it.

There is no NOT: when an expression is made, NOT is pushed down to the comparisons, each of which is negated or not.
A comparison is true or false of a row, never unknown. So NOT is what it says: what a field does not have equals nothing
but null, and is neither more nor less than any value.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
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


Predicate: TypeAlias = Callable[[RowT], bool]
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


def predicate(one: Expression, fields: Fields[RowT], *, if_unknown: bool | None = None) -> Predicate[RowT]:
    """Whether a row is as the expression says, as a function: it is called for each of many rows.

    `if_unknown`: what a comparison is whose field is not among these, be it negated or not; None: there is none such.
    The depth is bounded where a filter is read.
    """
    match one:
        case Comparison():
            if if_unknown is not None and one.field not in fields:
                return lambda _: if_unknown
            return _compared(one, fields[one.field].of)
        case And():
            return _joined([predicate(part, fields, if_unknown=if_unknown) for part in one.parts], ends_with=False)
        case Or():
            return _joined([predicate(part, fields, if_unknown=if_unknown) for part in one.parts], ends_with=True)


def _joined(parts: Sequence[Predicate[RowT]], *, ends_with: bool) -> Predicate[RowT]:
    def test(row: RowT) -> bool:
        for part in parts:
            if part(row) is ends_with:
                return ends_with
        return not ends_with

    return test


def _compared(one: Comparison, of: Callable[[RowT], Any]) -> Predicate[RowT]:
    is_true, entry, is_wanted = _truth(one), one.entry, not one.is_negated

    def test(row: RowT) -> bool:
        value = of(row)
        if entry:
            value = value.get(entry)
        if type(value) is tuple:
            return any(is_true(each) for each in value) is is_wanted
        return is_true(value) is is_wanted

    return test


def _truth(one: Comparison) -> Predicate[Any]:
    """Whether a single value is as it is compared."""
    if one.operator in ORDERINGS:
        compare, bound = ORDERINGS[one.operator], one.values[0]
        return lambda value: value is not None and compare(value, bound)
    equal = frozenset(value for value in one.values if not isinstance(value, Prefix))
    begins = tuple(value.begin for value in one.values if isinstance(value, Prefix))
    if not begins:
        return equal.__contains__
    return lambda value: value in equal or (value is not None and value.startswith(begins))
