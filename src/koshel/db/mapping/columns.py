"""Outcomes in, arrays out: the columns of what is written. No connection here."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from koshel.core.book import Recorded
from koshel.core.model import Changed, Opened, Posted, Queued
from koshel.core.sides import Side
from koshel.db.mapping.stored import to_receipt
from koshel.db.mapping.tables import ACCOUNT, RECEIPT, Column, Columns, Mostly

Rows: TypeAlias = Sequence[Mapping[str, Any]]  # values by the names of their columns

NOTHING = "{}"  # an array that would be all null: unnest fills it up

_ID = itemgetter(1)


def ids(wanted: Iterable[int]) -> str:
    """An array of ids, as text."""
    return _joined(wanted)


def pairs(wanted: Collection[tuple[int, Any]]) -> list[str]:
    """The arrays $1 and $2 of whatever looks for (ledger id, id), as text; the ids ascend."""
    ledger_ids, ids = zip(*sorted(wanted, key=_ID), strict=True)
    return [_joined(ledger_ids), _joined(ids)]


def texts(wanted: Iterable[tuple[int, str]]) -> list[str]:
    """The arrays $1 and $2 of whatever looks for (ledger id, text), as text."""
    ledger_ids, texts = zip(*wanted, strict=True)
    return [_joined(ledger_ids), _joined(map(_quoted, texts))]


def openings(opened: Sequence[Opened]) -> list[Any]:
    """The arguments of `open_accounts`: an array of each column, as text, and their one time."""
    return [*arrays(_of_accounts(opened, ACCOUNT), ACCOUNT), opened[0].account.ctime]


def changes(changed: Iterable[Changed], posted: Iterable[Posted]) -> list[str]:
    """The arrays of `change_accounts`, as text: each account once, as the whole batch leaves it."""
    sides = {side.account_id: side for one in posted for side in (one.source, one.target) if isinstance(side, Side)}
    last: dict[int, Changed] = {}
    for one in changed:
        account, side = one.account, sides.get(one.account.id)
        if side is not None:
            account = replace(account, balance=side.balance, held=side.held, version=side.version)
        last[account.id] = Changed(one.command, account)
    columns = [column for column in ACCOUNT if column.changes or column.name in {"ledger_id", "id"}]
    return arrays(_of_accounts(last.values(), columns), columns)


def _of_accounts(outcomes: Iterable[Opened | Changed], columns: Columns) -> Rows:
    return [{column.name: attrgetter(column.at)(one) for column in columns} for one in outcomes]


def receipts(remembered: Sequence[Recorded | Posted]) -> list[str]:
    """The arrays of `record_receipts`, as text."""
    return arrays([_receipt(one) for one in remembered], RECEIPT)


def _receipt(one: Recorded | Posted) -> Mapping[str, Any]:
    answer = request = transaction_id = None
    if isinstance(one, Posted):
        ledger_id, key, transaction_id, request = one.ledger_id, one.key, one.id, one.request
    else:
        ledger_id, key = one.command.ledger_id, one.command.key
        answer = to_receipt(one)
        transaction_id = one.id if isinstance(one, Queued) else None
    assert key is not None, "what has no key has no receipt"
    return {
        "ledger_id": ledger_id,
        "idempotency_key": key,
        "answer": answer,
        "transaction_id": transaction_id,
        "request": request,
    }


def arrays(rows: Rows, columns: Columns) -> list[str]:
    """An array of each column that the rows have, in the columns' order."""
    given = [column for column in columns if column.name in rows[0] and column.mostly is not Mostly.ONE]
    return [array(column, [row[column.name] for row in rows]) for column in given]


def array(column: Column, values: Sequence[Any]) -> str:
    """The array of a column, as text: NOTHING if it is mostly nothing, and now too."""
    if column.mostly is Mostly.NULL:
        if not any(values):
            return NOTHING
        values = [value or None for value in values]
    write = _WRITE[column.sql]
    # Not of money: 5 and 5.00 are equal, but not the same.
    if (column.mostly is Mostly.SAME or column.is_plain) and values.count(values[0]) == len(values):
        element = write(values[0])
        return "{" + f"{element}," * (len(values) - 1) + f"{element}}}"
    if write is str:  # none of what has a type of numbers reads None but what is nothing
        return _joined(values).replace("None", "NULL")
    return "{" + ",".join(["NULL" if value is None else write(value) for value in values]) + "}"


def _joined(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(str, elements)) + "}"


@lru_cache(maxsize=64)  # a batch has one time, and holds mostly one lifetime
def _time(moment: datetime) -> str:
    return moment.isoformat()


def _quoted(text: str) -> str:
    """An array element that may hold anything but NUL."""
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else "{}"


def _quoted_json(value: object) -> str:
    return _quoted(_json(value))


_WRITE: Mapping[str, Callable[[Any], str]] = {
    "bigint": str,
    "bigint[]": _quoted,
    "boolean": str,
    "date": str,
    "integer": str,
    "numeric": str,
    "smallint": str,
    "text": _quoted,
    "jsonb": _quoted_json,
    "timestamptz": _time,
}
