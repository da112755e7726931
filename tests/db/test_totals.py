"""The sums of a ledger may take longer than other reads, and are planned for all of its accounts: they alone."""

import time
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.db import queries
from koshel.db.errors import DatabaseUnavailable
from koshel.db.pools import TimeLimits
from koshel.db.reading import totals
from koshel.db.store import Store, StoreConfig, open_store
from tests.support.database import Database
from tests.support.settled import open_accounts, opening

LIMITS = TimeLimits(statement_timeout_ms=400, lock_timeout_ms=300)
SET = "SELECT name, setting FROM pg_settings WHERE name = ANY('{statement_timeout,enable_hashjoin,plan_cache_mode}')"


async def summed(store: Store, *, sleep_s: float) -> Any:
    """What is found by a sum that takes so long, and what is set for whoever has the connection next."""

    async def look(connection: Any, q: queries.Queries) -> Any:
        slow = q.sum_ledger.replace("SELECT held.currency", f"SELECT pg_sleep({sleep_s}), held.currency")
        before = await connection.fetch(SET)
        found = await totals.of_ledger(connection, replace(q, sum_ledger=slow), 1)
        assert [*map(tuple, await connection.fetch(SET))] == [*map(tuple, before)]
        return found

    return await store.look_up(1, look)


async def test_a_sum_may_take_longer_than_any_other_statement(database: Database) -> None:
    async with open_store(StoreConfig(database.service_url, limits=LIMITS)) as store:
        await open_accounts(store, opening())
        (usd,) = await summed(store, sleep_s=1.6)
        assert (usd.accounts, usd.balanced) == (1, True)
        with pytest.raises(DatabaseUnavailable):
            await store.look_up(1, lambda connection, _: connection.fetch("SELECT pg_sleep(1.6)"))


async def test_it_ends_at_a_limit_of_its_own_and_leaves_the_connection_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "TIME_LIMIT_MS", 700)
    async with open_store(StoreConfig(database.service_url, read_connections=1, limits=LIMITS)) as store:
        await open_accounts(store, opening())
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await summed(store, sleep_s=5)
        assert 0.6 < time.monotonic() - started < 3
        assert len(await summed(store, sleep_s=0)) == 1
        found = await store.look_up(1, lambda connection, _: connection.fetchval("SHOW statement_timeout"))
        assert found == "400ms"


async def test_the_longer_of_the_two_limits_counts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "TIME_LIMIT_MS", 100)
    async with open_store(
        StoreConfig(database.service_url, limits=replace(LIMITS, statement_timeout_ms=2_000))
    ) as store:
        await open_accounts(store, opening())
        assert len(await summed(store, sleep_s=1.3)) == 1


async def test_it_is_planned_for_the_ledger_and_may_read_accounts_into_a_hash(database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as store:
        found = await store.look_up(1, planned)
    assert found == {"statement_timeout": "30000", "enable_hashjoin": "on", "plan_cache_mode": "force_custom_plan"}


async def planned(connection: Any, q: queries.Queries) -> dict[str, str]:
    async with connection.transaction():
        await connection.fetch(q.plan_for_sum, totals.TIME_LIMIT_MS)
        return dict(map(tuple, await connection.fetch(SET)))
