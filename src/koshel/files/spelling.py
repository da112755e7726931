"""What a line says in one spelling, however a spreadsheet or a format spells it.

An export has 12.50, a spreadsheet saves 12.5, and JSON may have a number. Nothing is wrong with a value here: what
cannot be read keeps its own spelling.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import DecodeError, json

from koshel.files.formats import MONEY, OBJECTS, TIMES
from koshel.inputs.moments import OUT_OF_RANGE, REASON
from koshel.inputs.texts import AT
from koshel.inputs.values import AMOUNT_PATTERN, Invalid, decimal

_is_amount = re.compile(AMOUNT_PATTERN).fullmatch
_decode = json.Decoder(float_hook=Decimal).decode  # as JSON Lines are read


def text(one: object) -> object:
    """A value as the text that CSV has for it. An object stays one, since the order of its names is none."""
    return one if type(one) is str or type(one) is dict else str(one)


def plain_money(amount: str) -> str:
    """An amount of digits, and perhaps a point between some, without zeros that say nothing."""
    if amount[0] != "0" != amount[-1]:
        return amount
    if amount[0] == "0":
        amount = f"{Decimal(amount):f}"
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


def _money(one: object) -> object:
    if type(one) is str and _is_amount(one):
        return plain_money(one)
    try:
        read = decimal(one, "")  # type: ignore[arg-type] # what is no number is refused
    except Invalid:
        return text(one)
    sign = "-" if read < 0 else ""
    return f"{sign}{plain_money(f'{read.copy_abs():f}')}"


def _name(one: object) -> object:
    """The name of an account, which may stand behind an @."""
    return text(one) if type(one) is not str else one if one[:1] != AT else one[1:]


def _time(one: object) -> object:
    """A time in UTC, if it has an offset."""
    try:
        return time_of(one).isoformat()
    except Invalid:
        return text(one)


def time_of(ctime: object) -> datetime:
    """The time that a `ctime` tells, in UTC. Raises Invalid."""
    try:
        told = datetime.fromisoformat(str(ctime))
    except ValueError:
        raise Invalid("ctime", REASON) from None
    if told.tzinfo is None:  # by a guess the same transaction might be imported twice, or count for another day
        raise Invalid("ctime", "must have an offset from UTC, such as Z")
    if told.tzinfo is UTC:
        return told
    try:
        return told.astimezone(UTC)
    except (OverflowError, ValueError):  # in UTC it is in the year 0 or 10000
        raise Invalid("ctime", OUT_OF_RANGE) from None


def _noted(one: object) -> object:
    """What an object of JSON holds: a cell of CSV has its text."""
    if type(one) is not str:
        return one
    try:
        return _decode(one)
    except (DecodeError, ArithmeticError, RecursionError):
        return one


SPELLINGS: Mapping[str, Callable[[Any], object]] = {  # by column; all others are texts
    **dict.fromkeys(MONEY, _money),
    **dict.fromkeys(TIMES, _time),
    **dict.fromkeys(OBJECTS, _noted),
    **dict.fromkeys(("source", "target"), _name),
}
