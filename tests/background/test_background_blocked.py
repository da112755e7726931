"""Queued transactions on an account that somebody else has locked: they stay queued in their order, others do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from koshel.background import BackgroundLimits
from koshel.blocked import REST_MAX_S, Blocked
from koshel.db.pools import TimeLimits
from koshel.db.store import Store, StoreConfig, open_store
from tests.support.database import Database
from tests.support.queued import HASTY, accounts, balances, decided, enqueued, fates, held, trial, working
from tests.support.settled import query
from tests.support.waiting import until
from tests.support.wallets import capture, hold, payment, transfer, withdrawal

IMPATIENT = TimeLimits(lock_timeout_ms=100)

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    async with open_store(StoreConfig(database.service_url, limits=IMPATIENT)) as store:
        yield store


def locking(database: Database, account_id: int) -> "psycopg.Connection[tuple[object, ...]]":
    other = psycopg.connect(database.owner_url)
    other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [account_id])
    return other


@pytest.mark.parametrize("processes", [1, 3])
async def test_a_withdrawal_does_not_overtake_the_payment_before_it(
    store: Store, database: Database, processes: int
) -> None:
    ann, bob = await accounts(store, "0", "0")
    async with AsyncExitStack() as stack:
        with locking(database, ann):
            for _ in range(processes):
                await stack.enter_async_context(working(store))
            ids = await enqueued(store, payment(ann, "5"))
            await until(lambda: trial(database, ids[0]).attempts > 0, "the payment has met the lock")
            ids += await enqueued(store, withdrawal(ann, "5"), payment(bob, "1"), transfer(ann, bob, "1"))
            await until(lambda: fates(database, ids) == ["queued", "queued", "posted", "queued"], "another is posted")
            ids += await enqueued(store, payment(ann, "1"))
            await until(lambda: trial(database, ids[-1]).attempts > 0, "the last one waits as well")
        assert await decided(database, ids) == ["posted", "posted", "posted", "insufficient-funds", "posted"]
    assert balances(database, [ann, bob]) == ["1.00", "1.00"]


async def test_a_capture_waits_with_its_hold(store: Store, database: Database) -> None:
    ann, bob, cyd, dan = await accounts(store, "10", "0", "10", "0")
    ids = await enqueued(store, hold(ann, bob, "5"))
    ids += await enqueued(store, capture(ids[0], "5"), transfer(cyd, dan, "1"))
    with locking(database, ann):
        async with working(store):
            await until(lambda: trial(database, ids[0]).attempts > 0, "the hold has met the lock")
            await until(lambda: fates(database, ids)[2] == "posted", "the transfer is posted")
            assert fates(database, ids[:2]) == ["queued", "queued"]
    async with working(store):
        assert await decided(database, ids) == ["posted"] * 3
    assert balances(database, [ann, bob, cyd, dan]) == ["5.00", "5.00", "9.00", "1.00"]


async def test_more_that_wait_than_a_claim_holds_are_in_nobodys_way(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "0", "0")
    blocked = await enqueued(store, *(payment(ann, "1") for _ in range(30)))
    free = await enqueued(store, *(payment(bob, "1") for _ in range(10)))
    with locking(database, ann):
        async with working(store, BackgroundLimits(batch_max=7, poll_s=0.05)):
            await until(lambda: fates(database, free) == ["posted"] * 10, "the others are posted")
            assert fates(database, blocked) == ["queued"] * 30
    async with working(store, HASTY):
        assert await decided(database, blocked) == ["posted"] * 30


async def test_expired_holds_on_a_locked_account_are_in_nobodys_way(store: Store, database: Database) -> None:
    ann, bob, cyd = await accounts(store, "100", "100", "0")
    await held(store, ann, cyd, seconds=1, number=60)
    await held(store, bob, cyd, seconds=1, number=3)
    still_held = f"SELECT held::text FROM account WHERE id IN ({ann}, {bob}) ORDER BY id"
    with locking(database, ann):
        async with working(store, BackgroundLimits(batch_max=7, poll_s=0.05)):
            await until(lambda: query(database, still_held) == [("60.00",), ("0.00",)], "the others are released")
    async with working(store):
        await until(lambda: query(database, still_held) == [("0.00",), ("0.00",)], "all are released")


async def test_a_retry_of_one_kind_does_not_begin_a_round_of_the_other(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a claim would leave out a payment, and not know that a withdrawal has to wait behind it."""
    ann, bob = await accounts(store, "0", "0")
    tasks: dict[Blocked, set[object]] = {}
    begin = Blocked.begin

    def remembering(blocked: Blocked) -> None:
        tasks.setdefault(blocked, set()).add(asyncio.current_task())
        begin(blocked)

    monkeypatch.setattr(Blocked, "begin", remembering)
    ids = await enqueued(store, payment(ann, "5"))
    with locking(database, ann):
        async with working(store):
            await until(lambda: trial(database, ids[0]).attempts > 0, "the payment has met the lock")
            ids += await enqueued(store, withdrawal(ann, "5"), payment(bob, "1"))
            await until(lambda: fates(database, ids[2:]) == ["posted"], "another is posted")
    async with working(store):
        assert await decided(database, ids) == ["posted"] * 3
    assert len(tasks) == 4, "two kinds, twice"
    assert all(len(found) == 1 for found in tasks.values())


ANN, BOB = (1, 1), (1, 2)  # lines


def test_they_are_tried_again_after_a_while_the_longer_the_longer_it_takes_to_find_them() -> None:
    now = 0.0
    blocked = Blocked(0.5, clock=lambda: now)
    assert not blocked
    assert blocked.put_off({7: frozenset({ANN}), 8: frozenset({ANN, BOB})}, took_s=0.01) == [7, 8]
    assert sorted(blocked.ids) == [7, 8]
    assert blocked.lines == {ANN, BOB}
    now = 0.4
    blocked.begin()
    assert sorted(blocked.ids) == [7, 8]
    now = 0.6
    blocked.begin()
    assert blocked
    assert not blocked.ids
    assert blocked.put_off({7: frozenset({ANN}), 9: frozenset({BOB})}, took_s=1) == [9]
    now = 0.5 + REST_MAX_S
    blocked.begin()
    assert sorted(blocked.ids) == [7, 9]
    now = 0.7 + REST_MAX_S
    blocked.begin()
    assert blocked
    now = 1.3 + REST_MAX_S
    blocked.begin()
    assert not blocked
