"""Connections: one pool to settle, one to read, one to rehearse, each with its limits set on the server.

None connects before it is needed, so that a process starts, and answers `database-unavailable`,
while the database is away.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import asyncpg
import msgspec

from koshel.db import queries
from koshel.db.errors import connecting
from koshel.db.gate import Gate, NotOpenYet
from koshel.db.namespace import Namespace
from koshel.db.url import Target, parse
from koshel.telemetry import metrics

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    AnyConnection: TypeAlias = Connection | asyncpg.Connection[asyncpg.Record]


# Every statement here is a look-up by key: of each row that is wanted, by an index. Left to itself the planner settles
# for a sequential scan, or for reading a whole index into a hash, while a table is empty, and keeps that plan while it
# fills. Said here, since what would say it in a statement (OFFSET 0 in a lateral) is refused by Citus.
PLANNING = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}


class TimeLimits(msgspec.Struct, frozen=True):
    """How long the database may take, in milliseconds; and whether it makes a plan for each call, or one for all."""

    connect_timeout_ms: int = 3_000
    statement_timeout_ms: int = 5_000
    lock_timeout_ms: int = 2_000
    idle_in_transaction_timeout_ms: int = 5_000
    plan_cache_mode: str = "force_generic_plan"

    @property
    def answer_timeout_s(self) -> float:
        """When to give up on a server that does not even say that time is up."""
        return (self.statement_timeout_ms + 1_000) / 1_000


class PoolMeasure(msgspec.Struct, frozen=True):
    """A pool's connections, and how many calls wait for one."""

    name: metrics.Pool
    idle: int
    used: int
    waiting: int

    @classmethod
    def of(cls, name: metrics.Pool, pool: "Pool", waiting: int) -> Self:
        """As it is now."""
        idle = pool.get_idle_size()
        return cls(name, idle, pool.get_size() - idle, waiting)


async def connect(target: Target, limits: TimeLimits, name: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection as the service has them, called `name` in pg_stat_activity. Raises what the driver raises."""
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(**_arguments(target, limits, name))
    try:
        await _prepare(connection, limits)
    except BaseException:
        # Nobody else knows of it yet, such as a caller that is cancelled meanwhile.
        connection.terminate()
        raise
    return connection


@asynccontextmanager
async def open_pool(
    url: str | Target,
    limits: TimeLimits,
    *,
    size: int,
    name: str,
    namespace: Namespace | None = None,
    gate: Gate | None = None,
) -> AsyncIterator["Pool"]:
    """A pool of at most `size` connections, called `koshel` and `name` in pg_stat_activity. Raises Unfit.

    `namespace` is known once the first connection is there.
    """

    async def connected(*dsn: Any, **arguments: Any) -> "asyncpg.Connection[asyncpg.Record]":
        if gate is not None and not gate.is_open:
            raise NotOpenYet("the database has not been reached since the start")
        with connecting():
            return await asyncpg.connect(*dsn, **arguments)

    async def prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        with connecting():  # a pooler connects to its server now
            await _prepare(connection, limits)
        if namespace is not None:
            await namespace.look(connection)

    pool = asyncpg.create_pool(
        **_arguments(parse(url), limits, name),
        connect=connected,
        min_size=0,
        max_size=size,
        max_inactive_connection_lifetime=0,
        max_queries=sys.maxsize,
        init=prepare,
        reset=_nothing_to_reset,
    )
    try:
        yield await pool
    finally:
        pool.terminate()


def _arguments(target: Target, limits: TimeLimits, name: str) -> dict[str, Any]:
    """For the driver. Of what is set for a session only the name is said at once: PgBouncer knows no other there."""
    settings = dict(target.arguments.get("server_settings", {}), application_name=f"{target.application_name} {name}")
    return {
        **target.arguments,
        "server_settings": settings,
        "timeout": target.connect_timeout_s or limits.connect_timeout_ms / 1_000,
        "command_timeout": limits.answer_timeout_s,
        "max_cached_statement_lifetime": 0,
    }


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]", limits: TimeLimits) -> None:
    """What holds for the whole session, in one statement, whatever stands between here and the server."""
    settings = {
        "statement_timeout": str(limits.statement_timeout_ms),
        "lock_timeout": str(limits.lock_timeout_ms),
        "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_timeout_ms),
        "timezone": "UTC",
        "default_transaction_isolation": "read committed",  # the fence's too, whatever the role's own
        "plan_cache_mode": limits.plan_cache_mode,
        **PLANNING,
    }
    await connection.execute(queries.load().set_for_session, list(settings), list(settings.values()))
    # Faster than the driver's own codec: `str` and `Decimal` are C, and the text is what they speak.
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=Decimal)


async def _nothing_to_reset(_connection: object) -> None:
    # No statement here sets anything for its session, so the driver's round trip on release is saved.
    pass
