"""Connections: one pool to settle, one to read, one to rehearse, each with its limits set on the server.

None connects before it is needed, so that a process starts, and answers `database-unavailable`,
while the database is away.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import msgspec

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    AnyConnection: TypeAlias = Connection | asyncpg.Connection[asyncpg.Record]


class Limits(msgspec.Struct, frozen=True):
    """How long the database may take, in milliseconds."""

    connect_timeout_ms: int = 3_000
    statement_timeout_ms: int = 5_000
    lock_timeout_ms: int = 2_000
    idle_in_transaction_timeout_ms: int = 5_000

    @property
    def answer_timeout_s(self) -> float:
        """When to give up on a server that does not even say that time is up."""
        return (self.statement_timeout_ms + 1_000) / 1_000


@asynccontextmanager
async def open_pool(url: str, limits: Limits, *, size: int, name: str) -> AsyncIterator["Pool"]:
    """A pool of at most `size` connections, called `name` in pg_stat_activity."""
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        max_inactive_connection_lifetime=0,
        max_cached_statement_lifetime=0,
        max_queries=sys.maxsize,
        timeout=limits.connect_timeout_ms / 1_000,
        command_timeout=limits.answer_timeout_s,
        init=_use_text_for_numeric,
        reset=_nothing_to_reset,
        server_settings={
            "application_name": name,
            "statement_timeout": str(limits.statement_timeout_ms),
            "lock_timeout": str(limits.lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_timeout_ms),
            "timezone": "UTC",
            "default_transaction_isolation": "read committed",  # the fence's too, whatever the role's own
            # Every statement here is a look-up by key. Left to itself the planner settles for a sequential scan
            # while a table is empty, and keeps that plan while it fills.
            "enable_seqscan": "off",
            "plan_cache_mode": "force_generic_plan",
            "jit": "off",
        },
    )
    try:
        yield await pool
    finally:
        pool.terminate()


async def _use_text_for_numeric(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    # Faster than the driver's own codec: `str` and `Decimal` are C, and the text is what they speak.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=Decimal)


async def _nothing_to_reset(_connection: object) -> None:
    # No statement here sets anything for its session, so the driver's round trip on release is saved.
    pass
