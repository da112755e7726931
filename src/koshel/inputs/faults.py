"""Why a value is not of its type, in our own sentences: the path to the first part that is wrong, and the reason.

msgspec decides whether a value is taken; this says why one was not, by the same types. A type with a pattern brings
its own reason: `Annotated[str, Meta(pattern=…, extra={"reason": …})]`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

from msgspec import ValidationError, convert, inspect

Path: TypeAlias = tuple[str | int, ...]  # of the names and indices that lead to a part of a value
Fault: TypeAlias = tuple[Path, str]


def faults(value: Any, type_: inspect.Type, at: Path = (), reason: str = "") -> Iterator[Fault]:
    """What is wrong with a value, in the order of its parts. `reason`: that of the type's pattern."""
    match type_:
        case inspect.Metadata():
            yield from faults(value, type_.type, at, (type_.extra or {}).get("reason", reason))
        case inspect.UnionType():
            yield from _of_union(value, type_, at, reason)
        case inspect.StructType():
            yield from _of_struct(value, type_, at)
        case inspect.DictType():
            yield from _of_dict(value, type_, at)
        case inspect.ListType():
            yield from _of_list(value, type_, at)
        case inspect.RawType():
            pass  # what it is, whoever knows reads later
        case _:
            if (what := _of_scalar(value, type_, reason)) is not None:
                yield at, what


def _of_union(value: Any, type_: inspect.UnionType, at: Path, reason: str) -> Iterator[Fault]:
    """A value, or null; what may be left out is not null."""
    (one,) = (one for one in type_.types if not isinstance(one, inspect.NoneType))
    if value is not None:
        found = faults(value, one, at, reason)
        yield from ((where, f"{what}, or null" if where == at else what) for where, what in found)


def _of_struct(value: Any, type_: inspect.StructType, at: Path) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, "must be an object"
        return
    fields = {field.encode_name: field for field in type_.fields}
    for name, one in value.items():
        if name in fields:
            yield from faults(one, fields[name].type, (*at, name))
        else:
            yield (*at, name), "is not a field"
    # Of a field that is required: others that will do.
    instead: Mapping[str, Sequence[str]] = getattr(type_.cls, "INSTEAD", {})
    for name in (*instead, *(name for name, field in fields.items() if field.required)):
        if name not in value and value.keys().isdisjoint(instead.get(name, ())):
            yield (*at, name), "is required"


def _of_dict(value: Any, type_: inspect.DictType, at: Path) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, "must be an object"
        return
    for name, one in value.items():
        where = (*at, name)
        yield from ((where, f"{what}, as a name") for _, what in faults(name, type_.key_type))
        yield from faults(one, type_.value_type, where)
    if type_.max_length is not None and len(value) > type_.max_length:
        yield at, f"must have at most {type_.max_length} entries"


def _of_list(value: Any, type_: inspect.ListType, at: Path) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield at, "must be an array"
        return
    for index, one in enumerate(value):
        yield from faults(one, type_.item_type, (*at, index))
    least, most = type_.min_length or 0, type_.max_length
    if len(value) < least or (most is not None and len(value) > most):
        yield at, f"must have {_as_many(least, most, 'member')}"


def _of_scalar(value: Any, type_: inspect.Type, reason: str) -> str | None:
    """What is wrong with a value that has no parts."""
    match type_:
        case inspect.BoolType():
            return None if isinstance(value, bool) else "must be true or false"
        case inspect.EnumType():
            known = sorted(one.value for one in type_.cls)
            return None if value in known else "must be one of " + ", ".join(f'"{one}"' for one in known)
        case inspect.LiteralType():
            options = ", ".join(f'"{one}"' for one in type_.values)
            return None if value in type_.values else f"must be one of {options}"
        case inspect.IntType():
            return _of_integer(value, type_)
        case inspect.StrType():
            return _of_text(value, type_, reason)
        case inspect.DateType():
            return None if _is_date(value) else "must be a date such as 2026-11-22"
        case _:
            raise AssertionError(type_)


def _is_date(value: Any) -> bool:
    """Whether it is a day of the calendar, from the year 1 to 9999, as RFC 3339 writes one. No moment is one."""
    try:
        convert(value, date)
    except ValidationError:
        return False
    return True


def _of_integer(value: Any, type_: inspect.IntType) -> str | None:
    least, most = type_.ge, type_.le
    assert least is not None, "no integer of ours is without a least"
    if type(value) is int and value >= least and (most is None or value <= most):
        return None
    return (
        f"must be a whole number, {least} or more" if most is None else f"must be a whole number from {least} to {most}"
    )


def _of_text(value: Any, type_: inspect.StrType, reason: str) -> str | None:
    least, most = type_.min_length or 0, type_.max_length
    if not isinstance(value, str):
        return "must be a string"
    if len(value) < least or (most is not None and len(value) > most):
        return f"must have {_as_many(least, most, 'character')}"
    if type_.pattern is None or re.search(type_.pattern, value):
        return None
    assert reason, type_
    return reason


def _as_many(least: int, most: int | None, what: str) -> str:
    many = what if (least if most is None else most) == 1 else f"{what}s"
    if most is None:
        return f"at least {least} {many}"
    return f"{least} to {most} {many}" if least else f"at most {most} {many}"
