"""A batch of many groups of moves that is locked and read at once, and written part by part, by COPY.

A part is written while the next one is decided. Each account is written once, at the end.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from koshel.core.commands import Command, Group
from koshel.core.model import Book, Grouped, Posted
from koshel.core.reach import Reach, reach
from koshel.db.mapping import columns, copying
from koshel.db.mapping.copying import Copy
from koshel.db.namespace import Namespace
from koshel.db.settling import turnovers
from koshel.db.settling.batch import Batch
from koshel.db.settling.ids import take_before, take_transaction_ids


class Prepared(NamedTuple):
    """Groups whose accounts all have ids, and what can be made of them before there is a connection."""

    groups: Sequence[Group]
    reached: Reach
    keys: Sequence[str]  # the arguments of `find_receipts`; empty: all keys are taken for new


def prepared(groups: Sequence[Group], *, are_new: bool = False) -> Prepared:
    """What takes its time, done while another batch is being written.

    `are_new`: nobody looks whether the keys have answered something. If one has, its receipt cannot be written a second
    time: that is a Conflict.
    """
    reached = reach(groups, {})
    return Prepared(groups, reached, () if are_new else columns.texts(reached.keys))


class Parts(Batch):
    """`lock_all` once, `write_part` for each group, `finish`; whoever opened the transaction commits it.

    Not where row-level security confines the service: PostgreSQL has no COPY there.
    """

    def __init__(self, namespace: Namespace, work: Prepared) -> None:
        super().__init__(namespace)
        self._work = work
        self._parts: list[Grouped] = []
        self._posted: list[int] = []  # ids
        self._sides = copying.LastSides()
        self._receipts: Copy | None = None  # of the last part; they wait until its transactions are written
        self._writing: asyncio.Future[str] | None = None
        self.is_waited_for = False  # whether another database transaction waits for the accounts, at the end

    @property
    def groups(self) -> Sequence[Group]:
        """What is settled, in order."""
        return self._work.groups

    async def lock_all(self) -> Book:
        """The book for the groups, as `lock` has it."""
        return await self.lock(self._work.groups)

    async def write_part(self, grouped: Grouped) -> None:
        """Write what is new of an atomic group of moves; returns while it is being written."""
        group_id = self._ids.groups.popleft()
        new = [one for one in grouped.outcomes if isinstance(one, Posted)]
        await self._written()
        # Under the locks, and only for what is new: so ids follow the versions of an account, and none is lost.
        ids = await take_transaction_ids(self.connection, self._queries, len(new)) if new else ()
        self._parts.append(grouped)
        await self._copy_receipts()
        if new:
            await self._copy(copying.transactions(new, ids, group_id))
            self._posted += ids
            self._sides.add(new)
            self._receipts = copying.receipts(new, ids)

    async def finish(self) -> None:
        """Write what all parts have done to the accounts, and that they are one batch."""
        await self._copy_receipts()
        if self._posted:
            await self._finish()
        self.is_waited_for = await self.connection.fetchval(self._queries.is_waited_for)

    async def _finish(self) -> None:
        q, ledger_id, moved = self._queries, self._work.groups[0].ledger_id, self._sides.arrays()
        await self._written()
        await self.connection.execute(q.move_accounts, *moved)
        await self.connection.execute(q.record_parts, ledger_id, self.id, self._posted)
        self.written_ledger_id = ledger_id
        if self._book.state.turnovers:
            await turnovers.keep(self.connection, q, self._book, self._parts)

    async def give_up(self) -> None:
        """Wait for what is being written, whatever becomes of it: then the connection is the caller's again."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _prepare(self, commands: Sequence[Command]) -> Reach:
        self._ids = await take_before(self.connection, self._queries, commands)
        self._keys = [*self._work.keys]
        return self._work.reached

    async def _copy_receipts(self) -> None:
        receipts, self._receipts = self._receipts, None
        if receipts is not None:
            await self._copy(receipts)

    async def _copy(self, rows: Copy) -> None:
        """Send rows to PostgreSQL, once it has written those before."""
        await self._written()
        sent = asyncio.Event()

        async def text() -> AsyncIterator[bytes]:
            yield rows.text
            sent.set()

        copied = self.connection.copy_to_table(
            rows.table, schema_name=self._namespace.name, columns=rows.columns, source=text()
        )
        self._writing = asyncio.ensure_future(copied)
        self._writing.add_done_callback(lambda _: sent.set())
        await sent.wait()

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing
