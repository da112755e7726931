"""Outcomes in, arrays out: the columns of what is written. No connection here."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from koshel.core.book import Recorded
from koshel.core.model import Changed, Opened, Posted, Queued
from koshel.core.sides import Named, Side
from koshel.db.mapping.stored import to_receipt
from koshel.db.mapping.tables import ACCOUNT, RECEIPT, TRANSACTION, Column, Columns, Mostly

Rows: TypeAlias = Sequence[Mapping[str, Any]]  # values by the names of their columns

NOTHING = "{}"  # an array that would be all null: unnest fills it up


class Outside(Struct, frozen=True):
    """In the place of a side that is the world outside."""

    account_id: ClassVar[None] = None
    balance: ClassVar[None] = None
    held: ClassVar[None] = None
    version: ClassVar[None] = None


OUTSIDE = Outside()
_ID = itemgetter(1)
_ARRAYS = [column for column in TRANSACTION if column.mostly is not Mostly.ONE]
_TAKE: Mapping[str, Callable[[Any], Any]] = {column.name: attrgetter(column.attribute) for column in _ARRAYS}
# A rest of zero is something, but only a transaction with a parent has one.
_RARE = attrgetter("rest", *(c.at for c in _ARRAYS if c.mostly is Mostly.NULL and not c.side))
_RARE_OF_SIDE = {
    side: [attrgetter(c.attribute) for c in _ARRAYS if c.mostly is Mostly.NULL and c.side == side]
    for side in ("source", "target")
}
# What follows from the transactions of a batch, and is told to `post` besides.
DERIVED: Columns = (
    Column("is_sources_last", "boolean", mostly=Mostly.SAME),
    Column("is_targets_last", "boolean", mostly=Mostly.SAME),
    Column("request", "jsonb", mostly=Mostly.NULL),
    Column("rest", "numeric", mostly=Mostly.NULL),
)
_PLAIN = [column for column in _ARRAYS if column.mostly is not Mostly.NULL]
_PLAIN_DERIVED = [column for column in DERIVED if column.mostly is not Mostly.NULL]


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


class Postings(NamedTuple):
    """The arguments of `post`, or if all are plain of `post_plain`: an array, as text, of each column; the one time."""

    are_plain: bool
    arguments: list[Any]


def postings(transactions: Sequence[Posted]) -> Postings:
    """All that is written of these transactions. They are plain if no column that is mostly nothing has a value."""
    sources = [t.source or OUTSIDE for t in transactions]
    targets = [t.target or OUTSIDE for t in transactions]
    places: Mapping[str, Sequence[Any]] = {"": transactions, "source": sources, "target": targets}
    are_plain = not any(map(any, map(_RARE, transactions))) and not any(
        any(map(take, places[side])) for side, takes in _RARE_OF_SIDE.items() for take in takes
    )
    columns, derived = (_PLAIN, _PLAIN_DERIVED) if are_plain else (_ARRAYS, DERIVED)
    follows: list[Sequence[Any]] = [*_lasts(sources, targets)]
    if not are_plain:
        follows += [_requests(transactions), _rests(transactions)]
    written = [_array(column, list(map(_TAKE[column.name], places[column.side]))) for column in columns]
    written += [_array(column, values) for column, values in zip(derived, follows, strict=True)]
    return Postings(are_plain, [*written, transactions[0].ctime])


def _lasts(
    sources: Sequence[Side | Outside], targets: Sequence[Side | Named | Outside]
) -> tuple[list[bool], list[bool]]:
    """Whether each transaction is the last to touch its source, and its target."""
    last: dict[int | None, int] = {}
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if source.version is not None:
            last[source.account_id] = place
        if target.version is not None:
            last[target.account_id] = place
    return (
        [last.get(source.account_id) == place for place, source in enumerate(sources)],
        [last.get(target.account_id) == place for place, target in enumerate(targets)],
    )


def _requests(transactions: Sequence[Posted]) -> list[object]:
    """What a key's receipt says besides: the request, where the transaction does not say all of it."""
    return [t.key and t.request for t in transactions]


def _rests(transactions: Sequence[Posted]) -> list[str | None]:
    """What each hold reserves from now on, once: where it is placed, if it is, else where it is followed last.

    As text, since a zero is not nothing here: it ends the hold.
    """
    last: dict[int, Decimal] = {}
    places: dict[int, int] = {}
    for place, t in enumerate(transactions):
        if t.rest is not None:  # a hold, or what follows one
            id_ = t.parent_id or t.id or -place  # nobody can follow it before it has an id
            last[id_] = t.rest
            if id_ not in places or transactions[places[id_]].parent_id:
                places[id_] = place
    by_place = {place: str(last[id_] or 0) for id_, place in places.items()}
    return [by_place.get(place) for place in range(len(transactions))]


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
    return [_array(column, [row[column.name] for row in rows]) for column in given]


def _array(column: Column, values: Sequence[Any]) -> str:
    if column.mostly is Mostly.NULL:
        if not any(values):
            return NOTHING
        values = [value or None for value in values]
    write = _WRITE[column.sql]
    # Not of money: 5 and 5.00 are equal, but not the same.
    if column.mostly is Mostly.SAME and values.count(values[0]) == len(values):
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
