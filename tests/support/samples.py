"""A request of each kind, and others that differ in one field, made from the types of the fields: none is left out."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from types import UnionType
from typing import Any, TypeAlias, get_args, get_origin

from msgspec import Struct, UnsetType
from msgspec.structs import fields, replace

from koshel.core.commands import UNRESOLVED, Kind, Split
from koshel.core.ending import EndSplit
from koshel.core.legs import SplitSource, SplitTarget
from tests.support.limited import limit

Pair: TypeAlias = tuple[Any, Any]  # a value, and another

# Fields that are not what a caller asks for, and why a key does not remember them.
NOT_ASKED: Mapping[str, str] = {
    "ledger_id": "a key is of its ledger: in another it is another key",
    "key": "it is what is looked up",
    "default_currency": "our setting, where the caller said nothing",
    "default_max_balance": "our setting, where the caller said nothing",
    "default_min_balance": "our setting, for exchange accounts",
    "default_expires_in": "our setting, where the caller said nothing",
    "id": "it is found, or given",
    "exchange_accounts": "they are found, or opened",
    "holds": "they are found",
    "schedule_max_s": "our setting, how far ahead a time may be",
}
# An account that is asked for by its name has no id in the request.
BY_NAME = {"account_id": "account", "source_account_id": "source", "target_account_id": "target"}
NAMES = {1: "one", 2: "two", 3: "three"}  # of the accounts on the books
# What must be on the books for a request to be posted; all other values are chosen by type.
ON_THE_BOOKS: Mapping[str, Pair] = {
    "account_id": (1, 2),
    "source_account_id": (1, 3),
    "target_account_id": (2, 3),
    "currency": ("USD", "EUR"),
    "kind": (Kind.TRANSFER, Kind.PAYMENT),
    "min_balance": (Decimal(-5), Decimal(-6)),
    "max_balance": (Decimal(500), Decimal(600)),
    "limits": (
        (limit("1d", "50", "60.5"), limit("1h", None, "60")),
        (limit("1d", "50", "60.4"), limit("1h", None, "60")),
    ),
    "expected": (((1, 0), (2, 0), (3, 0)), None),
    "unexpected": (((9, 9),), ((8, 8),)),
    "name": ("ann", "bob"),
}
# A split has either sources or targets.
OF_A_SPLIT: Mapping[str, Pair] = {
    "kind": (Kind.HOLD, Kind.TRANSFER),
    "target_account_id": (None, 3),
    "sources": ((), (SplitSource(3),)),
    "targets": ((SplitTarget(2, "50%"), SplitTarget(3, remaining=True)), (SplitTarget(2, "50%"),)),
}
_BY_TYPE: Mapping[Any, Pair] = {
    bool: (False, True),
    int: (60, 70),
    str: ("one@example.com", "another@example.com"),
    date: (date(2026, 2, 28), date(2024, 2, 29)),
    Decimal: (Decimal("1.25"), Decimal("1.5")),
    datetime: (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    dict: ({"note": "one"}, {"note": "another"}),
}


def asked(kind: type[Struct]) -> Iterator[str]:
    """The fields of a request that its key remembers; an account's id stands for its name too."""
    return (name for field in fields(kind) if (name := field.name) not in NOT_ASKED and name not in BY_NAME.values())


def pair(kind: type[Struct], name: str) -> Pair:
    """Two values that the field may have."""
    if kind is Split and name in OF_A_SPLIT:
        return OF_A_SPLIT[name]
    if kind is EndSplit and name == "kind":
        return "capture", "void"
    if name in ON_THE_BOOKS:
        return ON_THE_BOOKS[name]
    (type_,) = (field.type for field in fields(kind) if field.name == name)
    for option in _options(type_):
        origin = get_origin(option) or option
        if isinstance(origin, type) and issubclass(origin, StrEnum):
            first, second, *_ = origin
            return first, second
        if origin in _BY_TYPE:
            return _BY_TYPE[origin]
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return _BY_TYPE[dict]
    message = f"no value is known for {kind.__name__}.{name}: {type_}"
    raise AssertionError(message)


def sample(kind: type[Struct], **given: Any) -> Any:
    """A request with a value in each field that its key remembers, and what is given."""
    return kind(**{name: pair(kind, name)[0] for name in asked(kind) if name not in given}, ledger_id=1, **given)


def by_name(request: Any) -> Any:
    """The request, asking for its accounts by their names."""
    ids = [name for name in BY_NAME if name in request.__struct_fields__ and getattr(request, name) is not None]
    named = {BY_NAME[name]: NAMES[getattr(request, name)] for name in ids}
    return replace(request, **dict.fromkeys(ids, UNRESOLVED), **named)


def _options(type_: Any) -> Iterator[Any]:
    parts = get_args(type_) if isinstance(type_, UnionType) or get_origin(type_) is not None else ()
    if parts and not (isinstance(get_origin(type_), type) and issubclass(get_origin(type_), Mapping | tuple)):
        for part in parts:
            if part not in {UnsetType, type(None)}:
                yield from _options(part)
    else:
        yield type_
