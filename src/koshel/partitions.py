"""The partitions of transactions are made ahead of need, and what keeps them from being made is said in time.

Every process looks, also a program that settles in its own transactions only, as whichever is first makes what is
missing. A batch that still finds none makes it itself, and is settled again; see `db/store.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from koshel import events
from koshel.db.errors import DatabaseUnavailable
from koshel.db.store import Store

EVERY_S = 5.0
IDS_AHEAD_MIN = 2_000_000  # as `make_partitions` has it: two partitions, or minutes at any rate a server can have
SAY_EVERY_S = 60.0

_log = events.get_logger()


async def look_ahead(store: Store, stopped: asyncio.Event) -> None:
    """Look now and every few seconds, until told to stop; an outage is the background's to say."""
    said = float("-inf")
    while not stopped.is_set():
        ids_ahead = None
        try:
            ids_ahead = await store.measure_partitions()
            if ids_ahead < IDS_AHEAD_MIN:
                ids_ahead = await store.make_partitions()
                _log.info("partitions of transactions are made", ids_ahead=ids_ahead)
        except DatabaseUnavailable:
            pass
        except Exception as error:  # noqa: BLE001  whatever it is, there is time to mend it, and somebody has to know
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                _log.error("no partition can be made for more transactions", error=str(error), ids_ahead=ids_ahead)
        else:
            said = float("-inf")
        await _pause(stopped)


@asynccontextmanager
async def open_partitions(store: Store) -> AsyncIterator[None]:
    """Partitions are made for as long as the block lasts."""
    stopped = asyncio.Event()
    task = asyncio.create_task(look_ahead(store, stopped))
    try:
        yield
    finally:
        stopped.set()
        await task


async def _pause(stopped: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopped.wait(), EVERY_S)
    except TimeoutError:
        return
