"""The sides of a transaction as the columns of its row, and back."""

from typing import Any, Protocol, TypeAlias

from msgspec.structs import fields

from koshel.core.model import Posted
from koshel.core.money import minus
from koshel.core.sides import Named, Side
from koshel.db.mapping.tables import TRANSACTION, Column, Mostly

Sides: TypeAlias = tuple[Side | None, Side | Named | None]

_TYPES = {field.name: field.type for field in fields(Side)}
_COLUMNS = {side: [column for column in TRANSACTION if column.side == side] for side in ("source", "target")}
TYPES = {column.name: _TYPES[column.attribute] for columns in _COLUMNS.values() for column in columns}


class Values(Protocol):
    """Whatever has values by the names of columns, as a driver's row does."""

    def __getitem__(self, name: str, /) -> Any:
        """The value of a column."""


def flat(posted: Posted) -> dict[str, Any]:
    """Each column's value, by its name, as the row has it: of what is held, a zero is nothing."""
    return {
        column.name: _value(getattr(posted, name), column) for name, columns in _COLUMNS.items() for column in columns
    }


def names(posted: Posted) -> dict[str, str]:
    """The names of its accounts that have one, as `sides` reads them."""
    named = {"source_name": posted.source, "target_name": posted.target}
    return {name: side.name for name, side in named.items() if side is not None and side.name is not None}


def sides(values: Values) -> Sides:
    """Source and target, of what the columns have by their names, and the names of the accounts.

    A `held` that is None is a zero.
    """
    source, target = _side(values, "source"), _side(values, "target")
    assert not isinstance(source, Named), "a transaction touches its source, if it has one"
    return source, target


def _value(side: Side | Named | None, column: Column) -> Any:
    value = None if side is None else getattr(side, column.attribute)
    return (value or None) if column.mostly is Mostly.NULL else value


def _side(values: Values, name: str) -> Side | Named | None:
    side = {column.attribute: values[column.name] for column in _COLUMNS[name]}
    if side["account_id"] is None:
        return None
    side["name"] = values[f"{name}_name"]
    if side["version"] is None:
        return Named(side["account_id"], side["name"])
    if side["held"] is None:
        side["held"] = minus(side["balance"], side["balance"])
    return Side(**side)
