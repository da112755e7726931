"""The queue of background transactions, as those see it who work it off or look at it."""

import pytest

from koshel.core.model import Posted, Queued
from koshel.db.settling.claims import ClaimHolds, ClaimQueued
from koshel.db.store import Delay, Store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query
from tests.support.wallets import enqueue, hold, payment, transfer

pytestmark = pytest.mark.usefixtures("proved")


async def enqueued(store: Store, *, ledger_id: int = 1, count: int = 1) -> list[int]:
    """Promise transfers between two new accounts; the ids."""
    ann, bob = await open_accounts(store, opening(ledger_id=ledger_id), opening(ledger_id=ledger_id))
    await settle(store, [payment(ann, "100", ledger_id=ledger_id)])
    commands = [enqueue(transfer(ann, bob, "1", ledger_id=ledger_id)) for _ in range(count)]
    return [one.id for one in await settle(store, commands) if isinstance(one, Queued)]


async def test_nothing_is_due_where_nothing_waits(store: Store) -> None:
    assert await store.due() == []
    measure = await store.measure_queue(1)
    assert (measure.depth, measure.retrying, measure.oldest_age_s) == (0, 0, 0.0)


async def test_each_ledger_with_something_due_is_told_once(store: Store, database: Database) -> None:
    execute(database.owner_url, "INSERT INTO ledger (id, name) VALUES (3, 'three'), (7, 'seven'), (8, 'idle')")
    for ledger_id in (3, 1, 7):
        await enqueued(store, ledger_id=ledger_id, count=3)
    ann, bob = await open_accounts(store, opening(ledger_id=3), opening(ledger_id=3))
    outcomes = await settle(
        store,
        [
            payment(ann, "10", ledger_id=3),
            *[hold(ann, bob, "1", seconds=0, ledger_id=3) for _ in range(2)],
            hold(ann, bob, "1", seconds=60, ledger_id=3),
        ],
    )
    assert all(isinstance(one, Posted) for one in outcomes)
    due = await store.due()
    assert sorted(claim.ledger_id for claim in due if isinstance(claim, ClaimQueued)) == [1, 3, 7]
    assert [claim.ledger_id for claim in due if isinstance(claim, ClaimHolds)] == [3]
    assert {claim.count for claim in due} == {0}


async def test_what_is_put_off_is_not_due_and_waits_longer_each_time(store: Store, database: Database) -> None:
    (one,) = await enqueued(store)
    waits = []
    for _ in range(6):
        execute(database.owner_url, "UPDATE queued SET due = now()")
        await store.postpone(1, one, "DeadlockDetectedError: deadlock", Delay(10.0, 100.0))
        ((seconds,),) = query(database, "SELECT extract(epoch FROM due - clock_timestamp())::float FROM queued")
        waits.append(round(seconds, -1))
    assert waits == [10, 20, 40, 80, 100, 100]
    assert query(database, "SELECT attempts, error FROM queued") == [(6, "DeadlockDetectedError: deadlock")]
    assert await store.due() == []
    assert (await store.measure_queue(1)).retrying == 1


async def test_what_two_have_failed_with_at_once_is_put_off_once(store: Store, database: Database) -> None:
    (one,) = await enqueued(store)
    for error in ("first", "second"):
        await store.postpone(1, one, error, Delay(10.0, 100.0))
    assert query(database, "SELECT attempts, error FROM queued") == [(1, "first")]


async def test_the_most_patient_delay_has_an_end_however_often_it_fails(store: Store, database: Database) -> None:
    (one,) = await enqueued(store)
    execute(database.owner_url, "UPDATE queued SET attempts = 1000000")
    await store.postpone(1, one, "again", Delay(1.0, 300.0))
    ((seconds,),) = query(database, "SELECT extract(epoch FROM due - clock_timestamp())::float FROM queued")
    assert 290 < seconds <= 300


async def test_what_is_put_off_by_mistake_is_nobodys(store: Store, database: Database) -> None:
    (one,) = await enqueued(store)
    for ledger_id, id_ in ((1, one + 1), (2, one)):
        await store.postpone(ledger_id, id_, "not there", Delay(1.0, 1.0))
    assert query(database, "SELECT attempts, error FROM queued") == [(0, None)]


async def test_the_queue_of_each_ledger_is_measured_by_itself(store: Store, database: Database) -> None:
    execute(database.owner_url, "INSERT INTO ledger (id, name) VALUES (2, 'two')")
    await enqueued(store, ledger_id=1, count=2)
    await enqueued(store, ledger_id=2, count=3)
    execute(database.owner_url, "UPDATE queued SET ctime = ctime - interval '1 hour' WHERE ledger_id = 2")
    measure = await store.measure_queue(2)
    assert (measure.depth, measure.retrying) == (3, 0)
    assert 3_600 <= measure.oldest_age_s < 3_660
    assert (await store.measure_queue(1)).oldest_age_s < 3_600
    await settle(store, [ClaimQueued(2, 10)])
    assert [(await store.measure_queue(ledger_id)).depth for ledger_id in (1, 2)] == [2, 0]
