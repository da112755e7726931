"""Filters made up of a row's fields and their values: as text, and in plain Python."""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from hypothesis import strategies as st

Made: TypeAlias = tuple[str, Callable[[Mapping[str, Any]], bool]]  # its text, and whether a row meets it
Values: TypeAlias = Mapping[str, Sequence[Any]]  # by field, what it can be compared with

ORDERED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def filters(of: Values, ordered: set[str]) -> st.SearchStrategy[Made]:
    """Filters over these fields; those that are `ordered` are compared by more and less too."""
    return st.recursive(_comparisons(of, ordered), _joined, max_leaves=6)


def found_filters(of: Values, ordered: set[str], indexed: Sequence[str]) -> st.SearchStrategy[Made]:
    """Filters each part of which an index finds, by one of the fields that are `indexed`."""
    whole = filters(of, ordered)
    by = st.sampled_from([name for name in indexed if name in of]).flatmap(
        lambda name: st.builds(
            _equal, st.just(name), st.lists(st.sampled_from([*of[name]]), min_size=1, max_size=2), st.just(value=True)
        )
    )
    parts = by | st.builds(lambda one, other: _all([one, other]), by, whole)
    return st.builds(_any, st.lists(parts, min_size=1, max_size=4)) | parts | whole


def _comparisons(of: Values, ordered: set[str]) -> st.SearchStrategy[Made]:
    def of_field(field: str) -> st.SearchStrategy[Made]:
        values = st.sampled_from([*of[field]])
        equal = st.builds(_equal, st.just(field), st.lists(values | st.none(), min_size=1, max_size=3), st.booleans())
        if field not in ordered:
            return equal
        return equal | st.builds(_ordered, st.just(field), st.sampled_from([*ORDERED]), values)

    return st.sampled_from([*of]).flatmap(of_field)


def _joined(parts: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    several = st.lists(parts, min_size=2, max_size=3)
    return st.builds(_all, several) | st.builds(_any, several) | st.builds(_not, parts)


def _all(parts: Sequence[Made]) -> Made:
    return " and ".join(f"({text})" for text, _ in parts), lambda row: all(is_met(row) for _, is_met in parts)


def _any(parts: Sequence[Made]) -> Made:
    return " OR ".join(f"({text})" for text, _ in parts), lambda row: any(is_met(row) for _, is_met in parts)


def _not(part: Made) -> Made:
    return f"not ({part[0]})", lambda row: not part[1](row)


def _equal(field: str, values: Sequence[Any], is_equal: bool) -> Made:  # noqa: FBT001  a strategy gives it
    words = [written(value) for value in values]
    if len(values) == 1:
        text = f"{field} {'=' if is_equal else '!='} {words[0]}"
    else:
        text = f"{field} {'in' if is_equal else 'not in'} ({', '.join(words)})"
    return text, lambda row: any(has(row[field], value) for value in values) is is_equal


def has(own: Any, value: Any) -> bool:
    if isinstance(own, set):
        return any(has(one, value) for one in own)
    if isinstance(value, str) and value.endswith("*"):
        return own is not None and own.startswith(value[:-1])
    return bool(own == value)


def _ordered(field: str, sign: str, value: Any) -> Made:
    return f"{field}{sign}{written(value)}", lambda row: row[field] is not None and ORDERED[sign](row[field], value)


def written(value: Any) -> str:
    """The value as a filter has it."""
    match value:
        case None:
            return "null"
        case str():
            is_word = re.fullmatch(r"[A-Za-z0-9_:.*-]+", value) and value != "null"
            return value if is_word else json.dumps(value)
        case int() | Decimal():
            return str(value)
        case _:
            return str(value.isoformat())
