"""What else can go wrong around a lost COMMIT: the fence itself fails, or the connection goes just after."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import psycopg
import pytest

from koshel.batching.batcher import open_batcher
from koshel.batching.waiting import BatcherLimits
from koshel.core.commands import Kind, Move, OpenAccount
from koshel.core.model import Posted
from koshel.db.errors import DatabaseUnavailable, OutcomeUnknown
from koshel.db.pools import TimeLimits
from koshel.db.server.embedded import Cluster
from koshel.db.store import Store, StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.relay import Cut, Relay, relaying
from tests.support.waiting import until

PAYMENT = Move(1, Kind.PAYMENT, None, 1, Decimal(1))
PATIENT = TimeLimits(idle_in_transaction_timeout_ms=14_000, lock_timeout_ms=4_000)

FULL_DISK_ONCE = """
CREATE SEQUENCE fences;
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.transaction_ids IS NULL AND nextval('fences') = 1 THEN
        RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER full_disk BEFORE INSERT ON batch FOR EACH ROW EXECUTE FUNCTION full_disk()
"""
FENCE_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ON CONFLICT DO NOTHING%'"


@pytest.fixture
async def relay(cluster: Cluster) -> AsyncIterator[Relay]:
    async with relaying(cluster) as relay:
        yield relay


@pytest.fixture
async def behind(relay: Relay, database: Database) -> AsyncIterator[Store]:
    async with open_store(StoreConfig(relay.url(database.service_url), limits=PATIENT)) as behind:
        await settle(behind, [OpenAccount(1, "ann@example.com")])
        yield behind


async def balance(store: Store) -> Decimal:
    account = await store.get_account(1, 1)
    assert account is not None
    return account.balance


async def test_an_error_of_the_fence_is_no_answer_and_it_asks_again(
    relay: Relay, behind: Store, database: Database
) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        owner.execute(FULL_DISK_ONCE)
    async with open_batcher(
        partial(settle_again, behind),
        partition=lambda _: None,
        limits=BatcherLimits(),
        outages=(DatabaseUnavailable, OutcomeUnknown),
    ) as batcher:
        relay.cut_next_commit(Cut.REPLY_LOST)
        answers = await asyncio.gather(*(batcher.submit(PAYMENT, size=1) for _ in range(3)))
    assert all(isinstance(answer, Posted) for answer in answers)
    assert await balance(behind) == 3
    assert verify(database.owner_url) == []


async def test_the_fence_reads_what_was_committed_while_it_waited_whatever_isolation_the_database_prefers(
    relay: Relay, behind: Store, database: Database
) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        name = owner.info.dbname
        owner.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    relay.cut_next_commit(Cut.COMMIT_LATE)
    settling = asyncio.create_task(settle_again(behind, [PAYMENT]))

    def fence_waits() -> bool:
        with psycopg.connect(database.owner_url) as owner:
            return owner.execute(FENCE_WAITS).fetchone() is not None

    await until(fence_waits, "the fence to wait for the old backend")
    await relay.deliver()
    assert isinstance((await settling)[0], Posted)
    assert await balance(behind) == 1
    assert verify(database.owner_url) == []


async def test_a_connection_that_goes_right_after_its_commit_takes_no_answer_with_it(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle(store, [OpenAccount(1, "ann@example.com")])
    commit = asyncpg.transaction.Transaction.commit

    async def commit_and_lose(self: Any) -> None:
        connection = self._connection
        await commit(self)
        connection._transport.abort()  # the loop hears of it in its next turn, before the pool has its connection back

    monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", commit_and_lose)
    outcome = await settle_again(store, [PAYMENT])
    monkeypatch.undo()
    assert isinstance(outcome[0], Posted)
    assert await balance(store) == 1
    assert verify(database.owner_url) == []


async def test_workers_that_open_accounts_with_the_same_keys_in_other_orders_do_not_deadlock(
    store: Store, database: Database
) -> None:
    def deadlocks() -> int:
        with psycopg.connect(database.owner_url) as owner:
            row = owner.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
            assert row is not None
            count: int = row[0]
            return count

    for lap in range(6):
        openings = [OpenAccount(1, "ann@example.com", key=f"{lap}-{n}") for n in range(200)]
        await asyncio.gather(settle_again(store, openings), settle_again(store, openings[::-1]))
    assert deadlocks() == 0
