"""The parameters of requests, as types: what a route takes in its query and in its headers, beside its body.

The table of routes names them, the server reads queries by them, and the OpenAPI document describes them.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, field, inspect

from koshel.http.problems import parameter_invalid
from koshel.inputs.faults import faults
from koshel.inputs.values import Key

ParametersT = TypeVar("ParametersT", bound=Struct)
ValueT = TypeVar("ValueT")

_KEY = "The same key gives the same answer, for ever. Repeat a request with its key until it is answered."
_PREFER = "`respond-async`: queue the transaction, durably, and answer at once; `wait=N`: only after N seconds."
_KNOWN = "The ETag that is known already: if the account still has it, the reply is 304."
_DIGITS_MAX = 19  # of an integer in a query; no limit has more


class Nothing(Struct, frozen=True):
    """No parameters."""


class DryRun(Struct, frozen=True):
    """The query of what makes a transaction."""

    dry_run: Annotated[bool, Meta(description="`true`: answer what would happen, and do nothing.")] = False


class KeyHeader(Struct, frozen=True):
    """The header of what changes something."""

    key: Annotated[Key, Meta(description=_KEY)] | UnsetType = field(default=UNSET, name="Idempotency-Key")


class MoneyHeaders(KeyHeader, frozen=True):
    """The headers of what makes one transaction."""

    prefer: Annotated[str, Meta(description=_PREFER)] | UnsetType = field(default=UNSET, name="Prefer")


class ChangeHeaders(KeyHeader, frozen=True):
    """The headers of what changes an account."""

    if_match: Annotated[str, Meta(description="The ETag that the account must still have.")] | UnsetType = field(
        default=UNSET, name="If-Match"
    )
    if_none_match: Annotated[str, Meta(description="The ETag that the account must not have any more.")] | UnsetType = (
        field(default=UNSET, name="If-None-Match")
    )


class ReadHeaders(Struct, frozen=True):
    """The header of what reads an account."""

    if_none_match: Annotated[str, Meta(description=_KNOWN)] | UnsetType = field(default=UNSET, name="If-None-Match")


def said(value: ValueT | UnsetType) -> ValueT | None:
    """The value of a parameter, whatever it is; None if the parameter was left out."""
    return None if value is UNSET else value


def names(parameters: type[Struct]) -> frozenset[str]:
    """The names of parameters, as they are sent."""
    return frozenset(parameters.__struct_encode_fields__)


class QueryReader(Generic[ParametersT]):
    """Reads the queries of one route."""

    def __init__(self, parameters: type[ParametersT]) -> None:
        described = inspect.type_info(parameters)
        assert isinstance(described, inspect.StructType)
        self._parameters = parameters
        self._types = {one.encode_name: (one.name, one.type) for one in described.fields}
        self._maps = {f"{name}.": type_ for name, (_, type_) in self._types.items() if _is_map(type_)}
        self.none: ParametersT = parameters()  # what a request without a query says

    def read(self, pairs: Iterable[tuple[str, str]]) -> ParametersT:
        """The parameters of a query's names and texts. Raises Failure.

        A name that is not known is refused: it might have meant one that is.
        """
        given: dict[str, Any] = {}
        twice = None
        for name, text in pairs:
            begin, dot, entry = name.partition(".")
            is_entry = begin + dot in self._maps
            field_name, type_ = self._types.get(begin if is_entry else name, ("", None))
            if type_ is None or (not is_entry and _is_map(type_)):
                raise parameter_invalid(name, "is not known")
            value = {**given.get(field_name, {}), entry: text} if is_entry else _value(text, type_)
            for _, reason in faults(value, type_):
                raise parameter_invalid(name, reason)
            values = given.setdefault(field_name, {}) if is_entry else given
            key, kept = (entry, text) if is_entry else (field_name, _kept(value, type_))
            twice = twice or (name if key in values else None)
            values[key] = kept
        if twice is not None:
            raise parameter_invalid(twice, "must come once")
        return self._parameters(**given)


def _is_map(type_: inspect.Type) -> bool:
    """Whether a parameter has entries, each of which is one of its own: `metadata.plan`."""
    return isinstance(type_.type if isinstance(type_, inspect.Metadata) else type_, inspect.DictType)


def _kept(value: Any, type_: inspect.Type) -> Any:
    """The value of a text that is one of the type."""
    match type_:
        case inspect.Metadata():
            return _kept(value, type_.type)
        case inspect.DateType():
            return date.fromisoformat(value)
        case inspect.EnumType():
            return type_.cls(value)
        case _:
            return value


def _value(text: str, type_: inspect.Type) -> Any:
    """The value that a text stands for; the text itself if it stands for none of the type."""
    match type_:
        case inspect.Metadata():
            return _value(text, type_.type)
        case inspect.BoolType():
            return {"true": True, "false": False}.get(text, text)
        case inspect.IntType() if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
            return int(text)
        case _:
            return text
