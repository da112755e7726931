"""A user's task that is cancelled, or out of time: nothing stays open, and nothing is half done."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from koshel import Ledger, Misuse, Settings, Transaction
from koshel.db.errors import Crowded
from koshel.db.store import REHEARSALS_WAITING_MAX
from tests.support.database import Database
from tests.support.quiet import alter_tables, cancelled_between_steps, in_transaction
from tests.support.settled import query
from tests.support.waiting import until

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

ROUNDS = 150
MOMENTS_S = 0.012  # in which a call within a transaction is done, or is not
SOON_S = 20

Asked = Callable[[Ledger, int], Coroutine[Any, Any, Any]]
ASKED: dict[str, Asked] = {
    "an account": lambda ledger, ann: ledger.account(ann),
    "a transaction": lambda ledger, _: ledger.transaction(1),
    "a dry run": lambda ledger, ann: ledger.rehearsal().pay(ann, amount="1"),
    "a payment": lambda ledger, ann: ledger.pay(ann, amount="1"),
}


@pytest.mark.parametrize("name", ASKED)
async def test_who_runs_out_of_time_leaves_no_table_locked(
    database: Database, ledger: Ledger, ann: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with Ledger.open(database.service_url) as other:  # one that has not asked anything yet
        task = asyncio.create_task(ASKED[name](other, ann))
        with cancelled_between_steps(monkeypatch, task):
            assert isinstance(*await asyncio.gather(task, return_exceptions=True), asyncio.CancelledError)
        await asyncio.to_thread(alter_tables, database.owner_url)
        await until(lambda: in_transaction(database.owner_url) == [], "what has begun has ended")
        assert await ASKED[name](other, ann)
    assert await ledger.account(ann)


async def test_dry_runs_beyond_those_that_may_wait_are_too_many(database: Database, ledger: Ledger, ann: int) -> None:
    async with Ledger.open(database.service_url, Settings(rehearsal_connections=1)) as other:
        rehearsal = other.rehearsal()
        asked = [rehearsal.pay(ann, amount="1") for _ in range(REHEARSALS_WAITING_MAX + 10)]
        ends = await asyncio.gather(*asked, return_exceptions=True)
    assert Counter(map(type, ends)) == {Transaction: REHEARSALS_WAITING_MAX + 1, Crowded: 9}
    assert await ledger.account(ann)


async def test_a_ledger_that_is_closed_answers_no_more(database: Database, ledger: Ledger, ann: int) -> None:
    async with Ledger.open(database.service_url) as other:
        assert await other.account(ann)
    for asked in ASKED.values():
        with pytest.raises(Misuse, match="closed"):
            await asked(other, ann)
    assert await ledger.account(ann)


@pytest.mark.parametrize("insists", [False, True])
async def test_a_call_within_that_is_cancelled_leaves_all_or_nothing(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int, *, insists: bool
) -> None:
    """And the transaction usable: who catches the cancellation in it may still commit."""
    make = ledger.requests
    ends: Counter[bool] = Counter()
    for number in range(ROUNDS):
        async with connection.transaction():
            members: Any = [
                make.transfer(source=ann, target=bob, amount="0.01"),
                make.hold(source=ann, target=bob, amount="0.01"),
                make.payment(ann, amount="0.02"),
            ]
            asked = ledger.within(connection).batch(members, key=f"key-{number}")
            ends[await is_cancelled(asked, insists=insists)] += 1
            await connection.execute("INSERT INTO orders VALUES ('a book')")
    assert ends[True]
    [(orders, groups, odd)] = query(
        database,
        """
        SELECT (SELECT count(*) FROM orders), count(DISTINCT group_id), count(*) % 3 FROM transaction
        WHERE group_id IS NOT NULL
        """,
    )
    assert (orders, odd) == (ROUNDS, 0)
    assert ends[False] <= groups <= ROUNDS
    ends_of_keys = query(database, "SELECT count(*) FROM receipt WHERE idempotency_key LIKE 'key-%'")
    assert ends_of_keys == [(groups,)]


async def is_cancelled(asked: Coroutine[Any, Any, Any], *, insists: bool) -> bool:
    """Cancel it sometime; whether that was in time."""
    task = asyncio.create_task(asked)
    for _ in range(3 if insists else 1):
        await asyncio.sleep(random.uniform(0, MOMENTS_S / (3 if insists else 1)))
        task.cancel()
    await asyncio.wait([task])
    return task.cancelled() or task.result() is None


async def test_a_call_within_that_waits_for_a_row_is_cancelled_at_once(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", ann)
        async with asyncio.timeout(SOON_S), connection.transaction():
            task = asyncio.create_task(ledger.within(connection).transfer(source=ann, target=bob, amount="1"))
            waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            await until(lambda: bool(query(database, waiting)), "it waits for the row")
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            await connection.execute("INSERT INTO orders VALUES ('a book')")
    await holder.close()
    assert query(database, "SELECT count(*) FROM orders") == [(1,)]
    assert str((await ledger.transfer(source=ann, target=bob, amount="1")).amount) == "1.00"
