"""Look-ups of keys, gathered: while one statement is under way those that come wait, and leave together in the next."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from koshel.db.access import api_keys
from koshel.db.access.api_keys import FoundKey
from koshel.db.access.key_changes import KeyChanges
from koshel.db.errors import Crowded, DatabaseUnavailable
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

TOGETHER_MAX = 500  # digests in one statement
WAITING_MAX = 1_000  # digests that nobody knows to be a key's

Found: TypeAlias = tuple[float, FoundKey | None]  # when it was asked, and what was found


class KeyLookups:
    """The look-ups of one process. Wrong keys cannot crowd out those that were known to be right a moment ago."""

    def __init__(self, changes: KeyChanges) -> None:
        self._changes = changes
        self._waiting: dict[bytes, list[asyncio.Future[Found]]] = {}  # each who waits for itself
        self._task: asyncio.Task[None] | None = None

    async def find(self, digest: bytes, *, is_known: bool) -> Found:
        """When it was asked, and what the digest stands for, None: nothing. Raises StoreError.

        `is_known`: it was a key's the last time. What nobody knows has a bounded number of places, and raises Crowded.
        """
        waiting = self._waiting.get(digest)
        if waiting is None:
            if not is_known and len(self._waiting) >= WAITING_MAX:
                raise Crowded("too many keys that nobody knows")
            waiting = self._waiting[digest] = []
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._run())
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        waiting.append(answer)
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            digests = list(self._waiting)[:TOGETHER_MAX]
            asked = time.monotonic()
            try:
                found = await self._look(digests)
            except Exception as error:  # noqa: BLE001  whatever it is, those who wait get it
                self._fail(digests, error)
            else:
                for digest in digests:
                    for one in self._waiting.pop(digest):
                        if not one.done():
                            one.set_result((asked, found.get(digest)))
        self._task = None

    async def _look(self, digests: Sequence[bytes]) -> Mapping[bytes, FoundKey]:
        async def look(connection: "AnyConnection", q: Queries) -> Mapping[bytes, FoundKey]:
            return await api_keys.find(connection, q, digests)

        return await self._changes.ask(look)

    def _fail(self, digests: Sequence[bytes], error: Exception) -> None:
        for digest in digests:
            for one in self._waiting.pop(digest):
                if not one.done():
                    one.set_exception(error)

    async def close(self) -> None:
        """Nobody gets an answer any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._fail(list(self._waiting), DatabaseUnavailable("the connections are being closed"))


@asynccontextmanager
async def open_key_lookups(changes: KeyChanges) -> AsyncIterator[KeyLookups]:
    """They are made for as long as the block lasts."""
    lookups = KeyLookups(changes)
    try:
        yield lookups
    finally:
        await lookups.close()
