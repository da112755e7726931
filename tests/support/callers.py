"""Transactions of a caller's own, by every driver and in every way in which one can be begun."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import asyncpg
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

Run = Callable[[str], Any]  # a statement; awaited, it is the first value of the first row, if there is one
Caller = tuple[Any, Run]  # what `within` is given, and what else is done in the transaction
Isolation = Literal["read_committed", "repeatable_read"]
Begin = Callable[[str, Isolation], AbstractAsyncContextManager[Caller]]  # at a URL


@asynccontextmanager
async def asyncpg_transaction(url: str, isolation: Isolation) -> AsyncIterator[Caller]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation=isolation):
            yield connection, connection.fetchval
    finally:
        await connection.close()


@asynccontextmanager
async def asyncpg_begin(url: str, isolation: Isolation) -> AsyncIterator[Caller]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"BEGIN ISOLATION LEVEL {isolation.replace('_', ' ')}")
        yield connection, connection.fetchval
        await connection.execute("COMMIT")
    finally:
        await connection.close()  # without a COMMIT: it is rolled back


def _of_psycopg(connection: "psycopg.AsyncConnection[Any]") -> Run:
    async def run(sql: str) -> Any:
        cursor = await connection.execute(sql.encode())
        return (await cursor.fetchone() or [None])[0] if cursor.description else None

    return run


@asynccontextmanager
async def psycopg_connection(url: str, isolation: Isolation) -> AsyncIterator[Caller]:
    async with await psycopg.AsyncConnection.connect(url) as connection:  # which commits, or rolls back, at its end
        await connection.set_isolation_level(psycopg.IsolationLevel[isolation.upper()])
        yield connection, _of_psycopg(connection)


@asynccontextmanager
async def psycopg_transaction(url: str, isolation: Isolation) -> AsyncIterator[Caller]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.set_isolation_level(psycopg.IsolationLevel[isolation.upper()])
        async with connection.transaction():
            yield connection, _of_psycopg(connection)


def sqlalchemy_session(driver: str) -> Begin:
    @asynccontextmanager
    async def begin(url: str, isolation: Isolation) -> AsyncIterator[Caller]:
        level = isolation.replace("_", " ").upper()
        engine = create_async_engine(url.replace("postgresql:", f"postgresql+{driver}:"), isolation_level=level)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(engine.dispose)
            session = await stack.enter_async_context(AsyncSession(engine))
            await stack.enter_async_context(session.begin())

            async def run(sql: str) -> Any:
                found: Any = await session.execute(text(sql))
                return found.scalar() if found.returns_rows else None

            await run("SELECT 1")  # a session begins its transaction with its first statement
            raw = await (await session.connection()).get_raw_connection()
            yield raw.driver_connection, run

    return begin


CALLERS: dict[str, Begin] = {
    "asyncpg, transaction()": asyncpg_transaction,
    "asyncpg, BEGIN": asyncpg_begin,
    "psycopg": psycopg_connection,
    "psycopg, transaction()": psycopg_transaction,
    "SQLAlchemy, asyncpg": sqlalchemy_session("asyncpg"),
    "SQLAlchemy, psycopg": sqlalchemy_session("psycopg"),
}
