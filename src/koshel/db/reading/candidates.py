"""What a filter can know of a posted transaction by its own row alone: most of what it does not want costs little then.

The status of a hold, what was refunded, the notes of now and the names of accounts are in other rows.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, TypeAlias

from koshel.core.commands import Kind
from koshel.core.money import ZEROS, subtract
from koshel.db.reading.filter_fields import LINE_FIELDS, TRANSACTION_FIELDS
from koshel.db.reading.filters import Field, Fields
from koshel.db.reading.lines import LEAVE
from koshel.db.reading.pages import Keyed

Row: TypeAlias = Keyed  # one of `find_candidates`

_SAME = ("id", "kind", "amount", "parent_id", "group_id", "idempotency_key", "reference", "effective_on", "ctime")
_SIDES = ("source_account_id", "target_account_id")


def _touched(row: Row) -> tuple[int, ...]:
    sides = ("source", "target")
    return tuple(row[f"{side}_account_id"] for side in sides if row[f"{side}_version"] is not None)


def _expires_at(row: Row) -> Any:
    return row["expires_at"] if row["kind"] == Kind.HOLD else None


def _known(fields: Fields[Any], readers: Mapping[str, Callable[[Row], Any]]) -> Fields[Row]:
    return {name: Field(fields[name].type, read) for name, read in readers.items()}


OF_TRANSACTION: Fields[Row] = _known(
    TRANSACTION_FIELDS,
    {
        **{name: itemgetter(name) for name in (*_SAME, *_SIDES, "capture_at")},
        "account_id": _touched,
        "expires_at": _expires_at,
    },
)


def of_line(account_id: int) -> Fields[Row]:
    """The same of a line of an account."""

    def of_side(name: str) -> Callable[[Row], Any]:
        def read(row: Row) -> Any:
            return row[f"source_{name}" if row["source_account_id"] == account_id else f"target_{name}"]

        return read

    held = of_side("held")

    def change(row: Row) -> Any:
        if row["source_account_id"] != account_id:
            return row["amount"]
        return subtract(ZEROS[0], row["amount"]) if row["kind"] in LEAVE else 0

    readers = {
        "version": of_side("version"),
        "balance": of_side("balance"),
        "held": lambda row: held(row) or 0,
        "change": change,
    }
    return {**OF_TRANSACTION, **_known(LINE_FIELDS, readers)}
