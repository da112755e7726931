"""Connections: each has its limits, whatever stands between, and none is made before the gate is open."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from koshel.db import pools
from koshel.db.errors import DatabaseUnavailable, Unfit
from koshel.db.gate import Gate, NotOpenYet
from koshel.db.pools import TimeLimits, connect, open_pool
from koshel.db.store import StoreConfig, open_store
from koshel.db.url import parse
from tests.support.bookkeeping import execute
from tests.support.database import Database

LIMITS = TimeLimits(statement_timeout_ms=4_000, lock_timeout_ms=3_000, idle_in_transaction_timeout_ms=2_000)
WANTED = {
    "statement_timeout": "4s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "2s",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "application_name": "koshel test",
}


async def test_every_connection_has_its_limits(database: Database) -> None:
    async with (
        open_pool(database.service_url, LIMITS, size=2, name="test") as pool,
        pool.acquire() as one,
        pool.acquire() as other,
    ):
        for connection in (one, other):
            assert {name: await connection.fetchval(f"SHOW {name}") for name in WANTED} == WANTED


@pytest.mark.parametrize("named", ["role", "database", "url"])
async def test_no_default_of_a_role_a_database_or_a_url_goes_before_them(database: Database, named: str) -> None:
    name = database.service_url.partition("?")[0].rpartition("/")[2]
    url = database.service_url
    if named == "url":
        url += "&options=-c%20lock_timeout%3D9s%20-c%20work_mem%3D8MB"
    else:
        whose = f"ROLE koshel_service IN DATABASE {name}" if named == "role" else f"DATABASE {name}"
        execute(database.owner_url, f"ALTER {whose} SET lock_timeout = '9s'", f"ALTER {whose} SET work_mem = '8MB'")
    async with open_pool(url, LIMITS, size=1, name="test") as pool, pool.acquire() as connection:
        assert await connection.fetchval("SHOW lock_timeout") == "3s"
        assert await connection.fetchval("SHOW work_mem") == "8MB"


async def test_a_name_in_the_url_is_the_services_name(database: Database) -> None:
    url = f"{database.service_url}&application_name=wallet"
    async with open_pool(url, LIMITS, size=1, name="read") as pool, pool.acquire() as connection:
        assert await connection.fetchval("SHOW application_name") == "wallet read"


async def test_nobody_connects_before_the_gate_is_open(database: Database) -> None:
    gate = Gate()
    async with open_pool(database.service_url, LIMITS, size=1, name="test", gate=gate) as pool:
        with pytest.raises(NotOpenYet):
            await pool.fetchval("SELECT 1")
        gate.open()
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_store_behind_a_closed_gate_is_one_without_its_database(database: Database) -> None:
    gate = Gate()
    async with open_store(StoreConfig(database.service_url, gate=gate)) as store:
        with pytest.raises(DatabaseUnavailable, match="since the start"):
            await store.get_account(1, 1)
        with pytest.raises(DatabaseUnavailable):
            async with store.batch():
                pass
        gate.open()
        assert await store.get_account(1, 1) is None


async def _waits() -> None:
    await asyncio.Event().wait()


async def _fails() -> None:
    raise ConnectionResetError


@pytest.mark.parametrize("meanwhile", [_waits, _fails])
async def test_a_connection_that_is_not_prepared_to_the_end_is_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], Awaitable[None]]
) -> None:
    """The caller is cancelled while the limits are set, or the connection is lost: then nobody else could close it."""
    made: list[Any] = []
    is_made = asyncio.Event()

    async def prepare(connection: Any, _: TimeLimits) -> None:
        made.append(connection)
        is_made.set()
        await meanwhile()

    monkeypatch.setattr(pools, "_prepare", prepare)
    connecting = asyncio.create_task(connect(parse(database.service_url), LIMITS, "test"))
    await is_made.wait()
    connecting.cancel()
    (error,) = await asyncio.gather(connecting, return_exceptions=True)
    assert isinstance(error, asyncio.CancelledError | ConnectionResetError)
    assert made[0].is_closed()


async def test_a_url_that_cannot_be_used_opens_no_pool() -> None:
    with pytest.raises(Unfit, match="channel_binding"):
        async with open_pool("postgresql://ann@db/w?channel_binding=require", LIMITS, size=1, name="test"):
            pass
