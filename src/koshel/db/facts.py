"""What is asked of the database about itself: its schema, its settings, what is due in it."""

from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from koshel.db.errors import DatabaseUnavailable, Unfit
from koshel.db.reads import Reads

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection
    from koshel.db.queries import Queries


class QueueMeasure(Struct, frozen=True):
    """The queue of a ledger's background transactions."""

    depth: int
    retrying: int  # of them, those that an accident has stopped at least once
    oldest_age_s: float
    scheduled: int  # not due yet, and so not part of the depth


class BackgroundMeasure(Struct, frozen=True):
    """What waits for the background, over all ledgers."""

    depth: int  # queued transactions that are due, or were put off
    retrying: int  # of them, those that an accident has stopped at least once
    oldest_age_s: float
    scheduled: int  # queued transactions that are not due yet
    holds_due: int  # 1000 at most


async def applied_migrations(connection: "AnyConnection", q: "Queries") -> set[str]:
    """Names of the migrations that the database has. Raises what the driver raises."""
    try:
        return {row["migration_id"] for row in await connection.fetch(q.applied_migrations)}
    except asyncpg.UndefinedTableError:
        return set()


class Facts(Reads):
    """These are asked over the connections that read."""

    async def applied_migrations(self) -> set[str]:
        """Names of the migrations that the database has. Raises StoreError, Unfit where the role may not look."""
        return await self._read(None, lambda connection: applied_migrations(connection, self._queries))

    async def unsafe_settings(self) -> list[str]:
        """Names of the settings for durability that are off. Raises StoreError."""

        async def look(connection: "AnyConnection") -> list[str]:
            return [row["name"] for row in await connection.fetch(self._queries.read_durability)]

        return await self._read(None, look)

    async def measure_queue(self, ledger_id: int) -> QueueMeasure:
        """How long the queue of a ledger is. Raises StoreError."""
        row = await self._read(
            ledger_id, lambda connection: connection.fetchrow(self._queries.measure_queue, ledger_id)
        )
        assert row is not None, "an aggregate has a row"
        return QueueMeasure(*row)

    async def measure_partitions(self) -> int:
        """For how many ids of transactions there are partitions. Raises StoreError."""

        async def look(connection: "AnyConnection") -> int:
            return int(await connection.fetchval(self._queries.measure_partitions, self.namespace.name))

        return await self._read(None, look, weight=0)

    async def make_partitions(self) -> int:
        """The partitions that are missing for the next ids; for how many ids there are some now. Raises StoreError."""
        found = await self._read(None, lambda connection: connection.fetchval(self._queries.make_partitions), weight=0)
        return int(found)

    async def need_partitions(self) -> None:
        """The same for ids that were given already. Raises StoreError: nothing is settled until some can be made."""
        try:
            await self.make_partitions()
        except (asyncpg.PostgresError, Unfit) as error:
            raise DatabaseUnavailable(f"there is no partition for more transactions: {error}") from error

    async def measure_background(self) -> BackgroundMeasure:
        """What the background has to do. Raises StoreError."""
        row = await self._read(None, lambda connection: connection.fetchrow(self._queries.measure_background))
        assert row is not None, "an aggregate has a row"
        return BackgroundMeasure(*row)
