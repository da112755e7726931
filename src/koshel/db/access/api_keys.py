"""API keys: made, listed, revoked, rotated and found, over whichever connection.

What changes one is sent in a database transaction. When that is committed, every process hears of it by the channel
`koshel_api_key`: the digest in hexadecimal, or nothing if it concerns more than one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import asyncpg
from msgspec import Struct

from koshel import api_keys
from koshel.callers import Caller, Scope
from koshel.db.queries import Queries
from koshel.db.reading.pages import Ask, turned
from koshel.db.reading.wanted import ID_MAX, Id, Listed, Order

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

CHANNEL = "koshel_api_key"

Status: TypeAlias = Literal["active", "expired", "revoked"]


class KeyRow(Struct, frozen=True):
    """A key, without the key itself."""

    id: int
    name: str
    scope: Scope
    status: Status
    ctime: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None  # to the minute


class NewKey(Struct, frozen=True):
    """A key that was just made: the only moment at which the key itself is known."""

    row: KeyRow
    text: str


class RotatedKey(NewKey, frozen=True):
    """A key that was just made in place of another one."""

    old_expires_at: datetime  # when the other one does


class KeyPosition(Struct, frozen=True, array_like=True):
    """Where a page of keys has ended."""

    id: Id


_BEGIN = {"desc": KeyPosition(ID_MAX), "asc": KeyPosition(0)}


class FoundKey(Struct, frozen=True):
    """What a digest stands for."""

    caller: Caller
    is_revoked: bool
    remaining_s: float | None  # by the database's clock; None: it does not expire


class NotUsable(Exception):
    """The key was revoked, or has expired."""


class LastAdminKey(Exception):
    """Without the key, nobody could make keys of its ledger over HTTP any more, or not for as long as with it."""


async def add(
    connection: "AnyConnection", q: Queries, ledger_id: int, scope: Scope, *, name: str, lasts_s: int | None
) -> NewKey:
    """A new key. `lasts_s`: None, for ever."""
    text = api_keys.make()
    digest = api_keys.digest_of(text)
    seconds = None if lasts_s is None else float(lasts_s)
    row = await connection.fetchrow(q.add_api_key, ledger_id, name, scope.value, digest, seconds)
    assert row is not None, "what is inserted is returned"
    return NewKey(_key(row), text)


async def page(
    connection: "AnyConnection", q: Queries, ledger_id: int, *, before: int, count: int, order: Order = "desc"
) -> Sequence[KeyRow]:
    """The newest keys with an id below `before`; `asc`: the oldest ones with an id above it."""
    found = await connection.fetch(turned(q.list_api_keys, order), ledger_id, before, count)
    return [_key(row) for row in found]


async def get(connection: "AnyConnection", q: Queries, ledger_id: int, key_id: int) -> KeyRow | None:
    """A key, None if there is none."""
    row = await connection.fetchrow(q.get_api_key, ledger_id, key_id)
    return None if row is None else _key(row)


async def listed(connection: "AnyConnection", q: Queries, ledger_id: int, ask: Ask) -> Listed[KeyRow, KeyPosition]:
    """A page of the keys of a ledger."""
    begin = _BEGIN[ask.order] if ask.start is None else ask.start
    found = await page(connection, q, ledger_id, before=begin.id, count=ask.limit + 1, order=ask.order)
    shown = list(found[: ask.limit])
    return Listed(shown, KeyPosition(shown[-1].id) if len(found) > ask.limit else None)


async def revoke(
    connection: "AnyConnection", q: Queries, ledger_id: int, key_id: int, *, even_the_last: bool = False
) -> KeyRow | None:
    """The key as it was before it was revoked, None if there is none. Raises LastAdminKey.

    One that was revoked already stays so.
    """
    await connection.execute(q.lock_ledger, ledger_id)
    row = await connection.fetchrow(q.get_api_key, ledger_id, key_id)
    if row is None:
        return None
    key = _key(row)
    if not even_the_last and await is_last_admin_key(connection, q, ledger_id, key):
        raise LastAdminKey(key_id)
    await connection.execute(q.revoke_api_key, ledger_id, key_id)
    return key


async def is_last_admin_key(connection: "AnyConnection", q: Queries, ledger_id: int, key: KeyRow) -> bool:
    """Whether the ledger has no other key that is active, may make keys, and lasts as long: to its end, or for ever."""
    if key.scope is not Scope.ADMIN or key.status != "active":
        return False
    return not await connection.fetchval(q.has_other_admin_key, ledger_id, key.id, key.expires_at)


async def rotate(
    connection: "AnyConnection", q: Queries, ledger_id: int, key_id: int, *, overlap_s: int
) -> RotatedKey | None:
    """A new key in place of another one, which ends after `overlap_s` or before; None if there is none.

    Raises NotUsable. It has the name and the scope of the other, and lasts as long as that was to last.
    """
    row = await connection.fetchrow(q.get_api_key, ledger_id, key_id)
    if row is None:
        return None
    old = _key(row)
    if old.status != "active":
        raise NotUsable(key_id)
    lasts_s = None if old.expires_at is None else max(1, round((old.expires_at - old.ctime).total_seconds()))
    new = await add(connection, q, ledger_id, old.scope, name=old.name, lasts_s=lasts_s)
    ended = await connection.fetchrow(q.end_api_key, ledger_id, key_id, float(overlap_s))
    assert ended is not None, "it is locked"
    return RotatedKey(new.row, new.text, ended["expires_at"])


async def ledger_of(connection: "AnyConnection", q: Queries, key_id: int) -> int | None:
    """The id of a key's ledger, None if there is no such key."""
    found: int | None = await connection.fetchval(q.find_ledger_of_api_key, key_id)
    return found


async def exist(connection: "AnyConnection", q: Queries) -> bool:
    """Whether there is any key, be it revoked."""
    return bool(await connection.fetchval(q.has_api_keys))


async def find(connection: "AnyConnection", q: Queries, digests: Iterable[bytes]) -> Mapping[bytes, FoundKey]:
    """The keys that some digests stand for."""
    rows = await connection.fetch(q.find_api_keys, list(digests))
    return {
        row["digest"]: FoundKey(
            Caller(row["ledger_id"], row["ledger"], Scope(row["scope"]), str(row["id"])),
            row["is_revoked"],
            row["remaining_s"],
        )
        for row in rows
    }


async def note_used(connection: "AnyConnection", q: Queries, callers: Sequence[Caller]) -> None:
    """That these callers' keys were used now."""
    ledgers = [one.ledger_id for one in callers]
    await connection.execute(q.note_api_keys_used, ledgers, [int(one.key_id or 0) for one in callers])


def _key(row: asyncpg.Record) -> KeyRow:
    return KeyRow(
        row["id"],
        row["name"],
        Scope(row["scope"]),
        row["status"],
        row["ctime"],
        row["expires_at"],
        row["revoked_at"],
        row["last_used_at"],
    )
