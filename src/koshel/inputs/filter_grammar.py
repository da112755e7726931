"""The grammar of filters: a text in, its comparisons and how they are joined out. What they mean is said elsewhere.

It is one for LALR(1), which is read in linear time, and without recursion, however deep the brackets are. A string
without an end is read to the end of the text, once, and is refused then.
"""

from functools import cache
from typing import TypeAlias, cast

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken
from msgspec import DecodeError, json

from koshel.inputs.filter_parts import Compared, Joined, Negated, NotOfGrammar, Part, Word

GRAMMAR = r"""
    ?start: either
    ?either: both (_OR both)*
    ?both: one (_AND one)*
    ?one: comparison | _NOT one -> negation | "(" either ")" -> brackets
    comparison: field OPERATOR value
        | field _IN values -> membership
        | field _NOT _IN values -> exclusion
    field: NAME ["." value]
    values: "(" value ("," value)* ")"
    value: WORD -> word
        | STRING -> string
    _AND.2: /and\b/i
    _OR.2: /or\b/i
    _NOT.2: /not\b/i
    _IN.2: /in\b/i
    OPERATOR: /[<>!]=|[<>=]/
    NAME: /[a-z_]+/
    STRING: /"(?:[^"\\]|\\.)*"?/
    WORD: /[^\s"(),<>=!]+/
    %ignore /\s+/
"""


_Deep: TypeAlias = tuple[Part, int]  # with how deep its brackets and NOTs are
_Place: TypeAlias = tuple[str, str | None]  # a field, and which of its entries


@v_args(inline=True)
class _Builder(Transformer[Token, _Deep]):
    """Makes parts, from the innermost on, while the text is read."""

    def word(self, token: Token) -> Word:
        return Word(str(token), is_quoted=False)

    def string(self, token: Token) -> Word:
        try:
            return Word(json.decode(token.encode(), type=str), is_quoted=True)
        except DecodeError:
            assert token.start_pos is not None
            raise NotOfGrammar(token.start_pos + 1) from None

    def field(self, name: Token, entry: Word | None) -> _Place:
        return str(name), None if entry is None else entry.text

    def values(self, *words: Word) -> tuple[Word, ...]:
        return words

    def comparison(self, field: _Place, operator: Token, value: Word) -> _Deep:
        return Compared(*field, str(operator), (value,)), 0

    def membership(self, field: _Place, values: tuple[Word, ...]) -> _Deep:
        return Compared(*field, "in", values), 0

    def exclusion(self, field: _Place, values: tuple[Word, ...]) -> _Deep:
        return Negated(Compared(*field, "in", values)), 0

    def negation(self, one: _Deep) -> _Deep:
        return Negated(one[0]), one[1] + 1

    def brackets(self, one: _Deep) -> _Deep:
        return one[0], one[1] + 1

    def both(self, *parts: _Deep) -> _Deep:
        return Joined(tuple(part for part, _ in parts), is_and=True), max(deep for _, deep in parts)

    def either(self, *parts: _Deep) -> _Deep:
        return Joined(tuple(part for part, _ in parts), is_and=False), max(deep for _, deep in parts)


@cache
def parser() -> Lark:
    """The parser; to make it takes a while."""
    return Lark(GRAMMAR, parser="lalr", transformer=_Builder(), maybe_placeholders=True)


def parse(text: str) -> tuple[Part, int]:
    """What a text says, and how deep its brackets and NOTs are. Raises NotOfGrammar."""
    try:
        return cast("_Deep", parser().parse(text))
    except UnexpectedEOF:
        raise NotOfGrammar(None) from None
    except (UnexpectedToken, UnexpectedCharacters) as error:
        is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        at = cast("int | None", error.pos_in_stream)
        raise NotOfGrammar(None if is_end or at is None else at + 1) from None
