"""What a batch in parts writes: transactions in, the text of COPY out, which takes PostgreSQL less time than arrays.

No connection here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from msgspec import json

from koshel.core.model import Posted
from koshel.core.sides import Side
from koshel.db.mapping.posting_columns import OUTSIDE
from koshel.db.mapping.tables import RECEIPT, TRANSACTION, Column, Mostly

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_KEY = itemgetter(1)
_NEVER_NULL = frozenset({"metadata"})  # but mostly empty
_MAY_BE_ONE = frozenset({Mostly.SAME, Mostly.ONE, Mostly.NULL})  # in all rows; 5 and 5.00 are equal, but not the same


class Copy(NamedTuple):
    """Rows of a table: the columns that they have, and their text."""

    table: str
    columns: Sequence[str]
    text: bytes


def transactions(posted: Sequence[Posted], ids: Sequence[int], group_id: int) -> Copy:
    """The rows of a group's transactions, which get these ids. A column that none has a value of is left out."""
    given: Mapping[str, Sequence[Any]] = {"id": ids, "group_id": [group_id] * len(posted)}
    taken = {
        **_taken("", posted),
        **_taken("source", [one.source or OUTSIDE for one in posted]),
        **_taken("target", [one.target or OUTSIDE for one in posted]),
        **given,
    }
    names, cells, texts = list[str](), list[str](), list[Sequence[Any]]()
    for column in TRANSACTION:
        values = taken[column.name]
        if column.mostly is Mostly.NULL and column.name not in _NEVER_NULL:
            if not any(values):
                continue
            values = [value or None for value in values]
        names.append(column.name)
        if column.mostly in _MAY_BE_ONE and column.sql != "numeric" and values.count(values[0]) == len(values):
            cells.append(str(_texts(column, values[:1])[0]).replace("%", "%%"))
        else:
            cells.append("%s")
            texts.append(_texts(column, values))
    row = "\t".join(cells) + "\n"
    return Copy("transaction", names, "".join([row % values for values in zip(*texts, strict=True)]).encode())


def _taken(side: str, rows: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """What the columns of a side, or of the transactions themselves, have."""
    names, take = _TAKE[side]
    return dict(zip(names, zip(*map(take, rows), strict=True), strict=True))


def receipts(posted: Sequence[Posted], ids: Sequence[int]) -> Copy:
    """Of those that have a key; these are their ids. In one order, as in `post`."""
    rows = [
        (str(one.ledger_id), _text(one.key), str(id_), _NULL if one.request is None else _json(one.request))
        for one, id_ in zip(posted, ids, strict=True)
        if one.key is not None
    ]
    rows.sort(key=_KEY)
    return Copy("receipt", _RECEIPT, "\n".join(["\t".join(row) for row in rows] + [""]).encode())


class LastSides:
    """The accounts that transactions have touched, as the last one has left each."""

    def __init__(self) -> None:
        self._left: dict[tuple[int, int], Side] = {}  # by the ids of the ledger and of the account

    def add(self, posted: Iterable[Posted]) -> None:
        """The next transactions."""
        for one in posted:
            if one.source is not None:
                self._left[one.ledger_id, one.source.account_id] = one.source
            if type(one.target) is Side:
                self._left[one.ledger_id, one.target.account_id] = one.target

    def arrays(self) -> list[str]:
        """The arguments of `move_accounts`, as text."""
        left = [(*place, side.balance, side.held, side.version) for place, side in self._left.items()]
        return ["{" + ",".join(map(str, values)) + "}" for values in zip(*left, strict=True)]


_RECEIPT = [column.name for column in RECEIPT if column.name != "answer"]  # the transaction is the answer


def _texts(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    """What stands in the column, one by one: texts, or what is written as `str` has it."""
    write = _WRITE.get(column.sql)
    if write is _text and None not in values:
        together = "".join(values)
        if _text(together) is together:
            return values
    if write is None:
        return [_NULL if value is None else value for value in values]
    return [_NULL if value is None else write(value) for value in values]


def _text(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def _json(value: object) -> str:
    return json.encode(value).decode().replace("\\", "\\\\") if value else "{}"


@lru_cache(maxsize=64)  # a batch has one time
def _time(moment: datetime) -> str:
    return moment.isoformat()


_OF_SIDES = {side: [column for column in TRANSACTION if column.side == side] for side in ("", "source", "target")}
_TAKE = {
    side: ([one.name for one in columns], attrgetter(*[one.attribute for one in columns]))
    for side, columns in _OF_SIDES.items()
}
_WRITE: Mapping[str, Callable[[Any], str]] = {"text": _text, "jsonb": _json, "timestamptz": _time}
