"""Why a body cannot be used, in our own sentences: where it stops being JSON, or the first field that is wrong."""

import json
from typing import Any, NoReturn

from msgspec import Struct, inspect

from koshel.http.names import deepest, step
from koshel.inputs.faults import faults

TOO_DEEP = "is nested too deeply"
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


def fault(received: bytes, body: type[Struct]) -> tuple[str, str]:
    """The JSON pointer of the first field that is wrong, and the reason. The body is JSON that msgspec has refused."""
    try:
        found = next(faults(_loads(received.decode()), inspect.type_info(body)), None)
    except RecursionError:
        return deepest(received), TOO_DEEP
    if found is None:
        return "", "cannot be used as it is"
    path, reason = found
    return "".join(f"/{step(one)}" for one in path), reason


class _NotANumber(ValueError):
    """NaN and the infinities, which Python's json takes."""


def _loads(text: str) -> Any:
    return json.loads(text, parse_int=_integer, parse_constant=_constant)


def _constant(name: str) -> NoReturn:
    raise _NotANumber(name)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_MAX else float("inf")
