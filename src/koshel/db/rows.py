"""Rows in, structs out; outcomes in, arrays out. No connection here."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
from asyncpg import Record

from koshel.core.model import Account, AccountDetails, Declined, First, Kind, Opened, Posted

Columns: TypeAlias = Sequence[Sequence[Any]]

_answer = msgspec.json.Decoder(Opened | Declined)
_metadata = msgspec.json.Decoder(dict[str, str])


def account(row: Record) -> Account:
    """A row of `lock_accounts`."""
    return Account(*row[:-1])


def account_details(row: Record) -> AccountDetails:
    """A row of `get_account`."""
    *fields, metadata, ctime = row
    return AccountDetails(*[*fields, _metadata.decode(metadata), ctime])


def posted(row: Record | Sequence[Any]) -> Posted:
    """A row of `get_transaction`."""
    ledger_id, kind, *fields, metadata, key, ctime, id_ = row
    return Posted(*[ledger_id, Kind(kind), *fields, _metadata.decode(metadata), key, ctime, id_])


def receipt(row: Record) -> tuple[tuple[int, str], First]:
    """A row of `find_receipts`: what the (ledger, key) has answered."""
    ledger_id, key, answer, *transaction = row
    return (ledger_id, key), posted(transaction) if answer is None else _answer.decode(answer)


def key_columns(keys: Iterable[tuple[int, str]]) -> list[str]:
    """The arrays $1 and $2 of `find_receipts`, as text."""
    ledger_ids, texts = zip(*keys, strict=True)
    return [_array(ledger_ids), _array(map(_quoted, texts))]


def posting_columns(transactions: Sequence[Posted]) -> list[str]:
    """The arrays $1 to $11 of `post`, as text."""
    return [
        _array([t.ledger_id for t in transactions]),
        _array([t.kind for t in transactions]),
        _array([t.source_account_id or "NULL" for t in transactions]),
        _array([t.target_account_id or "NULL" for t in transactions]),
        _array([t.amount for t in transactions]),
        _array(["NULL" if t.source_balance is None else t.source_balance for t in transactions]),
        _array(["NULL" if t.target_balance is None else t.target_balance for t in transactions]),
        _array([t.source_version or "NULL" for t in transactions]),
        _array([t.target_version or "NULL" for t in transactions]),
        _array(["NULL" if t.key is None else _quoted(t.key) for t in transactions]),
        _array([_quoted(_json(t.metadata)) if t.metadata else '"{}"' for t in transactions]),
    ]


def moved_columns(transactions: Iterable[Posted]) -> list[str]:
    """The arrays $14 to $17 of `post`, as text: each account once, as the last transaction leaves it."""
    last: dict[int, tuple[Any, ...]] = {}
    for t in transactions:
        if t.source_account_id is not None:
            last[t.source_account_id] = (t.ledger_id, t.source_account_id, t.source_balance, t.source_version)
        if t.target_account_id is not None:
            last[t.target_account_id] = (t.ledger_id, t.target_account_id, t.target_balance, t.target_version)
    return [_array(column) for column in zip(*last.values(), strict=True)]


def opening_columns(accounts: Sequence[Opened]) -> Columns:
    """The arrays $1 to $10 of `open_accounts`."""
    rows = [
        (
            a.ledger_id,
            a.id,
            a.email,
            a.currency,
            a.scale,
            a.balance,
            a.min_balance,
            a.max_balance,
            _json(a.metadata),
            o.command.key,
        )
        for o in accounts
        for a in (o.account,)
    ]
    return list(zip(*rows, strict=True))


def answer_columns(answers: Sequence[Opened | Declined]) -> Columns:
    """The arrays $1 to $3 of `keep_answers`."""
    rows = [(a.command.ledger_id, a.command.key, _json(a)) for a in answers]
    return list(zip(*rows, strict=True))


def _array(elements: Iterable[object]) -> str:
    return "{" + ",".join(map(str, elements)) + "}"


def _quoted(text: str) -> str:
    """An array element that may hold anything but NUL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode() if value else "{}"
