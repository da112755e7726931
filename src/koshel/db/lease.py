"""A connection for the length of a block: given back when all is well, closed when nobody can say how it stands.

The driver prepares a statement (Parse, Describe, Flush) and executes it (Bind, Execute, Sync) in two steps. What is
broken off between them leaves a transaction open on the server that the driver knows nothing of: with its locks on
tables, so that a migration waits for it, and everybody else for the migration. What a cancelled statement leaves is
not much more certain. So such a connection is closed, and PostgreSQL rolls back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from koshel.db.errors import LOST, OutcomeUnknown

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection, Connection, Pool

T = TypeVar("T")


@asynccontextmanager
async def lease(pool: "Pool", timeout_s: float | None) -> "AsyncIterator[Connection]":
    """A connection of the pool. It is closed if the block was broken off, or has left a transaction open.

    `timeout_s`: to wait for one; None where one is free, and only connecting may take its time.
    """
    async with pool.acquire(timeout=timeout_s) as connection:
        try:
            yield connection
        except BaseException as error:
            if is_open(connection) and (_breaks_off(error) or connection.is_in_transaction()):
                connection.terminate()
            raise


async def undo(connection: "AnyConnection", transaction: asyncpg.transaction.Transaction, error: BaseException) -> None:
    """Roll back, unless `error` has broken the block off: then the lease closes the connection."""
    if is_open(connection) and not _breaks_off(error):
        await transaction.rollback()


class End(Enum):
    """How a transaction ended."""

    NOT_REACHED = "its COMMIT was not sent, or refused"
    COMMITTED = "committed"
    LOST = "the connection was lost in COMMIT"


async def commit(connection: "Connection", transaction: asyncpg.transaction.Transaction) -> End:
    """Commit; if the connection is lost meanwhile, nobody knows yet whether that happened. Raises what COMMIT does."""
    try:
        await transaction.commit()
    except LOST:
        if is_open(connection):
            connection.terminate()
        return End.LOST
    return End.COMMITTED


async def transacted(connection: "Connection", work: Callable[[], Awaitable[T]]) -> T:
    """What the work returns, once it is committed. Raises OutcomeUnknown, and what the work raises."""
    transaction = connection.transaction(isolation="read_committed")
    await transaction.start()
    try:
        done = await work()
    except BaseException as error:
        await undo(connection, transaction, error)
        raise
    if await commit(connection, transaction) is End.LOST:
        raise OutcomeUnknown
    return done


def is_open(connection: "AnyConnection") -> bool:
    """Whether it can still be spoken to. The pool takes a lost one back at once, and then any call raises."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False


def _breaks_off(error: BaseException) -> bool:
    """Whether it may come from the middle of a statement: a cancellation, or what the driver itself raises."""
    if isinstance(error, asyncpg.PostgresError):
        return error.severity is None  # then it is not the server's: the driver could not encode an argument
    return not isinstance(error, Exception) or isinstance(
        error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError
    )
