"""Accidents in the background: what is to blame is put off, longer each time, and the others are done."""

from collections.abc import AsyncIterator

import psycopg
import pytest
from structlog.testing import capture_logs

from koshel import background
from koshel.background import Background, BackgroundLimits
from koshel.core.model import Outcome
from koshel.db.errors import DatabaseUnavailable
from koshel.db.pools import TimeLimits
from koshel.db.server.embedded import Cluster
from koshel.db.settling.batches import Batches
from koshel.db.settling.claims import Claim, ClaimQueued
from koshel.db.store import Delay, Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.queued import HASTY, accounts, balances, decided, enqueued, fates, held, trial, working
from tests.support.relay import Cut, Relay, relaying
from tests.support.settled import query
from tests.support.waiting import until
from tests.support.wallets import payment, transfer

POISON = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RAISE EXCEPTION 'account % is poisonous', NEW.id;
END $$;
CREATE TRIGGER poison BEFORE UPDATE ON account FOR EACH ROW WHEN (NEW.id = {}) EXECUTE FUNCTION poison();
"""
AGAIN = "the background has the database again"
IMPATIENT = TimeLimits(lock_timeout_ms=100)

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    async with open_store(StoreConfig(database.service_url, limits=IMPATIENT)) as store:
        yield store


async def test_a_locked_account_is_in_the_way_of_its_own_transactions_only(store: Store, database: Database) -> None:
    ann, bob, cyd, dan = await accounts(store, "100", "100", "0", "0")
    others = [transfer(bob, dan, "1") for _ in range(4)]
    ids = await enqueued(store, others[0], transfer(ann, cyd, "1"), *others[1:])
    blocked, free = ids[1], [ids[0], *ids[2:]]
    async with working(store):
        with psycopg.connect(database.owner_url) as other:
            other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ann])
            await until(lambda: fates(database, free) == ["posted"] * 4, "the others are posted")
            await until(lambda: trial(database, blocked).attempts > 0, "it has met the lock")
            assert fates(database, [blocked]) == ["queued"]
            assert "Obstructed" in str(trial(database, blocked).error)
        assert await decided(database, [blocked]) == ["posted"]
    assert balances(database, [ann, bob, cyd, dan]) == ["99.00", "96.00", "1.00", "4.00"]


async def test_a_poisonous_transaction_is_put_off_and_the_others_are_posted(store: Store, database: Database) -> None:
    ann, bob, cyd = await accounts(store, "100", "100", "0")
    execute(database.owner_url, POISON.format(ann))
    ids = await enqueued(store, transfer(bob, cyd, "1"), transfer(ann, cyd, "1"), transfer(bob, cyd, "1"))
    async with working(store):
        await until(lambda: fates(database, ids) == ["posted", "queued", "posted"], "the others are posted")
        await until(lambda: trial(database, ids[1]).attempts >= 3, "it is tried again, in vain")
        assert trial(database, ids[1]).error == f"RaiseError: account {ann} is poisonous"
        assert (await store.measure_queue(1)).retrying == 1
        execute(database.owner_url, "DROP TRIGGER poison ON account")
        assert await decided(database, ids) == ["posted"] * 3
    assert balances(database, [ann, bob, cyd]) == ["99.00", "98.00", "3.00"]


async def test_a_transaction_that_fails_is_put_off_twice_as_long_each_time(store: Store, database: Database) -> None:
    ann, *_ = await accounts(store, "0")
    execute(database.owner_url, POISON.format(ann))
    [id_] = await enqueued(store, payment(ann, "1"))
    limits = BackgroundLimits(poll_s=0.02, delay=Delay(1, 5))
    waits = []
    for attempts in range(1, 7):
        async with working(store, limits):
            await until(lambda wanted=attempts: trial(database, id_).attempts == wanted, "it has failed once more")  # type: ignore[misc]
        waits.append(trial(database, id_).in_s)
        execute(database.owner_url, "UPDATE queued SET due = clock_timestamp()")
    for wait, delay in zip(waits, [1, 2, 4, 5, 5, 5], strict=True):
        assert delay - 0.9 < wait <= delay
    execute(database.owner_url, "UPDATE queued SET attempts = 2000000000")
    await store.postpone(1, id_, "at last", Delay(1, 5))
    assert 4 < trial(database, id_).in_s <= 5


async def test_what_is_put_off_is_not_tried_before(store: Store, database: Database) -> None:
    ann, *_ = await accounts(store, "0")
    ids = await enqueued(store, payment(ann, "1"))
    await store.postpone(1, ids[0], "an accident", Delay(3_600, 3_600))
    async with working(store) as working_background:
        working_background.wake()
        assert await decided(database, await enqueued(store, payment(ann, "1"))) == ["posted"]
        assert fates(database, ids) == ["queued"]
        await settle(store, [ClaimQueued(1, 1, only=ids[0])])
        assert fates(database, ids) == ["queued"]


async def test_one_accident_is_counted_once_however_many_workers_meet_it(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "0", "0")
    execute(database.owner_url, POISON.format(ann))
    requests = [payment(ann if number % 5 == 0 else bob, "1") for number in range(40)]
    ids = await enqueued(store, *requests)
    limits = BackgroundLimits(poll_s=0.02, delay=Delay(3_600, 3_600))
    async with working(store, limits), working(store, limits), working(store, limits), working(store, limits):
        await until(lambda: fates(database, ids).count("posted") == 32, "all the others are posted")
        await until(lambda: min(trial(database, id_).attempts for id_ in ids[::5]) > 0, "all have been tried")
    assert [trial(database, id_).attempts for id_ in ids[::5]] == [1] * 8
    assert balances(database, [bob]) == ["32.00"]


async def test_to_be_put_off_it_waits_for_nobody_who_is_at_it_just_now(store: Store, database: Database) -> None:
    ann, *_ = await accounts(store, "0")
    execute(database.owner_url, POISON.format(ann))
    ids = await enqueued(store, payment(ann, "1"), payment(ann, "2"))
    work = Background(store, HASTY, lambda: False)
    with psycopg.connect(database.owner_url) as other:
        other.execute("SELECT FROM queued WHERE id = %s FOR UPDATE", [ids[0]])
        for id_ in ids:
            await work._put_off(ClaimQueued(1, 1), id_, RuntimeError("an accident"))
    assert [trial(database, id_).attempts for id_ in ids] == [0, 1]


async def test_a_hold_that_cannot_be_released_is_in_nobodys_way(store: Store, database: Database) -> None:
    ann, bob, cyd = await accounts(store, "100", "100", "0")
    await held(store, ann, cyd, seconds=1, number=3)
    await held(store, bob, cyd, seconds=1, number=3)
    still_held = f"SELECT held::text FROM account WHERE id IN ({ann}, {bob}) ORDER BY id"
    async with working(store, BackgroundLimits(batch_max=6, poll_s=0.02)):
        with psycopg.connect(database.owner_url) as other:
            other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ann])
            await until(lambda: query(database, still_held) == [("3.00",), ("0.00",)], "the others are released")
            assert await decided(database, await enqueued(store, payment(bob, "1"))) == ["posted"]
        await until(lambda: query(database, still_held) == [("0.00",), ("0.00",)], "all are released")


@pytest.fixture
async def relay(cluster: Cluster) -> AsyncIterator[Relay]:
    async with relaying(cluster) as relay:
        yield relay


@pytest.fixture
async def relayed(relay: Relay, database: Database) -> AsyncIterator[Store]:
    """A store that reaches the database through the relay."""
    async with open_store(StoreConfig(relay.url(database.service_url), outcome_timeout_ms=30_000)) as store:
        yield store


@pytest.fixture
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "OUTAGE_PAUSE_S", 0.05)


@pytest.mark.usefixtures("_short_pause")
async def test_an_outage_of_the_database_is_waited_out(
    store: Store, relayed: Store, relay: Relay, database: Database
) -> None:
    ann, bob = await accounts(store, "100", "0")
    with capture_logs() as logs:
        async with working(relayed):
            assert await decided(database, await enqueued(store, transfer(ann, bob, "1"))) == ["posted"]
            await relay.close()
            ids = await enqueued(store, *[transfer(ann, bob, "1") for _ in range(10)])
            await until(lambda: len(logs) > 0, "it is seen that the database is away")
            assert fates(database, ids) == ["queued"] * 10
            await relay.accept()
            assert await decided(database, ids) == ["posted"] * 10
            await until(lambda: logs[-1]["event"] == AGAIN, "it is seen that the database is there")
    assert logs[0]["event"] == "the background waits for the database"
    assert {one["event"] for one in logs[1:-1]} <= {"the background still waits for the database"}
    assert balances(database, [ann, bob]) == ["89.00", "11.00"]


@pytest.mark.usefixtures("_short_pause")
@pytest.mark.parametrize("cut", [Cut.REPLY_LOST, Cut.COMMIT_LOST])
async def test_a_claim_whose_commit_is_lost_is_settled_once(
    store: Store, relayed: Store, relay: Relay, database: Database, cut: Cut
) -> None:
    ann, bob = await accounts(store, "5", "0")
    ids = await enqueued(store, *[transfer(ann, bob, "1") for _ in range(10)])
    relay.cut_next_commit(cut)
    async with working(relayed):
        assert await decided(database, ids) == ["posted"] * 5 + ["insufficient-funds"] * 5
    assert relay.cuts == 1
    assert balances(database, [ann, bob]) == ["0.00", "5.00"]


@pytest.mark.usefixtures("_short_pause")
async def test_an_outage_while_they_are_settled_one_by_one_is_nobodys_fault(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, *_ = await accounts(store, "0")
    ids = await enqueued(store, *[payment(ann, "1") for _ in range(10)])
    troubles = [DatabaseUnavailable("away"), RuntimeError("an accident")]

    async def troubled(batches: Batches, commands: list[Claim]) -> list[Outcome]:
        if not troubles:
            return await settle_again(batches, commands)
        commands[0].claimed = commands[0].claimed or ids
        raise troubles.pop()

    monkeypatch.setattr(background, "settle_again", troubled)
    with capture_logs() as logs:
        async with working(store):
            assert await decided(database, ids) == ["posted"] * 10
    events = [one["event"] for one in logs]
    assert events == ["a claim is settled one by one", "the background waits for the database", AGAIN]
