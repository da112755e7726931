"""What goes on by itself: queued transactions are executed or declined, once; holds whose time is up are released."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from msgspec import UNSET
from structlog.testing import capture_logs

from koshel.background import Background, BackgroundLimits, open_background
from koshel.core.commands import ChangeAccount, Status
from koshel.core.model import Changed, Posted
from koshel.db.pools import TimeLimits
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.queued import HASTY, accounts, balances, decided, enqueued, fates, held, working
from tests.support.settled import query, waits
from tests.support.waiting import until
from tests.support.wallets import capture, hold, payment, refund, transfer, void, withdrawal

NEVER_POLLS = BackgroundLimits(poll_s=3_600)

pytestmark = pytest.mark.usefixtures("books")


def open_holds(database: Database) -> int:
    return int(query(database, "SELECT count(*) FROM hold")[0][0])


async def test_what_was_queued_is_posted(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    [reserved] = await held(store, ann, bob, seconds=60)
    [paid] = [one for one in await settle(store, [payment(ann, "10")]) if isinstance(one, Posted)]
    ids = await enqueued(
        store,
        transfer(ann, bob, "5", key="rent"),
        payment(bob, "7"),
        withdrawal(ann, "3"),
        hold(ann, bob, "2"),
        capture(reserved),
        refund(paid.id, "4"),
    )
    assert fates(database, ids) == ["queued"] * 6
    async with working(store):
        assert await decided(database, ids) == ["posted"] * 6
    assert balances(database, [ann, bob]) == ["97.00", "13.00"]
    assert query(database, f"SELECT idempotency_key FROM transaction WHERE id = {ids[0]}") == [("rent",)]


async def test_a_hold_whose_time_is_up_is_released(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    brief = await held(store, ann, bob, seconds=1, number=3)
    await held(store, ann, bob, seconds=60)
    async with working(store):
        await until(lambda: open_holds(database) == 1, "the brief ones are released")
    followed = query(database, "SELECT kind, parent_id FROM transaction WHERE parent_id IS NOT NULL ORDER BY parent_id")
    assert followed == [("expiry", id_) for id_ in brief]
    assert query(database, f"SELECT held::text FROM account WHERE id = {ann}") == [("1.00",)]


async def test_what_was_queued_for_a_hold_that_is_queued_before_it_finds_it(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    [reserving] = await enqueued(store, hold(ann, bob, "10"))
    following = await enqueued(store, capture(reserving, "4", final=False), void(reserving))
    async with working(store):
        assert await decided(database, [reserving, *following]) == ["posted"] * 3
    assert balances(database, [ann, bob]) == ["96.00", "4.00"]


async def test_who_is_woken_looks_at_once(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    async with working(store, NEVER_POLLS) as background:
        for _ in range(3):
            ids = await enqueued(store, transfer(ann, bob, "5"))
            background.wake()
            assert await decided(database, ids) == ["posted"]


async def test_what_others_have_queued_is_found_without_being_woken(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    async with working(store):
        await asyncio.sleep(HASTY.poll_s)
        assert await decided(database, await enqueued(store, transfer(ann, bob, "5"))) == ["posted"]


async def test_a_backlog_is_drained_without_a_pause_between_claims(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    ids = await enqueued(store, *[transfer(ann, bob, "1") for _ in range(50)])
    brief = await held(store, ann, bob, seconds=1, number=20)
    await until(lambda: bool(query(database, "SELECT FROM hold WHERE expires_at < now()")), "their time is up")
    async with working(store, BackgroundLimits(batch_max=3, poll_s=3_600)):
        assert await decided(database, ids) == ["posted"] * 50
        await until(lambda: open_holds(database) == 0, "all of them are released")
    assert len(brief) == 20


async def test_it_stops_after_the_claim_that_is_under_way(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    ids = await enqueued(store, *[transfer(ann, bob, "1") for _ in range(3)])
    background = Background(store, BackgroundLimits(batch_max=1, poll_s=3_600), lambda: False)
    with psycopg.connect(database.owner_url) as other:
        other.execute("SELECT FROM account FOR UPDATE")
        work = asyncio.create_task(background.run())
        await waits(database)
        background.stop()
        await asyncio.sleep(HASTY.poll_s)
        assert not work.done()
    await work
    assert fates(database, ids) == ["posted", "queued", "queued"]


async def test_it_stops_at_once_while_it_has_nothing_to_do(store: Store) -> None:
    async with asyncio.timeout(30):
        async with working(store, NEVER_POLLS):
            await asyncio.sleep(HASTY.poll_s)


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[list[Store]]:
    """Stores as several processes have them; they wait long for their locks, as a slow machine needs it."""
    limits = TimeLimits(lock_timeout_ms=20_000, statement_timeout_ms=30_000)
    config = StoreConfig(database.service_url, settle_connections=2, read_connections=1, limits=limits)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(config)) for _ in range(6)]


async def test_many_workers_at_once_do_nothing_twice(workers: list[Store], database: Database) -> None:
    store = workers[0]
    ann, bob, cyd = await accounts(store, "1000", "0", "10")
    await held(store, ann, bob, seconds=1, number=100)
    requests = [transfer(ann, bob, "1", key=f"k{n}") for n in range(200)] + [transfer(cyd, bob, "1") for _ in range(50)]
    ids = await enqueued(store, *requests)
    async with AsyncExitStack() as stack:
        logs = stack.enter_context(capture_logs())
        for one in workers:
            await stack.enter_async_context(working(one, BackgroundLimits(batch_max=7, poll_s=0.02)))
        ends = await decided(database, ids)
        await until(lambda: open_holds(database) == 0, "all holds are released")
    assert logs == [], "nor try it twice"
    assert ends[:200] == ["posted"] * 200
    assert sorted(ends[200:]) == ["insufficient-funds"] * 40 + ["posted"] * 10
    assert balances(database, [ann, bob, cyd]) == ["800.00", "210.00", "0.00"]
    assert query(database, "SELECT count(*) FROM transaction WHERE kind = 'expiry'") == [(100,)]
    assert query(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


async def test_what_is_refused_is_declined_for_ever(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "1", "0")
    ids = await enqueued(store, transfer(ann, bob, "5", key="rent"), capture(9_999), transfer(ann, 9_999, "1"))
    refusals = ["insufficient-funds", "transaction-not-found", "account-not-found"]
    async with working(store) as background:
        assert await decided(database, ids) == refusals
        await settle(store, [payment(ann, "100")])
        background.wake()
        assert await decided(database, await enqueued(store, transfer(ann, bob, "5"))) == ["posted"]
    assert fates(database, ids) == refusals
    assert balances(database, [ann, bob]) == ["96.00", "5.00"]


@pytest.mark.parametrize(("status", "refusal"), [(Status.CLOSED, "account-closed"), (Status.FROZEN, "account-frozen")])
async def test_what_was_queued_for_an_account_that_is_closed_meanwhile_is_declined(
    store: Store, database: Database, status: Status, refusal: str
) -> None:
    ann, bob = await accounts(store, "100", "0")
    ids = await enqueued(store, transfer(ann, bob, "5"), payment(bob, "1"))
    [changed] = await settle(store, [ChangeAccount(1, bob, UNSET, status=status)])
    assert isinstance(changed, Changed)
    async with working(store):
        assert await decided(database, ids) == [refusal, refusal]
    assert balances(database, [ann, bob]) == ["100.00", "0.00"]


async def test_each_ledger_has_its_turn(store: Store, database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("INSERT INTO ledger (id, name) VALUES (2, 'other')")
    ann, bob = await accounts(store, "100", "0")
    ids = await enqueued(store, *[transfer(ann, bob, "1") for _ in range(20)], payment(99, "1", ledger_id=2))
    async with open_background(Background(store, BackgroundLimits(batch_max=2, poll_s=0.02), lambda: False)):
        assert await decided(database, ids) == ["posted"] * 20 + ["account-not-found"]
