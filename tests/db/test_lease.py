"""A connection is given back when all is well, and closed when nobody can say how it stands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from koshel.db.lease import is_open, lease, undo
from koshel.db.pools import TimeLimits, open_pool
from tests.support.database import Database
from tests.support.quiet import alter_tables, in_transaction

if TYPE_CHECKING:
    from koshel.db.pools import Connection, Pool

TIMEOUT_S = 10
Block = Callable[["Connection"], Awaitable[Any]]


@pytest.fixture
async def pool(database: Database) -> "AsyncIterator[Pool]":
    """Of one connection."""
    async with open_pool(database.service_url, TimeLimits(), size=1, name="koshel test") as pool:
        yield pool


async def fail(error: BaseException) -> None:
    raise error


async def cancel_a_statement(connection: "Connection") -> None:
    async with asyncio.timeout(0.1):
        await connection.fetchval("SELECT pg_sleep(30) FROM koshel.account RIGHT JOIN (SELECT 1) ON true")


async def leave_a_transaction(connection: "Connection") -> None:
    await connection.execute("BEGIN")
    await connection.fetch("SELECT FROM koshel.account")
    raise RuntimeError


GIVEN_BACK: dict[str, tuple[Block, type[BaseException] | None]] = {
    "it ends": (lambda connection: connection.fetchval("SELECT 1"), None),
    "the server refuses": (lambda connection: connection.fetchval("SELECT 1 / 0"), asyncpg.DivisionByZeroError),
    "a fault of ours": (lambda _: fail(RuntimeError()), RuntimeError),
}
CLOSED: dict[str, tuple[Block, type[BaseException]]] = {
    "it is cancelled": (lambda _: fail(asyncio.CancelledError()), asyncio.CancelledError),
    "a statement is cancelled": (cancel_a_statement, TimeoutError),
    "an argument cannot be sent": (
        lambda connection: connection.fetchval("SELECT FROM koshel.account WHERE id = $1::bigint", "one"),
        asyncpg.DataError,
    ),
    "too few arguments": (
        lambda connection: connection.fetchval("SELECT FROM koshel.account WHERE id = $1::bigint"),
        asyncpg.InterfaceError,
    ),
    "a transaction is left": (leave_a_transaction, RuntimeError),
    "the line breaks": (lambda _: fail(ConnectionResetError()), ConnectionResetError),
}


async def use(pool: "Pool", block: Block, raises: type[BaseException] | None) -> int:
    """The server process that it was used with."""
    pid = 0
    with nullcontext() if raises is None else pytest.raises(raises):
        async with lease(pool, TIMEOUT_S) as connection:
            pid = connection.get_server_pid()
            await block(connection)
    return pid


@pytest.mark.parametrize("name", GIVEN_BACK)
async def test_it_is_given_back_where(pool: "Pool", name: str) -> None:
    block, raises = GIVEN_BACK[name]
    pid = await use(pool, block, raises)
    assert await pool.fetchval("SELECT pg_backend_pid()") == pid


@pytest.mark.parametrize("name", CLOSED)
async def test_it_is_closed_where(database: Database, pool: "Pool", name: str) -> None:
    block, raises = CLOSED[name]
    pid = await use(pool, block, raises)
    assert await pool.fetchval("SELECT pg_backend_pid()", timeout=TIMEOUT_S) != pid
    if name != "a statement is cancelled":  # which the server first finds out when it is done
        await asyncio.to_thread(alter_tables, database.owner_url)
        assert await asyncio.to_thread(in_transaction, database.owner_url) == []


async def test_a_connection_that_is_lost_meanwhile_is_not_closed_twice(pool: "Pool") -> None:
    async def lose(connection: "Connection") -> None:
        connection.terminate()
        assert not is_open(connection)
        raise RuntimeError

    await use(pool, lose, RuntimeError)
    assert await pool.fetchval("SELECT 1") == 1


async def test_what_is_undone_is_rolled_back_and_the_connection_kept(pool: "Pool") -> None:
    async def do_and_undo(connection: "Connection") -> None:
        transaction = connection.transaction()
        await transaction.start()
        await undo(connection, transaction, RuntimeError())
        assert not connection.is_in_transaction()
        raise RuntimeError

    pid = await use(pool, do_and_undo, RuntimeError)
    assert await pool.fetchval("SELECT pg_backend_pid()") == pid


async def test_what_is_broken_off_is_not_even_rolled_back(pool: "Pool") -> None:
    """It might be a statement of a server that does not answer."""

    async def do_and_undo(connection: "Connection") -> None:
        transaction = connection.transaction()
        await transaction.start()
        await undo(connection, transaction, asyncio.CancelledError())
        assert connection.is_in_transaction()
        raise asyncio.CancelledError

    pid = await use(pool, do_and_undo, asyncio.CancelledError)
    assert await pool.fetchval("SELECT pg_backend_pid()") != pid
