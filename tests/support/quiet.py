"""Whether all is quiet: no connection of Koshel's is in a transaction, and a table can be altered."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import psycopg
import pytest

TABLES = (
    *("account", "transaction", "receipt", "batch", "hold", "queued", "declined", "cancelled", "split"),
    *("transaction_change", "account_change"),
)
LOCK_TIMEOUT_S = 10
PREPARE = "_get_statement"  # the driver's first step


def in_transaction(owner_url: str) -> list[tuple[Any, ...]]:
    """Koshel's connections to this database that are in a transaction, also in one that no BEGIN has opened."""
    query = """
        SELECT application_name, state, query FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'koshel%' AND xact_start IS NOT NULL
    """
    with psycopg.connect(owner_url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def alter_tables(owner_url: str, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """What a migration might do, one table after the other: it changes nothing, but locks out everybody."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout_s}s"])
        for name in TABLES:
            connection.execute(f"ALTER TABLE {name} ALTER ledger_id DROP DEFAULT".encode())


@contextmanager
def cancelled_between_steps(monkeypatch: pytest.MonkeyPatch, task: "asyncio.Task[Any]") -> Iterator[None]:
    """The task is cancelled when the driver has prepared its first statement, and has not executed it yet."""
    prepare = getattr(asyncpg.Connection, PREPARE)

    async def prepare_and_cancel(*arguments: Any, **options: Any) -> Any:
        statement = await prepare(*arguments, **options)
        if not task.cancelling():
            task.cancel()
            await asyncio.sleep(0)  # which is where it arrives, if it is this task
        return statement

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, PREPARE, prepare_and_cancel)
        yield
