"""Ledgers: made, listed, found and renamed, over whichever connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from koshel.callers import Scope
from koshel.db.access import api_keys
from koshel.db.access.api_keys import NewKey
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


FIRST_KEY = "first"  # what the first key of a ledger is called


class LedgerRow(Struct, frozen=True):
    """A ledger."""

    id: int
    name: str
    ctime: datetime


class NameTaken(Exception):
    """Another ledger has the name; the message is that name."""


async def add(connection: "AnyConnection", q: Queries, name: str) -> LedgerRow:
    """A new ledger. Raises NameTaken."""
    row = await connection.fetchrow(q.add_ledger, name)
    if row is None:
        raise NameTaken(name)
    return _ledger(row)


async def add_with_key(connection: "AnyConnection", q: Queries, name: str) -> tuple[LedgerRow, NewKey]:
    """A new ledger, and a key of scope admin for it. Raises NameTaken."""
    made = await add(connection, q, name)
    await connection.execute(q.see_ledgers, f"{{{made.id}}}")  # nobody could name it before, if this is confined
    return made, await api_keys.add(connection, q, made.id, Scope.ADMIN, name=FIRST_KEY, lasts_s=None)


async def all_of_them(connection: "AnyConnection", q: Queries) -> Sequence[LedgerRow]:
    """Every ledger, by name."""
    return [_ledger(row) for row in await connection.fetch(q.list_ledgers)]


async def get(connection: "AnyConnection", q: Queries, ledger_id: int) -> LedgerRow:
    """The ledger with an id that is known to be one: ledgers stay for ever."""
    row = await connection.fetchrow(q.get_ledger, ledger_id)
    assert row is not None, "a ledger stays for ever"
    return _ledger(row)


async def find(connection: "AnyConnection", q: Queries, name: str) -> LedgerRow | None:
    """The ledger of a name, None if there is none."""
    row = await connection.fetchrow(q.find_ledger, name)
    return None if row is None else _ledger(row)


async def rename(connection: "AnyConnection", q: Queries, ledger_id: int, name: str) -> LedgerRow:
    """The ledger under its new name, of which every process hears. Raises NameTaken."""
    try:
        row = await connection.fetchrow(q.rename_ledger, ledger_id, name)
    except asyncpg.UniqueViolationError as error:
        raise NameTaken(name) from error
    assert row is not None, "a ledger stays for ever"
    return _ledger(row)


def _ledger(row: asyncpg.Record) -> LedgerRow:
    return LedgerRow(row["id"], row["name"], row["ctime"])
