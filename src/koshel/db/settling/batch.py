"""One batch under way: an open transaction, what it locks and what it writes."""

import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg

from koshel.core.apart import Line, PutOff, apart
from koshel.core.commands import Command, Execute, Group, Split
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.model import Book, Facts, First, Outcome, Shown, State
from koshel.core.originals import Original, Pending
from koshel.core.reach import QualifiedId, Reach, by_ledger, qualified, reach, references
from koshel.db.mapping import columns, rows, stored
from koshel.db.namespace import Namespace
from koshel.db.queries import Queries
from koshel.db.row_security import confine
from koshel.db.settling import account_locks, account_names, claims, currencies, notes, turnovers
from koshel.db.settling.account_locks import Accounts
from koshel.db.settling.claims import Claim, ClaimQueued
from koshel.db.settling.ids import Ids, take_account_ids, take_before
from koshel.db.settling.known import Known
from koshel.db.settling.strangers import Patience, Strangers
from koshel.db.settling.writing import write
from koshel.outcomes import Outcomes

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

FIRST_WAIT_MS = 100  # for a lock, while nothing else is locked

_TOGETHER = frozenset({Group, Split, EndSplit, Exchange, Execute})  # make several transactions each, or may


class Batch:
    """`resolve`, `lock` and `write` once each; whoever opened the transaction commits it."""

    connection: "AnyConnection"  # with the open transaction
    wait_ms: int | None = None  # for a lock; None: the connection's own limit
    locked_at: float | None = None  # by the monotonic clock
    _book: Book  # as it was read

    def __init__(
        self,
        namespace: Namespace,
        known: Known | None = None,
        strangers: Strangers | None = None,
        *,
        locks: bool = True,
    ) -> None:
        self.id: UUID = uuid4()
        self.written_ledger_id: int | None = None  # a ledger that has this batch's row, once it has one
        self._namespace = namespace  # known once there is a connection
        self._known = known or Known()
        self._strangers = strangers or Strangers()
        self._locks = locks
        self._ids = Ids()
        self._keys: list[str] = []  # the arguments of `find_receipts`, made before the locks
        self._originals: dict[int, Original] = {}
        self._pending: dict[int, Pending] = {}

    @property
    def _queries(self) -> Queries:
        return self._namespace.queries

    async def resolve(self, commands: Sequence[Command | Claim]) -> Sequence[Command]:
        """The commands, with what is due in the place of each claim; what they refer to is found."""
        if self._namespace.is_confined:
            await confine(self.connection, self._namespace, {command.ledger_id for command in commands})
        found: list[Any] = list(commands)
        due = [place for place, command in enumerate(commands) if isinstance(command, Claim)]  # nearly always none
        for place in due:
            found[place] = await claims.claim(self.connection, self._queries, found[place])
        if wanted := references(found):
            await self._find_originals(wanted)
        for place in due:
            if isinstance(commands[place], ClaimQueued):
                found[place] = await claims.ripe(self.connection, self._queries, found[place], self._pending)
        await account_names.resolve(self.connection, self._queries, self._known, found, self._take_account_ids)
        return found

    async def _take_account_ids(self, count: int) -> Sequence[int]:
        return await take_account_ids(self.connection, self._queries, count)

    async def lock(self, commands: Sequence[Command]) -> Book:
        """The book for these commands: accounts locked, then all the rest read, by the database's clock."""
        reached = await self._prepare(commands)
        return await self._read(reached, await self._lock_accounts(reached.accounts, self.wait_ms))

    async def lock_free(
        self,
        commands: Sequence[Command],
        taken: AbstractSet[Line],
        patience: Patience,
        watched: AbstractSet[Line] | None,
    ) -> tuple[Book, list[Command | PutOff]]:
        """As `lock`, for the commands whose accounts nobody else has locked: also the commands, as `apart` has them."""
        waits = patience is Patience.BATCHES
        held = frozenset[QualifiedId]()
        if waits:
            held = await self._find_held(reach(commands, self._originals).accounts)
        free: list[Command | PutOff] = [*commands]
        if taken or held:
            free = apart(commands, self._originals, held, taken, watched=watched, held=held)
        reached = await self._prepare([one for one in free if not isinstance(one, PutOff)])
        if waits:
            return await self._read(reached, await self._lock_accounts(reached.accounts, self.wait_ms)), free
        if patience is Patience.FIRST:
            await self._wait_for(reached.accounts)
        locked = await self._lock_free(reached.accounts)
        missing = account_locks.missing(reached.accounts, locked)
        if missing and (others := await self._find_accounts(missing)):
            lasting = None if patience is Patience.NONE else await self._find_held(by_ledger(others))
            if patience is Patience.SPENT and not lasting:  # it waited in vain, but for which of them cannot be told
                self._strangers.met()
                lasting = None
            free = apart(commands, self._originals, others, taken, watched=watched, held=lasting)
        return await self._read(reached, locked), free

    async def _find_held(self, accounts: Accounts) -> frozenset[QualifiedId]:
        """Those of the accounts that a transaction holds which is no batch's."""
        held = await self.connection.fetch(self._queries.find_held, [*accounts], account_locks.ids(accounts))
        found = qualified(accounts).intersection((row["ledger_id"], row["id"]) for row in held)
        if found:
            self._strangers.met()
        return frozenset(found)

    async def _wait_for(self, accounts: Accounts) -> None:
        """Wait for those of the accounts that strangers have locked, or else others; meanwhile no other is locked."""
        look = self.connection.transaction()  # a savepoint: what it has locked is unlocked when it is rolled back
        await look.start()
        missing = account_locks.missing(accounts, await self._lock_free(accounts))
        await look.rollback()
        if others := await self._find_accounts(missing):
            # What another batch holds is free in a moment, and must not be kept while a stranger is waited for.
            lasting = await self._find_held(by_ledger(others))
            await self._lock_accounts(by_ledger(lasting or others), FIRST_WAIT_MS)

    async def _prepare(self, commands: Sequence[Command]) -> Reach:
        """What takes its time, done while nobody waits for the locks yet."""
        if self._locks and not _TOGETHER.isdisjoint(map(type, commands)):
            self._ids = await take_before(self.connection, self._queries, commands)
        reached = reach(commands, self._originals)
        self._keys = columns.texts(reached.keys) if reached.keys else []
        return reached

    async def _lock_accounts(self, accounts: Accounts, wait_ms: int | None) -> list[asyncpg.Record]:
        if not accounts:
            return await self._lock_nothing()
        if not self._locks:
            return await account_locks.read(self.connection, self._queries, accounts)
        locked = await account_locks.lock(self.connection, self._queries, self._known, accounts, wait_ms)
        self.locked_at = time.monotonic()
        return locked

    async def _lock_free(self, accounts: Accounts) -> list[asyncpg.Record]:
        if not accounts:
            return await self._lock_nothing()
        locked = await account_locks.lock_free(self.connection, self._queries, self._known, accounts, self.wait_ms)
        self.locked_at = time.monotonic()
        return locked

    async def _lock_nothing(self) -> list[asyncpg.Record]:
        """A key may have to be waited for all the same: for no longer than an account."""
        if self.wait_ms is not None:
            await self.connection.execute(self._queries.limit_lock_wait, str(self.wait_ms))
        return []

    async def _read(self, reached: Reach, locked: Sequence[asyncpg.Record]) -> Book:
        """The book, with these accounts and all that is to be read after the locks."""
        now = (locked and locked[-1]["now"]) or await self.connection.fetchval(self._queries.read_clock)
        state = State(
            {account.id: account for account in map(rows.account, locked)},
            await self._find_receipts(self._keys),
            originals=self._originals,
            pending=self._pending,
        )
        q = self._queries
        scales = await currencies.scales(self.connection, q, reached.currencies) if reached.currencies else {}
        shown = dict[int, Shown]()
        # Nearly always these are all empty, and nothing is asked.
        for row in await self._find(q.find_details, reached.changed):
            state.details[row["id"]] = rows.account_details(row)
        for id_, amount, ended_by in await self._find(q.find_holds, reached.holds):
            if amount is not None or ended_by is not None:
                state.holds[id_] = rows.reserved(amount, ended_by)
        state.refunded.update(await self._find(q.find_refunded, reached.refunded))
        if reached.shown:
            wanted = {(ledger_id, id_) for ledger_id, id_ in reached.shown if id_ is not None}
            shown = {
                id_: (of, code, scale, name) for id_, of, code, scale, name in await self._find(q.find_shown, wanted)
            }
        state.noted.update(await notes.read(self.connection, q, reached.noted))
        state.turnovers.update(await turnovers.read(self.connection, q, locked, reached.limited, now))
        self._book = Book(Facts(now, scales, shown), state)
        return self._book

    async def write(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Write what is new: the outcomes, now with their ids."""
        now = self._book.facts.now
        written = await write(self.connection, self._queries, self.id, self._ids, outcomes, now=now)
        await turnovers.keep(self.connection, self._queries, self._book, written.outcomes)
        self.written_ledger_id = written.ledger_id
        return Outcomes(written.outcomes, self.id)

    def ended(self, error: Exception | None = None) -> None:
        """It is committed; or with an error it is not, or nobody knows whether it is."""

    async def _find_originals(self, wanted: set[QualifiedId]) -> None:
        """Twice, as what is still queued at the first look may be posted at the second."""
        for _ in range(2):
            for original in map(rows.original, await self._find(self._queries.find_originals, wanted)):
                self._originals[original.id] = original
            wanted = {one for one in wanted if one[1] not in self._originals}
            self._pending |= map(rows.pending, await self._find(self._queries.find_pending, wanted))
            wanted = {one for one in wanted if one[1] not in self._pending}

    async def _find_accounts(self, wanted: set[QualifiedId]) -> set[QualifiedId]:
        """Those of these that are accounts. What is another ledger's is looked up as what does not exist."""
        known = {(ledger_id, id_) for ledger_id, id_ in wanted if self._known.ledger(id_) == ledger_id}
        if unknown := by_ledger(wanted - known):
            found = await self.connection.fetch(self._queries.find_accounts, [*unknown], account_locks.ids(unknown))
            self._known.add({row["id"]: row["ledger_id"] for row in found})
            known |= wanted.intersection((row["ledger_id"], row["id"]) for row in found)
        return known

    async def _find(self, query: str, wanted: set[QualifiedId]) -> list[Any]:
        return await self.connection.fetch(query, *columns.pairs(wanted)) if wanted else []

    async def _find_receipts(self, keys: Sequence[str]) -> dict[tuple[int, str], First]:
        if not keys:
            return {}
        receipts = dict(map(rows.receipt, await self.connection.fetch(self._queries.find_receipts, *keys)))
        wanted = set[QualifiedId]().union(*map(stored.transactions, receipts.values()))
        posted = {one.id: one for one in map(rows.posted, await self._find(self._queries.find_members, wanted))}
        return {key: stored.restored(one, posted) for key, one in receipts.items()}
