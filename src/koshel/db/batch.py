"""One batch under way: an open transaction, what it locks and what it writes."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg

from koshel.core.apart import apart
from koshel.core.commands import Claim, Command, Drain, Group, Sweep
from koshel.core.model import Book, First, Original, Outcome
from koshel.core.money import iso_scales
from koshel.core.reach import Place, Reach, reach, references
from koshel.db import claims, columns, kept, rows
from koshel.db.ids import Ids, take_before
from koshel.db.known import Known
from koshel.db.queries import Queries
from koshel.db.writing import write

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_CLAIMS = (Drain, Sweep)


class Batch:
    """`resolve`, `lock` and `write` once each; whoever opened the transaction commits it."""

    connection: "AnyConnection"  # with the open transaction

    def __init__(self, queries: Queries, known: Known | None = None, *, locks: bool = True) -> None:
        self.id: UUID = uuid4()
        self.written_ledger_id: int | None = None  # a ledger that has this batch's row, once it has one
        self._queries = queries
        self._known = known or Known()
        self._locks = locks
        self._ids = Ids()
        self._keys: list[str] = []  # the arguments of `find_receipts`, made before the locks
        self._originals: dict[int, Original] = {}
        self._pending: dict[int, tuple[int, str]] = {}

    async def resolve(self, commands: Sequence[Command | Claim]) -> Sequence[Command]:
        """The commands, with what is due in the place of each claim; what they refer to is found."""
        resolved: list[Any] = list(commands)
        due = [place for place, command in enumerate(commands) if isinstance(command, _CLAIMS)]  # nearly always none
        for place in due:
            resolved[place] = await claims.claim(self.connection, self._queries, resolved[place])
        if wanted := references(resolved):
            await self._find_originals(wanted)
        for place in due:
            if isinstance(commands[place], Drain):
                resolved[place] = await claims.ripe(self.connection, self._queries, resolved[place], self._pending)
        return resolved

    async def lock(self, commands: Sequence[Command]) -> Book:
        """The book for these commands: accounts locked, then all the rest read, by the database's clock."""
        reached = await self._prepare(commands)
        query = self._queries.lock_accounts if self._locks else self._queries.read_accounts
        ids = [id_ for id_ in reached.accounts if id_ is not None]
        locked = await self.connection.fetch(query, reached.ledgers, ids, max(ids)) if ids else []
        return await self._read(reached, locked)

    async def lock_free(self, commands: Sequence[Command]) -> tuple[Book, list[Command | None]]:
        """As `lock`, but it waits for nobody: also the commands, None for those whose accounts others have locked."""
        reached = await self._prepare(commands)
        free: list[Command | None] = list(commands)
        ids = {id_ for id_ in reached.accounts if id_ is not None}
        query = self._queries.lock_free_accounts
        locked = await self.connection.fetch(query, reached.ledgers, columns.ids(ids), max(ids)) if ids else []
        if new := self._known.those_unknown(ids):  # of a process that has run for a while, nearly always none
            self._known.add({row["id"]: row["ledger_id"] for row in locked if row["id"] in new})
        if missing := ids - {row["id"] for row in locked}:
            free = apart(commands, self._originals, await self._find_accounts(reached.ledgers, missing))
        return await self._read(reached, locked), free

    async def _prepare(self, commands: Sequence[Command]) -> Reach:
        """What takes its time, done while nobody waits for the locks yet."""
        if self._locks and [command for command in commands if type(command) is Group]:
            self._ids = await take_before(self.connection, self._queries, commands)
        reached = reach(commands, self._originals)
        self._keys = columns.keys(reached.keys) if reached.keys else []
        return reached

    async def _read(self, reached: Reach, locked: Sequence[asyncpg.Record]) -> Book:
        """The book, with these accounts and all that is to be read after the locks."""
        now = (locked and locked[-1]["now"]) or await self.connection.fetchval(self._queries.read_clock)
        book = Book(
            now,
            {account.id: account for account in map(rows.account, locked)},
            await self._find_receipts(self._keys),
            await self._find_scales(reached.currencies),
            originals=self._originals,
            pending=self._pending,
        )
        q = self._queries
        # Nearly always these are all empty, and nothing is asked.
        for row in await self._find(q.find_details, reached.changed):
            book.details[row["id"]] = rows.account_details(row)
        for id_, amount, ended_by in await self._find(q.find_holds, reached.holds):
            if amount is not None or ended_by is not None:
                book.holds[id_] = rows.reserved(amount, ended_by)
        book.refunded.update(await self._find(q.find_refunded, reached.refunded))
        if reached.shown:
            shown = {(ledger_id, id_) for ledger_id, id_ in reached.shown if id_ is not None}
            book.currencies = {id_: tuple(known) for id_, *known in await self._find(q.find_currencies, shown)}
        return book

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write what is new, and give it its ids."""
        self.written_ledger_id = await write(self.connection, self._queries, self.id, self._ids, outcomes)

    async def _find_originals(self, wanted: set[Place]) -> None:
        """Twice, as what is still promised at the first look may be posted at the second."""
        for _ in range(2):
            for original in map(rows.original, await self._find(self._queries.find_originals, wanted)):
                self._originals[original.id] = original
            wanted = {place for place in wanted if place[1] not in self._originals}
            pending = await self._find(self._queries.find_pending, wanted)
            self._pending |= {id_: (ledger_id, status) for ledger_id, id_, status in pending}
            wanted = {place for place in wanted if place[1] not in self._pending}

    async def _find_accounts(self, ledger_ids: AbstractSet[int], ids: AbstractSet[int]) -> set[int]:
        """Those of the ids that are accounts of these ledgers."""
        known = {id_: ledger_id for id_ in ids if (ledger_id := self._known.ledger(id_)) is not None}
        if unknown := ids - known.keys():
            found = await self.connection.fetch(self._queries.find_accounts, ledger_ids, unknown)
            known |= {row["id"]: row["ledger_id"] for row in found}
            self._known.add(known)
        return {id_ for id_, ledger_id in known.items() if ledger_id in ledger_ids}

    async def _find(self, query: str, wanted: set[Place]) -> list[Any]:
        return await self.connection.fetch(query, *columns.pairs(wanted)) if wanted else []

    async def _find_receipts(self, keys: Sequence[str]) -> dict[tuple[int, str], First]:
        if not keys:
            return {}
        found = await self.connection.fetch(self._queries.find_receipts, *keys)
        receipts = dict(map(rows.receipt, found))
        groups = [one for one in receipts.values() if isinstance(one, kept.KeptGroup)]
        members = set[Place]().union(*map(kept.transactions, groups))
        posted = {one.id: one for one in map(rows.posted, await self._find(self._queries.find_members, members))}
        return {
            key: kept.restore(one, posted) if isinstance(one, kept.KeptGroup) else one for key, one in receipts.items()
        }

    async def _find_scales(self, currencies: set[str]) -> dict[str, int]:
        if not currencies:
            return {}
        iso = iso_scales()
        scales = {code: iso[code] for code in currencies & iso.keys()}
        if unknown := currencies - iso.keys():
            found = await self.connection.fetch(self._queries.find_scales, unknown)
            scales |= {row["code"]: row["scale"] for row in found}
        return scales
