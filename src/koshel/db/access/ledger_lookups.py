"""Which ledger a name stands for: remembered while that is fresh, looked up otherwise, each once at a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from koshel.db.access import ledgers
from koshel.db.access.key_changes import KeyChanges
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

REMEMBERED_MAX = 10_000


class FoundLedger(NamedTuple):
    """The ledger that a name stands for, None: none; and when that was asked."""

    id: int | None
    asked: float


class LedgerLookups:
    """Those of one process. `is_fresh` says whether what was asked then is still to be trusted now."""

    def __init__(self, changes: KeyChanges, is_fresh: Callable[[float, float], bool]) -> None:
        self._changes = changes
        self._is_fresh = is_fresh
        self._known: dict[str, FoundLedger] = {}
        self._asking: dict[str, asyncio.Task[FoundLedger]] = {}
        self._changed = 0.0

    async def find(self, name: str) -> FoundLedger:
        """The ledger of a name. Raises StoreError."""
        found = self._known.get(name)
        if found is not None and self._is_fresh(found.asked, time.monotonic()):
            return found
        return await self.ask(name)

    async def ask(self, name: str) -> FoundLedger:
        """The same, as the database has it now. What a change may have made untrue since was asked never."""
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.get_running_loop().create_task(self._ask(name))
            asking.add_done_callback(lambda done: self._end(name, done))
        return await asyncio.shield(asking)  # others may wait for it too

    def forget(self) -> None:
        """A ledger was renamed, or may have been."""
        self._changed = time.monotonic()
        self._known.clear()

    async def close(self) -> None:
        """Nobody gets an answer any more."""
        asking = list(self._asking.values())
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, name: str) -> FoundLedger:
        async def look(connection: "AnyConnection", q: Queries) -> int | None:
            row = await ledgers.find(connection, q, name)
            return None if row is None else row.id

        asked = time.monotonic()
        ledger_id = await self._changes.ask(look)
        if self._changed >= asked:
            return FoundLedger(ledger_id, float("-inf"))
        self._known.pop(name, None)
        if ledger_id is not None:  # one that is not there may be made at any moment, and nobody is told
            if len(self._known) >= REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
            self._known[name] = FoundLedger(ledger_id, asked)
        return FoundLedger(ledger_id, asked)

    def _end(self, name: str, done: "asyncio.Task[FoundLedger]") -> None:
        del self._asking[name]
        if not done.cancelled():
            done.exception()  # it is not overlooked where everybody who waited has left
