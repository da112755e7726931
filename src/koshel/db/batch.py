"""One batch under way: an open transaction, what it locks and what it writes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from koshel.core.book import is_remembered
from koshel.core.model import Book, Command, Declined, First, Move, OpenAccount, Opened, Outcome, Posted
from koshel.core.money import iso_scales
from koshel.core.opening import currency_of
from koshel.db import rows
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import Connection


class Batch:
    """`lock` once, `write` once; whoever opened the transaction commits it."""

    connection: "Connection"  # with the open transaction

    def __init__(self, queries: Queries) -> None:
        self.id: UUID = uuid4()
        self.written_ledger_id: int | None = None  # a ledger that has this batch's row, once it has one
        self._queries = queries

    async def lock(self, commands: Sequence[Command]) -> Book:
        """The book for these commands: accounts locked, then receipts read, by the database's clock."""
        locked = await self._lock_accounts([c for c in commands if isinstance(c, Move)])
        now = (locked and locked[-1]["now"]) or await self.connection.fetchval(self._queries.read_clock)
        return Book(
            now,
            {account.id: account for account in map(rows.account, locked)},
            await self._find_receipts({(c.ledger_id, c.key) for c in commands if c.key is not None}),
            await self._find_scales({currency_of(c) for c in commands if isinstance(c, OpenAccount)}),
        )

    async def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write what is new, and give it its ids."""
        posted = [o for o in outcomes if isinstance(o, Posted)]
        opened = [o for o in outcomes if isinstance(o, Opened)]
        answers = [o for o in outcomes if isinstance(o, Opened | Declined) and is_remembered(o)]
        if opened:
            await self._open_accounts(opened)
        if answers:
            await self.connection.execute(self._queries.keep_answers, *rows.answer_columns(answers))
        if posted:
            await self._post(posted)
            self.written_ledger_id = posted[0].ledger_id
        elif opened or answers:
            ledger_ids = sorted({o.command.ledger_id for o in (*opened, *answers)})
            await self.connection.execute(self._queries.record_batch, ledger_ids, self.id)
            self.written_ledger_id = ledger_ids[0]

    async def _lock_accounts(self, moves: Sequence[Move]) -> list[asyncpg.Record]:
        sides = {c.source_account_id for c in moves} | {c.target_account_id for c in moves}
        ids = [account_id for account_id in sides if account_id is not None]
        if not ids:
            return []
        ledger_ids = {c.ledger_id for c in moves}
        return await self.connection.fetch(self._queries.lock_accounts, ledger_ids, ids, max(ids))

    async def _find_receipts(self, wanted: set[tuple[int, str]]) -> dict[tuple[int, str], First]:
        if not wanted:
            return {}
        found = await self.connection.fetch(self._queries.find_receipts, *rows.key_columns(wanted))
        return dict(map(rows.receipt, found))

    async def _find_scales(self, currencies: set[str]) -> dict[str, int]:
        if not currencies:
            return {}
        iso = iso_scales()
        scales = {code: iso[code] for code in currencies & iso.keys()}
        if unknown := currencies - iso.keys():
            found = await self.connection.fetch(self._queries.find_scales, unknown)
            scales |= {row["code"]: row["scale"] for row in found}
        return scales

    async def _open_accounts(self, opened: Sequence[Opened]) -> None:
        ids = await self.connection.fetch(self._queries.take_account_ids, len(opened))
        for outcome, row in zip(opened, ids, strict=True):
            outcome.account = msgspec.structs.replace(outcome.account, id=row["id"])
        columns = rows.opening_columns(opened)
        await self.connection.execute(self._queries.open_accounts, *columns, opened[0].account.ctime)

    async def _post(self, posted: Sequence[Posted]) -> None:
        columns: tuple[Any, ...] = (
            *rows.posting_columns(posted),
            posted[0].ctime,
            self.id,
            *rows.moved_columns(posted),
        )
        ids = await self.connection.fetch(self._queries.post, *columns)
        for outcome, row in zip(posted, ids, strict=True):
            outcome.id = row["id"]
