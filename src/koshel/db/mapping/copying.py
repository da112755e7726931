"""What a batch in parts writes: transactions in, the text of COPY out, which takes PostgreSQL less time than arrays.

No connection here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import repeat
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


class Copy(NamedTuple):
    """Rows of a table: the columns that they have, and their text."""

    table: str
    columns: Sequence[str]
    text: bytes


def transactions(posted: Sequence[Posted]) -> Copy:
    """The rows of transactions that have their ids. A column that none of them has a value of is left out."""
    names, texts = [], []
    places: Mapping[str, Sequence[Any]] = {
        "": posted,
        "source": [one.source or OUTSIDE for one in posted],
        "target": [one.target or OUTSIDE for one in posted],
    }
    for column in TRANSACTION:
        values = list(map(attrgetter(column.attribute), places[column.side]))
        if column.mostly is Mostly.NULL and column.name not in _NEVER_NULL:
            if not any(values):
                continue
            values = [value or None for value in values]
        names.append(column.name)
        texts.append(_texts(column, values))
    return Copy("transaction", names, _joined(zip(*texts, strict=True)))


def receipts(posted: Sequence[Posted]) -> Copy:
    """Of those that have a key. In one order, as in `post`."""
    rows = [
        (str(one.ledger_id), _text(one.key), str(one.id), _NULL if one.request is None else _json(one.request))
        for one in posted
        if one.key is not None
    ]
    return Copy("receipt", _RECEIPT, _joined(sorted(rows, key=_KEY)))


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


def _texts(column: Column, values: Sequence[Any]) -> Iterable[str]:
    write = _WRITE.get(column.sql, str)
    if column.mostly in (Mostly.SAME, Mostly.ONE) and values.count(values[0]) == len(values):
        return repeat(write(values[0]), len(values))
    if write is str:  # none of what has a type of numbers reads None but what is nothing
        return [_NULL if text == "None" else text for text in map(str, values)]
    return [_NULL if value is None else write(value) for value in values]


def _joined(rows: Iterable[Sequence[str]]) -> bytes:
    return "\n".join(["\t".join(row) for row in rows] + [""]).encode()


def _text(text: str) -> str:
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def _json(value: object) -> str:
    return json.encode(value).decode().replace("\\", "\\\\") if value else "{}"


@lru_cache(maxsize=64)  # a batch has one time
def _time(moment: datetime) -> str:
    return moment.isoformat()


_WRITE: Mapping[str, Callable[[Any], str]] = {"text": _text, "jsonb": _json, "timestamptz": _time}
