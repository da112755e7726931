"""Filters, as callers write them: a text in, an expression over the fields of a list out.

    amount >= 10.00 and (reference = "order-17" or kind in (refund, capture)) and not metadata.plan = gold

The grammar says how a filter is written, and the list's table of fields what each of them can be compared with.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from koshel.db.reading.filters import (
    ORDERINGS,
    And,
    Comparison,
    Expression,
    Field,
    Fields,
    Or,
    Prefix,
    Type,
    Value,
    negated,
)
from koshel.db.reading.wanted import BadPosition, MixedOrders, NotIndexed, TooWide
from koshel.inputs import moments, values
from koshel.inputs.filter_parts import Compared, Joined, Negated, NotOfGrammar, Part, Word
from koshel.inputs.texts import is_account_name
from koshel.inputs.values import ACCOUNT_NAME_REASON, ID_MAX, Invalid

LENGTH_MAX = 1_000  # characters
DEPTH_MAX = 10  # brackets and NOTs within each other
VALUES_MAX = 50  # with which a filter compares
FILTER = "filter"  # what callers give it by

_NULL = "null"
_ORDERED = {Type.NUMBER, Type.AMOUNT, Type.TIME, Type.DATE}
_ANY = "*"
_HOW = 'must be comparisons such as kind = refund and amount >= 10.00 or reference = "order-17"'


async def expression(text: str, fields: Fields[Any]) -> Expression:
    """The filter that a text is. Raises Invalid."""
    if not isinstance(text, str):
        raise Invalid(FILTER, "must be a text")
    if not 0 < len(text) <= LENGTH_MAX:
        raise Invalid(FILTER, f"must have 1 to {LENGTH_MAX} characters")
    if not text.isascii() and text.encode(errors="replace").decode() != text:
        raise Invalid(FILTER, "must be Unicode: it has half of a surrogate pair")
    # To import the parser and to make it takes a tenth of a second, once: nobody else waits for it.
    parse = await asyncio.to_thread(_parser)
    try:
        part, depth = parse(text)
    except NotOfGrammar as error:
        where = "it ends too early" if error.at is None else f"it goes wrong at character {error.at}"
        raise Invalid(FILTER, f"{_HOW}; {where}") from None
    if depth > DEPTH_MAX:
        raise Invalid(FILTER, f"must not have more than {DEPTH_MAX} brackets and NOTs within each other")
    read = _Reader(fields)
    found = read.part(part)
    if read.values > VALUES_MAX:
        raise Invalid(FILTER, f"must not compare with more than {VALUES_MAX} values")
    return found


def why_not_found(error: NotIndexed | TooWide | MixedOrders | BadPosition) -> Invalid:
    """Why a list with a filter is not found, where callers are told by a field and a reason."""
    match error:
        case NotIndexed():
            instead = ", ".join(error.instead)
            if error.is_filter:
                named = " and ".join(error.fields)
                reason = f"has only {named}, which no index finds; compare one of {instead} too, in each part of an OR"
                return Invalid(FILTER, reason)
            return Invalid(error.fields[0], f"has no index of its own; give one of {instead} too")
        case TooWide():
            reason = f"must not need more than {error.most} look-ups in the indexes, and needs {error.places}"
            return Invalid(FILTER, reason)
        case MixedOrders():
            return Invalid(FILTER, "must not have a name with * in one part of an OR, and no name in another part")
        case _:
            return Invalid("after", "must be the `next` of a page, as it was given")


def _parser() -> Callable[[str], tuple[Part, int]]:
    # Here, since a process that sees no filter needs no parser.
    from koshel.inputs import filter_grammar  # noqa: PLC0415

    filter_grammar.parser()
    return filter_grammar.parse


class _Reader:
    """Gives the parts of a filter their types, and counts the values."""

    def __init__(self, fields: Fields[Any]) -> None:
        self._fields = fields
        self.values = 0

    def part(self, part: Part) -> Expression:
        """The part as an expression. Raises Invalid."""
        match part:
            case Compared():
                return self._comparison(part)
            case Negated():
                return negated(self.part(part.part))
            case Joined():
                parts = tuple(self.part(one) for one in part.parts)
                return And(parts) if part.is_and else Or(parts)

    def _comparison(self, one: Compared) -> Comparison:
        field = self._fields.get(one.field)
        if field is None:
            raise Invalid(FILTER, f"has {one.field}, which is none of its fields: {', '.join(self._fields)}")
        if one.entry == "" or (one.field == "metadata") is (one.entry is None):
            reason = "must have an entry after it: metadata.plan" if one.field == "metadata" else "has no entries"
            raise Invalid(FILTER, f"has {one.field}, which {reason}")
        self.values += len(one.values)
        values = tuple(_value(one.field, field, word) for word in one.values)
        if one.operator in ORDERINGS:
            if field.type not in _ORDERED:
                raise Invalid(FILTER, f"must compare {one.field} by =, != or in, and not by {one.operator}")
            if values[0] is None:
                raise Invalid(FILTER, f"must not compare {one.field} with null by {one.operator}")
            return Comparison(one.field, one.operator, values)
        return Comparison(one.field, "in", values, one.operator == "!=", one.entry or "")


def _value(name: str, field: Field[Any], word: Word) -> Value:
    """The value of its type that a word is. Raises Invalid."""
    if word.text == _NULL and not word.is_quoted:
        return None
    if field.choices and word.text not in field.choices:
        raise Invalid(FILTER, f"has a value of {name} that must be one of {', '.join(field.choices)}")
    try:
        return _READ[field.type](word.text, name)
    except Invalid as error:
        raise Invalid(FILTER, f"has a value of {name} that {error.reason}") from None


def _text(text: str, name: str) -> str:
    if "\0" in text:
        raise Invalid(name, "must be without the character NUL")
    return text


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX)) and int(text) <= ID_MAX):
        raise Invalid(name, f"must be a whole number from 0 to {ID_MAX}")
    return int(text)


def _name(text: str, name: str) -> str | Prefix:
    begin = text.removesuffix(_ANY)
    if not is_account_name(begin) and (begin or not text):
        raise Invalid(name, f"{ACCOUNT_NAME_REASON}, or the beginning of names and *")
    return Prefix(begin) if text.endswith(_ANY) else begin


_READ: Mapping[Type, Callable[[str, str], Value]] = {
    Type.NUMBER: _number,
    Type.AMOUNT: values.decimal,
    Type.TIME: moments.moment,
    Type.DATE: moments.day,
    Type.TEXT: _text,
    Type.EMAIL: values.kept_email,
    Type.NAME: _name,
    Type.CHOICE: _text,
}
assert _READ.keys() == set(Type)
