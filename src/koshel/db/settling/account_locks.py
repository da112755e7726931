"""The lock statement of a batch: each account is asked for in the ledger of the command that names it.

A batch has commands of several ledgers. An id that is another ledger's account is no account for whoever names it, so
it is neither locked nor waited for: otherwise one ledger's callers would wait for a lock in another ledger.

    all of one ledger, or all known ──▶ flat arrays, of ledgers and of ids
    anything else ────────────────────▶ pairs
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from koshel.core.reach import QualifiedId, qualified
from koshel.db.mapping import columns
from koshel.db.queries import Queries
from koshel.db.settling.known import Known

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

Accounts: TypeAlias = Mapping[int, AbstractSet[int]]  # ids by ledger id; no set is empty


async def lock(
    connection: "AnyConnection", q: Queries, known: Known, accounts: Accounts, wait_ms: int | None
) -> list[asyncpg.Record]:
    """The rows of the accounts that there are, locked, in ascending order of their ids."""
    highest, wait = _highest(accounts), None if wait_ms is None else str(wait_ms)
    if _are_plain(accounts, known):
        return await connection.fetch(q.lock_accounts, [*accounts], ids(accounts), highest, wait)
    pairs = columns.pairs(qualified(accounts))
    locked = await connection.fetch(q.lock_accounts_of_ledgers, *pairs, highest, wait)
    known.add({row["id"]: row["ledger_id"] for row in locked})
    return locked


async def lock_free(
    connection: "AnyConnection", q: Queries, known: Known, accounts: Accounts, wait_ms: int | None
) -> list[asyncpg.Record]:
    """As `lock`, of the accounts that nobody else has locked."""
    highest, wait = _highest(accounts), None if wait_ms is None else str(wait_ms)
    if _are_plain(accounts, known):
        flat = columns.ids(ids(accounts))
        locked = await connection.fetch(q.lock_free_accounts, [*accounts], flat, highest, wait)
    else:
        pairs = columns.pairs(qualified(accounts))
        locked = await connection.fetch(q.lock_free_accounts_of_ledgers, *pairs, highest, wait)
    if new := known.those_unknown(ids(accounts)):  # of a process that has run for a while, nearly always none
        known.add({row["id"]: row["ledger_id"] for row in locked if row["id"] in new})
    return locked


async def read(connection: "AnyConnection", q: Queries, accounts: Accounts) -> list[asyncpg.Record]:
    """The rows of accounts, not locked. All are of one ledger: it is a caller who asks what would happen."""
    (ledger_id,) = accounts
    return await connection.fetch(q.read_accounts, [ledger_id], ids(accounts), _highest(accounts))


def missing(accounts: Accounts, locked: Sequence[asyncpg.Record]) -> set[QualifiedId]:
    """The accounts whose rows are not there: they are locked by others, or do not exist."""
    if len(locked) == sum(map(len, accounts.values())):  # as nearly always
        return set()
    return qualified(accounts) - {(row["ledger_id"], row["id"]) for row in locked}


def ids(accounts: Accounts) -> list[int]:
    """Those of all ledgers, flat."""
    return [*chain.from_iterable(accounts.values())]


def _are_plain(accounts: Accounts, known: Known) -> bool:
    """Whether flat arrays say it all: no id is asked for in a ledger that may not be its own."""
    return len(accounts) == 1 or known.has_all(accounts)


def _highest(accounts: Accounts) -> int:
    return max(map(max, accounts.values()))
