"""The keys' own connection: it hears when a key changes, and looks keys up however busy the others are.

NOTIFY  ──▶ heard: forget this digest, or all
silence ──▶ a heartbeat each second. Without one for some seconds, changes may have been missed
lost    ──▶ another connection; then all is forgotten, since nobody knows what was missed
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg

from koshel import events
from koshel.db.access.api_keys import CHANNEL
from koshel.db.errors import LOST, translated
from koshel.db.gate import NotOpenYet
from koshel.db.namespace import Namespace
from koshel.db.pools import connect
from koshel.db.queries import Queries
from koshel.db.store import Store, StoreConfig
from koshel.db.url import parse

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

HEARTBEAT_S = 1.0
SILENCE_MAX_S = 5.0  # that a connection which says nothing counts as one that hears
TRY_PAUSE_S, TRY_PAUSE_MAX_S = 0.1, 1.0

T = TypeVar("T")

_log = events.get_logger()


class KeyChanges:
    """Open it with `open_key_changes`. `heard` is called with a digest in hexadecimal, or with nothing for all."""

    def __init__(self, store: Store, config: StoreConfig, heard: Callable[[str], None]) -> None:
        self._store = store
        self._config = config
        self._heard = heard
        self._namespace = Namespace(config.schema)
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()  # the driver takes one statement at a time
        self._last_heard = -SILENCE_MAX_S

    def is_listening(self, now: float) -> bool:
        """Whether a change would be heard of; `now` is what `time.monotonic` says."""
        return now - self._last_heard < SILENCE_MAX_S

    async def ask(self, work: "Callable[[AnyConnection, Queries], Awaitable[T]]") -> T:
        """What a look-up finds: over this connection, or if it is away over one of the store's. Raises StoreError."""
        if self._connection is not None:
            with translated():
                try:
                    return await self._ask(self._connection, work)
                except LOST:
                    self._lose()
        return await self._store.look(work)

    async def transact(
        self, ledger_ids: Collection[int], work: "Callable[[AnyConnection, Queries], Awaitable[T]]"
    ) -> T:
        """What the work returns, once it is committed, of these ledgers: over one of the store's. Raises StoreError."""
        return await self._store.transact(ledger_ids, work)

    async def run(self) -> None:
        """Listen, for ever."""
        pause_s, is_silent = TRY_PAUSE_S, False
        while True:
            try:
                await self._listen()
            except (*LOST, asyncpg.PostgresError) as error:
                if not is_silent and not isinstance(error, NotOpenYet):
                    _log.warning("changes of keys cannot be received now", error=str(error) or type(error).__name__)
                    is_silent = True
            if self._connection is not None:
                pause_s, is_silent = TRY_PAUSE_S, False
            self._lose()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, TRY_PAUSE_MAX_S)

    async def _listen(self) -> None:
        """Connect, and return or raise when the connection is lost."""
        gate = self._config.gate
        if gate is not None and not gate.is_open:
            raise NotOpenYet("the database has not been reached since the start")
        connection = await connect(parse(self._config.url), self._config.limits, "keys")
        try:
            await self._namespace.look(connection)
            await connection.execute(self._namespace.queries.see_all_ledgers)
            await connection.add_listener(CHANNEL, self._hear)
            self._connection = connection
            self._note_heard()
            self._heard("")
            while self._connection is connection:
                await asyncio.sleep(HEARTBEAT_S)
                await self._ask(connection, _beat)
        finally:
            connection.terminate()

    async def _ask(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        work: "Callable[[AnyConnection, Queries], Awaitable[T]]",
    ) -> T:
        async with self._turn:
            found = await work(connection, self._namespace.queries)
        self._note_heard()
        return found

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._note_heard()
        self._heard(str(payload))

    def _note_heard(self) -> None:
        self._last_heard = time.monotonic()

    def _lose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def _beat(connection: "AnyConnection", q: Queries) -> None:
    await connection.fetchval(q.read_clock)


@asynccontextmanager
async def open_key_changes(
    store: Store, config: StoreConfig, heard: Callable[[str], None]
) -> AsyncIterator[KeyChanges]:
    """It listens for as long as the block lasts."""
    changes = KeyChanges(store, config, heard)
    task = asyncio.get_running_loop().create_task(changes.run())
    try:
        yield changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
