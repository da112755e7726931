"""Outcomes in, arrays out: the columns of what is written. No connection here."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from koshel.core.model import AccountDetails, Changed, Declined, Executed, Grouped, Opened, Posted, Queued
from koshel.db.kept import keep

Columns: TypeAlias = Sequence[Sequence[Any]]
Answer: TypeAlias = Opened | Changed | Queued | Grouped | Declined

NOTHING = "{}"  # an array that would be all null: unnest fills it up


class Side(Struct, gc=False):
    """An account as the last transaction that touched it leaves it."""

    ledger_id: int
    id: int
    balance: Decimal | None
    version: int
    held: Decimal | None


def ids(wanted: Iterable[int]) -> str:
    """An array of ids, as text."""
    return _array(wanted)


def pairs(wanted: Collection[tuple[int, Any]]) -> list[str]:
    """The arrays $1 and $2 of whatever looks for (ledger id, id), as text."""
    ledger_ids, ids = zip(*wanted, strict=True)
    return [_array(ledger_ids), _array(ids)]


def keys(wanted: Iterable[tuple[int, str]]) -> list[str]:
    """The arrays $1 and $2 of `find_receipts`, as text."""
    ledger_ids, texts = zip(*wanted, strict=True)
    return [_array(ledger_ids), _array(map(_quoted, texts))]


def postings(transactions: Sequence[Posted]) -> list[str]:
    """The arrays $1 to $11 of `post`, as text."""
    return [
        _array_of_few([t.ledger_id for t in transactions]),
        _array_of_few([t.kind for t in transactions]),
        _array([t.source_account_id or "NULL" for t in transactions]),
        _array([t.target_account_id or "NULL" for t in transactions]),
        _array([t.amount for t in transactions]),
        _array(["NULL" if t.source_balance is None else t.source_balance for t in transactions]),
        _array(["NULL" if t.target_balance is None else t.target_balance for t in transactions]),
        _array([t.source_version or "NULL" for t in transactions]),
        _array([t.target_version or "NULL" for t in transactions]),
        _rare([t.key and _quoted(t.key) for t in transactions]),
        _rare([t.metadata and _quoted(_json(t.metadata)) for t in transactions]),
    ]


def rarities(transactions: Sequence[Posted]) -> list[str]:
    """The arrays $16 to $23 of `post`, as text: what plain transfers do not have."""
    if not any(t.id or t.source_held or t.target_held or t.parent_id or t.group_id or t.request for t in transactions):
        return [NOTHING] * 8
    return [
        _rare([t.id or None for t in transactions]),
        _rare([t.source_held for t in transactions]),
        _rare([t.target_held for t in transactions]),
        _rare([t.parent_id for t in transactions]),
        _rare([t.group_id for t in transactions]),
        _rare([t.expires_at and _time(t.expires_at) for t in transactions]),
        _rare([t.request and t.key and _quoted(_json(t.request)) for t in transactions]),
        _rare(["0" if rest == 0 else rest for rest in _rests(transactions)]),
    ]


def lasts(transactions: Sequence[Posted]) -> list[str]:
    """The arrays $14 and $15 of `post`, as text: whether each is the last to touch its source, and its target."""
    last: dict[int | None, int] = {}
    for place, t in enumerate(transactions):
        if t.source_version is not None:
            last[t.source_account_id] = place
        if t.target_version is not None:
            last[t.target_account_id] = place
    return [
        _array_of_few([last.get(t.source_account_id) == place for place, t in enumerate(transactions)]),
        _array_of_few([last.get(t.target_account_id) == place for place, t in enumerate(transactions)]),
    ]


def _rests(transactions: Sequence[Posted]) -> list[Decimal | None]:
    """What each hold reserves from now on, once: where it is placed, if it is, else where it is followed last."""
    last: dict[int, Decimal] = {}
    places: dict[int, int] = {}
    for place, t in enumerate(transactions):
        if t.rest is not None:
            id_ = t.parent_id or t.id or -place  # nobody can follow it before it has an id
            last[id_] = t.rest
            if id_ not in places or transactions[places[id_]].parent_id:
                places[id_] = place
    by_place = {place: last[id_] for id_, place in places.items()}
    return [by_place.get(place) for place in range(len(transactions))]


def openings(accounts: Sequence[Opened]) -> Columns:
    """The arrays $1 to $10 of `open_accounts`."""
    rows = [
        (
            *(a.ledger_id, a.id, a.email, a.currency, a.scale, a.balance, a.min_balance, a.max_balance),
            *(_json(a.metadata), o.command.key),
        )
        for o in accounts
        for a in (o.account,)
    ]
    return list(zip(*rows, strict=True))


def changes(changed: Iterable[Changed], posted: Iterable[Posted]) -> Columns:
    """The arrays of `change_accounts`: each account once, as the whole batch leaves it."""
    sides = _last_sides(posted)
    last: dict[int, AccountDetails] = {one.account.id: one.account for one in changed}
    rows = []
    for a in last.values():
        side = sides.get(a.id)
        money = (a.balance, a.held, a.version) if side is None else (side.balance, _held(side), side.version)
        limits = (a.min_balance, a.max_balance, a.status, a.email, _json(a.metadata))
        rows.append((a.ledger_id, a.id, *money, a.revision, *limits))
    return list(zip(*rows, strict=True))


def receipts(remembered: Sequence[Answer | Posted]) -> list[str]:
    """The arrays of `keep_receipts`, as text."""
    return [_array_of_few(column) for column in zip(*map(_receipt, remembered), strict=True)]


def _receipt(one: Answer | Posted) -> tuple[str | int, ...]:
    if isinstance(one, Posted):
        assert one.key is not None, "what has no key has no receipt"
        request = _quoted(_json(one.request)) if one.request else "NULL"
        return one.ledger_id, _quoted(one.key), "NULL", one.id, request
    key = one.command.key
    assert key is not None, "what has no key has no receipt"
    answer = _quoted(_json(keep(one) if isinstance(one, Grouped) else one))
    return one.command.ledger_id, _quoted(key), answer, one.id if isinstance(one, Queued) else "NULL", "NULL"


def promises(queued: Sequence[Queued]) -> Columns:
    """The arrays $1 to $3 of `enqueue`."""
    return list(zip(*[(q.command.ledger_id, q.id, _json(q)) for q in queued], strict=True))


def executions(executed: Sequence[Executed]) -> Columns:
    """The arrays $1 to $3 of `settle_queued`."""
    rows = [
        (e.command.ledger_id, e.command.id, _json(e.outcome) if isinstance(e.outcome, Declined) else None)
        for e in executed
    ]
    return list(zip(*rows, strict=True))


def _last_sides(transactions: Iterable[Posted]) -> dict[int, Side]:
    """Each account that was touched, once."""
    last: dict[int, Side] = {}
    for t in transactions:
        if t.source_version is not None and t.source_account_id is not None:
            last[t.source_account_id] = Side(
                t.ledger_id, t.source_account_id, t.source_balance, t.source_version, t.source_held
            )
        if t.target_version is not None and t.target_account_id is not None:
            last[t.target_account_id] = Side(
                t.ledger_id, t.target_account_id, t.target_balance, t.target_version, t.target_held
            )
    return last


def _held(side: Side) -> Decimal:
    """What is held, or a zero with as many decimals as the balance: an account has its currency's scale."""
    assert side.balance is not None
    return side.balance * 0 if side.held is None else side.held


def _rare(elements: Sequence[object]) -> str:
    """An array that is nearly always empty."""
    if not any(elements):
        return NOTHING
    return _array([element or "NULL" for element in elements])


def _array(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(str, elements)) + "}"


def _array_of_few(elements: Sequence[str | int]) -> str:
    """As `_array`, of what is nearly always the same. Not of money: 5 and 5.00 are equal, but not the same."""
    first = elements[0]
    if elements.count(first) == len(elements):
        return "{" + f"{first}," * (len(elements) - 1) + f"{first}}}"
    return _array(elements)


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
