"""Why a body cannot be used, in our own sentences: where it stops being JSON, or the first field that is wrong.

msgspec decides whether a body is taken; this says why one was not, by the same types.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeAlias

from msgspec import Struct, inspect

from koshel.http.names import step
from koshel.http.wire import CURRENCY_PATTERN
from koshel.values import KEY_PATTERN, TEXT_PATTERN

Fault: TypeAlias = tuple[str, str]  # a JSON pointer, and what is wrong there

# What a text with this pattern is, in words.
WORDS = {
    KEY_PATTERN: "must be 1 to 255 visible ASCII characters",
    TEXT_PATTERN: "must not hold the character U+0000",
    CURRENCY_PATTERN: "must be a currency's code: 3 to 12 characters A-Z, 0-9 and _",
}
_DIGITS_MAX = 30  # of an integer that is worth reading


def not_json(received: bytes) -> str | None:
    """Where the bytes stop being JSON in UTF-8; None: they are, if half a surrogate pair is let pass."""
    if not received:
        return "The body is empty."
    try:
        text = received.decode()
    except UnicodeDecodeError as error:
        return f"The body is not UTF-8: the byte at {error.start} cannot be there."
    try:
        _loads(text)
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode())
        if at >= len(received.rstrip()):
            return f"The body ends before its JSON does, after {len(received)} bytes."
        return f"The body is not JSON: what begins at byte {at} cannot be there."
    except RecursionError:
        return None
    except _NotANumber as error:
        return f"The body is not JSON: there is no {error} in it."
    return None


def fault(received: bytes, body: type[Struct]) -> Fault:
    """What is wrong, and where. The body is JSON, and msgspec has refused it."""
    try:
        return next(_faults(_loads(received.decode()), inspect.type_info(body), ""), ("", "cannot be used as it is"))
    except RecursionError:
        return "", "is nested too deeply"


class _NotANumber(ValueError):
    """NaN and the infinities, which Python's json takes."""


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=_integer, parse_constant=_constant)


def _constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_MAX else float("inf")


def _faults(value: Any, type_: inspect.Type, at: str) -> Iterator[Fault]:
    match type_:
        case inspect.Metadata():
            yield from _faults(value, type_.type, at)
        case inspect.UnionType():
            yield from _faults_of_union(value, type_, at)
        case inspect.StructType():
            yield from _faults_of_struct(value, type_, at)
        case inspect.DictType():
            yield from _faults_of_dict(value, type_, at)
        case inspect.ListType():
            yield from _faults_of_list(value, type_, at)
        case inspect.RawType():
            pass  # whoever knows what it is reads it later
        case _:
            if (what := _fault(value, type_)) is not None:
                yield at, what


def _faults_of_union(value: Any, type_: inspect.UnionType, at: str) -> Iterator[Fault]:
    """A value, or null."""
    (one,) = (one for one in type_.types if not isinstance(one, inspect.NoneType))
    if value is not None:
        yield from ((where, f"{what}, or null" if where == at else what) for where, what in _faults(value, one, at))


def _faults_of_struct(value: Any, type_: inspect.StructType, at: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, "must be an object"
        return
    fields = {field.encode_name: field for field in type_.fields}
    for name, one in value.items():
        if name in fields:
            yield from _faults(one, fields[name].type, f"{at}/{name}")
        else:
            yield f"{at}/{step(name)}", "is not a field"
    for name, field in fields.items():
        if field.required and name not in value:
            yield f"{at}/{name}", "is required"


def _faults_of_dict(value: Any, type_: inspect.DictType, at: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield at, "must be an object"
        return
    for name, one in value.items():
        where = f"{at}/{step(name)}"
        if (what := _fault(name, type_.key_type)) is not None:
            yield where, f"{what}, as a name"
        yield from _faults(one, type_.value_type, where)
    if type_.max_length is not None and len(value) > type_.max_length:
        yield at, f"must have at most {type_.max_length} entries"


def _faults_of_list(value: Any, type_: inspect.ListType, at: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield at, "must be an array"
        return
    for index, one in enumerate(value):
        yield from _faults(one, type_.item_type, f"{at}/{index}")
    least, most = type_.min_length or 0, type_.max_length
    if len(value) < least or (most is not None and len(value) > most):
        yield at, f"must have {least} to {most} members"


def _fault(value: Any, type_: inspect.Type) -> str | None:
    """What is wrong with a value that has no parts."""
    match type_:
        case inspect.BoolType():
            return None if isinstance(value, bool) else "must be true or false"
        case inspect.EnumType():
            known = sorted(one.value for one in type_.cls)
            return None if value in known else "must be one of " + ", ".join(f'"{one}"' for one in known)
        case inspect.IntType():
            return _fault_of_integer(value, type_)
        case inspect.StrType():
            return _fault_of_text(value, type_)
        case _:
            raise AssertionError(type_)


def _fault_of_integer(value: Any, type_: inspect.IntType) -> str | None:
    least, most = type_.ge, type_.le
    assert least is not None, "no integer of ours is without a least"
    if type(value) is int and value >= least and (most is None or value <= most):
        return None
    return (
        f"must be a whole number, {least} or more" if most is None else f"must be a whole number from {least} to {most}"
    )


def _fault_of_text(value: Any, type_: inspect.StrType) -> str | None:
    least, most = type_.min_length or 0, type_.max_length
    if not isinstance(value, str):
        return "must be a string"
    if len(value) < least or (most is not None and len(value) > most):
        return f"must have {f'{least} to' if least else 'at most'} {most} characters"
    if type_.pattern is None or re.search(type_.pattern, value):
        return None
    return WORDS[type_.pattern]
