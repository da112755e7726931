"""Who is cancelled while the database is at it leaves nothing open: no transaction, no lock, no lost connection."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Delay, Store, StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import keep_books, move
from tests.support.database import Database
from tests.support.quiet import alter_tables, cancelled_between_steps, in_transaction
from tests.support.waiting import until

Asked = Callable[[Store], Coroutine[Any, Any, Any]]


def rehearse(store: Store) -> Coroutine[Any, Any, Any]:
    return store.rehearse(lambda: settle(store.rehearsals, [move(1, 2, "0.01")] * 5), weight=5)


READS: dict[str, Asked] = {
    "an account": lambda store: store.get_account(1, 1),
    "a transaction": lambda store: store.get_transaction(1, 1),
    "a queued transaction": lambda store: store.get_transaction(1, 999),
    "the queue": lambda store: store.measure_queue(1),
    "the migrations": lambda store: store.applied_migrations(),
    "what is due": lambda store: store.due(),
    "a queued transaction put off": lambda store: store.postpone(1, 999, "why", Delay(1, 2)),
    "a dry run": rehearse,
}
WRITES: dict[str, Asked] = {
    "a batch": lambda store: settle(store, [move(1, 2, "0.01")]),
    "a claim": lambda store: settle(store, [ClaimQueued(1, 10)]),
}
ASKED = READS | WRITES
STORMS = 40
AT_ONCE = 20
MOMENTS_S = 0.008  # in which an answer comes, or does not


@pytest.mark.parametrize("name", ASKED)
async def test_who_is_cancelled_between_the_two_steps_of_a_statement_leaves_nothing_open(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with open_store(StoreConfig(database.service_url)) as store:
        await keep_books(store)
    async with open_store(StoreConfig(database.service_url)) as store:  # one that has not prepared anything yet
        task = asyncio.create_task(ASKED[name](store))
        with cancelled_between_steps(monkeypatch, task):
            assert isinstance(*await asyncio.gather(task, return_exceptions=True), asyncio.CancelledError)
        await asyncio.to_thread(alter_tables, database.owner_url)
        await until(lambda: in_transaction(database.owner_url) == [], "what has begun has ended")
        await ASKED[name](store)


@pytest.mark.parametrize("name", READS)
async def test_what_was_asked_ends_without_who_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """No cancellation reaches the driver: the connection stays, and is used again."""
    async with open_store(StoreConfig(database.service_url, read_connections=1, rehearsal_connections=1)) as store:
        pool = store._rehearsing if name == "a dry run" else store._reading
        before = await pool.fetchval("SELECT pg_backend_pid()")
        task = asyncio.create_task(READS[name](store))
        with cancelled_between_steps(monkeypatch, task):
            assert isinstance(*await asyncio.gather(task, return_exceptions=True), asyncio.CancelledError)
        await READS[name](store)
        assert await pool.fetchval("SELECT pg_backend_pid()") == before


async def cancel_sometime(asked: Coroutine[Any, Any, Any]) -> None:
    task = asyncio.create_task(asked)
    await asyncio.sleep(random.uniform(0, MOMENTS_S))
    task.cancel()
    if random.random() < 0.3:  # some insist
        await asyncio.sleep(random.uniform(0, MOMENTS_S))
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_storm_of_cancellations_leaves_nothing_open(database: Database) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with open_store(StoreConfig(database.service_url)) as store:
        await keep_books(store)
        for _ in range(STORMS):
            asked = [random.choice(list(ASKED.values())) for _ in range(AT_ONCE)]
            await asyncio.gather(*(cancel_sometime(one(store)) for one in asked))
        await asyncio.to_thread(alter_tables, database.owner_url)
        assert await asyncio.to_thread(in_transaction, database.owner_url) == []
        for pool in (store._settling, store._reading, store._rehearsing):
            connections = [await pool.acquire(timeout=10) for _ in range(pool.get_max_size())]  # none is lost
            await asyncio.gather(*map(pool.release, connections))
    assert complaints == []
    assert verify(database.owner_url) == []


async def test_a_batch_that_is_broken_off_gives_its_locks_back_at_once(database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as store:
        await keep_books(store)
        locked = asyncio.Event()

        async def break_off() -> None:
            async with store.batch() as batch:
                await batch.lock(await batch.resolve([move(1, 2, "1")]))
                locked.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(break_off())
        await locked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await settle(store, [move(1, 2, "1")])


async def test_a_store_that_closes_lets_end_what_was_asked(database: Database) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def look(connection: Any) -> None:
        begun.set()
        await connection.fetchval("SELECT pg_sleep(0.5)")
        ended.set()

    async with open_store(StoreConfig(database.service_url)) as store:
        asked = asyncio.create_task(store._read(1, look))
        await begun.wait()
        asked.cancel()
    assert ended.is_set()


async def test_a_connection_that_a_fault_broke_off_is_not_used_again(database: Database) -> None:
    """The driver has prepared the statement, and cannot encode its argument."""
    async with open_store(StoreConfig(database.service_url, read_connections=1)) as store:
        with pytest.raises(asyncpg.DataError):
            await store.get_account(1, 2**70)
        await asyncio.to_thread(alter_tables, database.owner_url)
        assert await asyncio.to_thread(in_transaction, database.owner_url) == []
        assert await store.get_account(1, 1) is None
