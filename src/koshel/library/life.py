"""When a ledger may be used, over which schema, and which one a name stands for."""

import asyncio
from collections.abc import Collection

from koshel.callers import MAIN_LEDGER, MAIN_LEDGER_ID
from koshel.db.access import ledgers
from koshel.db.starting.schema import known
from koshel.engine import Engine
from koshel.errors import Misuse, SchemaNotCurrent


async def ledger_id_of(engine: Engine, name: str) -> int:
    """The id of the ledger of this name. Raises Misuse if there is none, StoreError."""
    if name == MAIN_LEDGER:
        return MAIN_LEDGER_ID
    found = await engine.store.look(lambda connection, q: ledgers.find(connection, q, name))
    if found is None:
        raise Misuse(f"there is no ledger {name!r}; make it with `koshel ledger create`, or Ledger.create")
    return found.id


def check_migrations(applied: Collection[str]) -> None:
    """Raise SchemaNotCurrent if there are others."""
    if missing := set(known()).difference(applied):
        raise SchemaNotCurrent(f"the schema lacks {', '.join(sorted(missing))}; run `koshel migrate`")


class Life:
    """From when to when, and in which event loop, a ledger may be used."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_over = False

    def check(self) -> None:
        """Raise Misuse where the money would move, and nobody could be told so."""
        if self.is_over:
            raise Misuse("the ledger is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise Misuse("the ledger belongs to another event loop: open one in each loop")
