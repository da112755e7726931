"""Which indexes find the rows that a filter wants: one path, or one for each part of an OR.

    a filter and the parameters beside it ──plan──▶ some access paths, which find all rows that it wants, and others too
                                          └───────▶ NotIndexed, with what would help; TooWide

An AND needs one part that an index finds, and the others only look at its rows. An OR needs it in each part.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from koshel.db.reading.filters import Access, And, Comparison, Expression, Field, Fields, Or, Prefix, Value
from koshel.db.reading.wanted import NotIndexed, TooWide

PATHS_MAX = 8  # each is a statement for a page

Bounds: TypeAlias = tuple[Any, Any]  # from the one to the other, both with it; None: without end

_FLIPPED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class AccessPath(Struct, frozen=True):
    """What indexes can know of the rows that are wanted, by field; of a field nothing: whatever its value is."""

    probes: Mapping[str, Value] = {}
    choices: Mapping[str, frozenset[str]] = {}
    ranges: Mapping[str, Bounds] = {}
    rank: int = 0  # 0: no index finds them
    named: tuple[str, ...] = ()  # the fields of a filter that it comes from

    def bounds(self, field: str) -> Bounds:
        """Between which values the field is."""
        return self.ranges.get(field, (None, None))


def plan(expression: Expression | None, fields: Fields[Any], given: AccessPath) -> Sequence[AccessPath]:
    """The paths that find the rows that the filter wants; `given`: what the parameters beside it say.

    Raises NotIndexed and TooWide.
    """
    if expression is None:
        return [given]
    found = _all_of([[given], _paths(expression, fields)])
    if len(found) > PATHS_MAX:
        raise TooWide(len(found), PATHS_MAX)
    for path in found:
        if path.rank == 0:
            found_by = [name for name, field in fields.items() if field.rank and field.access is not Access.NONE]
            others = [name for name in found_by if name not in path.named]
            raise NotIndexed(sorted({*path.named}), others or found_by, is_filter=True)
    return found


def _paths(expression: Expression, fields: Fields[Any]) -> Sequence[AccessPath]:
    match expression:
        case Comparison():
            return list(_of_comparison(expression, fields[expression.field]))
        case And():
            return _all_of([_paths(part, fields) for part in expression.parts])
        case Or():
            return [path for part in expression.parts for path in _paths(part, fields)]


def _of_comparison(one: Comparison, field: Field[Any]) -> Iterator[AccessPath]:
    named, values = (one.field,), one.values
    is_equal = one.operator == "in" and not one.is_negated
    if field.access is Access.PROBE and is_equal and all(_is_probed(value, field) for value in values):
        yield from (AccessPath(probes={one.field: value}, rank=field.rank, named=named) for value in values)
    elif field.access is Access.CHOICES and one.operator == "in":
        among = frozenset(one for one in field.choices if (one in values) is is_equal)
        rank = field.rank if is_equal and not among & field.usual else 0
        yield AccessPath(choices={one.field: among}, rank=rank, named=named)
    elif field.access is Access.RANGE and (bounds := _bounds(one)) is not None:
        yield AccessPath(ranges={one.field: bounds}, rank=field.rank, named=named)
    else:
        yield AccessPath(named=named)


def _is_probed(value: Value, field: Field[Any]) -> bool:
    return value is not None and (field.has_prefixes or not isinstance(value, Prefix))


def _bounds(one: Comparison) -> Bounds | None:
    """Between which values; a bound too far is no fault, as the rows are compared again."""
    if one.operator == "in":
        known = [value for value in one.values if value is not None]
        return None if one.is_negated or len(known) < len(one.values) else (min(known), max(known))  # type: ignore[type-var]
    operator = _FLIPPED[one.operator] if one.is_negated else one.operator
    (value,) = one.values
    return (None, value) if operator[0] == "<" else (value, None)


def _all_of(parts: Iterable[Sequence[AccessPath]]) -> Sequence[AccessPath]:
    """What finds the rows of all parts: what each of them says alone, and the best OR, if that finds fewer rows."""
    common, best = AccessPath(), None
    for some in parts:
        if len(some) == 1:
            common = _both(common, some[0])
        elif best is None or _worth(some) > _worth(best):
            best = some
    if best is None:
        return [common]
    _, few, rank, _ = _worth(best)
    if rank > common.rank and (few or common.rank == 0):
        return [_both(common, path) for path in best]
    lacking = [path.named for path in best if path.rank == 0]
    return [_both(common, AccessPath(named=lacking[0] if lacking else ()))]


def _worth(some: Sequence[AccessPath]) -> tuple[bool, bool, int, int]:
    """How much an OR helps: the most if it has an index in each part, and few parts."""
    rank, few = min(path.rank for path in some), len(some) <= PATHS_MAX
    return rank > 0, few, rank, -len(some)


def _both(one: AccessPath, other: AccessPath) -> AccessPath:
    """What both say. Of two probes of one field the first finds all that there can be."""
    return AccessPath(
        {**other.probes, **one.probes},
        _merged(one.choices, other.choices, frozenset.__and__),
        _merged(one.ranges, other.ranges, _within),
        max(one.rank, other.rank),
        one.named + other.named,
    )


def _merged(one: Mapping[str, Any], other: Mapping[str, Any], both: Any) -> Mapping[str, Any]:
    return {**one, **other, **{name: both(one[name], other[name]) for name in one.keys() & other.keys()}}


def _within(one: Bounds, other: Bounds) -> Bounds:
    lows = [low for low, _ in (one, other) if low is not None]
    highs = [high for _, high in (one, other) if high is not None]
    return max(lows, default=None), min(highs, default=None)
