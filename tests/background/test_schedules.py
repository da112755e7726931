"""What is scheduled is decided when it is due, once, and if it is late in order; what is cancelled never is."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from koshel.background import Background
from koshel.core.commands import ChangeAccount, Status
from koshel.core.decide import decide
from koshel.core.model import Grouped
from koshel.db import cancelling
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.queued import accounts, balances, decided, enqueued, fates, working
from tests.support.settled import query
from tests.support.waiting import until
from tests.support.wallets import capture, hold, payment, refund, transfer, withdrawal

ROUNDS = 40
ROUNDS_MAX = 400
STEP_S = 0.002
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("books")


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Store]:
    """Another worker's store."""
    async with open_store(StoreConfig(database.service_url)) as other:
        yield other


def now() -> datetime:
    return datetime.now(UTC)


async def cancel(
    store: Store, id_: int, request_id: str | None = None, *, ledger_id: int = 1
) -> FoundTransaction | None:
    work = partial(cancelling.cancel, ledger_id=ledger_id, transaction_id=id_, request_id=request_id)
    return await store.transact([ledger_id], work)


async def test_it_waits_for_its_time_and_is_posted_then(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    at = now() + timedelta(seconds=0.6)
    [soon] = await enqueued(store, transfer(ann, bob, "5"), at=at)
    [late] = await enqueued(store, transfer(ann, bob, "7"), at=now() + HOUR)
    async with working(store):
        [first] = await enqueued(store, transfer(ann, bob, "1"))
        assert await decided(database, [first]) == ["posted"]
        assert fates(database, [soon, late]) == ["queued", "queued"]
        assert await decided(database, [soon]) == ["posted"]
    assert fates(database, [late]) == ["queued"]
    [(ctime,)] = query(database, f"SELECT ctime FROM transaction WHERE id = {soon}")
    assert ctime >= at
    assert balances(database, [ann, bob]) == ["94.00", "6.00"]


async def test_what_was_past_when_it_was_asked_for_is_due_at_once_and_overtakes_nobody(
    store: Store, database: Database
) -> None:
    ann, bob = await accounts(store, "5", "0")
    [first] = await enqueued(store, transfer(ann, bob, "5"))
    [past] = await enqueued(store, transfer(ann, bob, "5"), at=now() - 9_000 * HOUR)
    async with working(store):
        assert await decided(database, [first, past]) == ["posted", "insufficient-funds"]


async def test_what_is_late_is_decided_in_the_order_of_its_times_and_then_of_its_ids(
    store: Store, database: Database
) -> None:
    (ann,) = await accounts(store, "100")
    begun = now()
    times = [begun + timedelta(milliseconds=100 * place) for place in (4, 2, 3, 2, 1, 4)]
    ids = [(await enqueued(store, payment(ann, "1"), at=time))[0] for time in times]
    await asyncio.sleep(0.5)
    async with working(store):
        await decided(database, ids)
    in_order = query(database, f"SELECT id FROM transaction WHERE id >= {ids[0]} ORDER BY target_version")
    assert [id_ for (id_,) in in_order] == [id_ for _, id_ in sorted(zip(times, ids, strict=True))]


async def test_what_follows_a_scheduled_transaction_waits_for_it(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    [held_later] = await enqueued(store, hold(ann, bob, "10"), at=now() + timedelta(seconds=0.5))
    [taken] = await enqueued(store, capture(held_later, "4"))
    [paid] = await enqueued(store, payment(bob, "3"), at=now() + timedelta(seconds=0.5))
    [returned] = await enqueued(store, refund(paid), at=now() + timedelta(seconds=0.1))
    async with working(store):
        assert await decided(database, [held_later, taken, paid, returned]) == ["posted"] * 4
    assert balances(database, [ann, bob]) == ["96.00", "4.00"]


async def test_a_schedule_for_an_account_that_is_closed_meanwhile_is_declined(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "5", "0")
    ids = await enqueued(store, transfer(ann, bob, "5"), at=now() + timedelta(seconds=0.3))
    await settle(store, [ChangeAccount(1, bob, status=Status.CLOSED)])
    async with working(store):
        assert await decided(database, ids) == ["account-closed"]


async def test_what_is_not_due_is_not_claimed_and_does_not_count_as_waiting(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    await enqueued(store, *[transfer(ann, bob, "1")] * 3, at=now() + HOUR)
    (nothing,) = await settle(store, [ClaimQueued(1, 100)])
    assert isinstance(nothing, Grouped)
    assert (nothing.outcomes, await store.due()) == ([], [])
    one, all_ = await store.measure_queue(1), await store.measure_background()
    assert (one.depth, one.retrying, one.oldest_age_s, one.scheduled) == (0, 0, 0, 3)
    assert (all_.depth, all_.retrying, all_.oldest_age_s, all_.scheduled) == (0, 0, 0, 3)
    assert (await store.measure_queue(2)).scheduled == 0
    execute(
        database.owner_url,
        "UPDATE queued SET due = now() - interval '1 minute', execute_at = now() - interval '1 minute',"
        " ctime = now() - interval '1 day' WHERE id = (SELECT min(id) FROM queued)",
        "UPDATE queued SET attempts = 1, error = 'deadlock' WHERE id = (SELECT max(id) FROM queued)",
    )
    one, all_ = await store.measure_queue(1), await store.measure_background()
    assert (one.depth, one.retrying, one.scheduled) == (all_.depth, all_.retrying, all_.scheduled) == (2, 1, 1)
    assert 60 <= one.oldest_age_s <= all_.oldest_age_s < 3_600, "since it was due"
    execute(database.owner_url, "DELETE FROM queued")


async def test_what_is_cancelled_is_never_decided(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    [later] = await enqueued(store, transfer(ann, bob, "5", key="rent"), at=now() + timedelta(seconds=0.2))
    [at_once] = await enqueued(store, transfer(ann, bob, "7"))
    first = [await cancel(store, id_, f"request-{id_}") for id_ in (later, at_once)]
    again = [await cancel(store, id_, "another") for id_ in (later, at_once)]
    assert first == again
    assert [one.status for one in first if one] == ["cancelled", "cancelled"]
    assert [one.cancelled_by for one in first if one] == [f"request-{later}", f"request-{at_once}"]
    async with working(store):
        await asyncio.sleep(0.4)
    assert fates(database, [later, at_once]) == ["cancelled", "cancelled"]
    assert balances(database, [ann, bob]) == ["100.00", "0.00"]


async def test_what_is_decided_or_of_another_ledger_is_not_cancelled(store: Store, database: Database) -> None:
    (ann,) = await accounts(store, "5")
    ids = await enqueued(store, payment(ann, "5"), withdrawal(ann, "999"), hold(ann, None, "1"))
    [later] = await enqueued(store, payment(ann, "5"), at=now() + HOUR)
    assert await cancel(store, later, ledger_id=2) is None
    assert await cancel(store, 10**9) is None
    async with working(store):
        await decided(database, ids)
    found = [await cancel(store, id_) for id_ in (*ids, 1)]
    assert [one.status for one in found if one] == ["posted", "declined", "held", "posted"]
    assert fates(database, [later]) == ["queued"]


async def raced(stores: Iterable[Store], backgrounds: Iterable[Background], id_: int, head_start_s: float) -> str:
    """What becomes of it, cancelled three times at once while it is claimed: so long after that, or before."""

    async def call_off(store: Store) -> FoundTransaction | None:
        await asyncio.sleep(max(0, head_start_s))
        return await cancel(store, id_)

    async def wake() -> None:
        await asyncio.sleep(max(0, -head_start_s))
        for one in backgrounds:
            one.wake()

    _, *answers = await asyncio.gather(wake(), *(call_off(store) for store in stores))
    (status,) = {one.status for one in answers if one}  # all are told the same
    return status


async def test_of_cancelling_and_deciding_at_one_moment_exactly_one_is_done(
    store: Store, other: Store, database: Database
) -> None:
    """The head start is less after what was posted, and more after what was cancelled: so it stays near a draw."""
    ann, bob = await accounts(store, "1000", "0")
    told: dict[int, str] = {}
    head_start_s = 0.0
    async with working(store) as one, working(other) as two:
        while len(told) < ROUNDS or (len({*told.values()}) < 2 and len(told) < ROUNDS_MAX):
            [id_] = await enqueued(store, transfer(ann, bob, "1"))
            told[id_] = await raced((store, other, store), (one, two), id_, head_start_s)
            head_start_s += random.uniform(0, STEP_S) * (1 if told[id_] == "cancelled" else -1)
        await until(lambda: query(database, "SELECT count(*) FROM queued") == [(0,)], "nothing is queued")
    assert fates(database, told) == [*told.values()]
    assert {*told.values()} == {"posted", "cancelled"}, "it was a race"
    posted = sum(status == "posted" for status in told.values())
    assert balances(database, [ann, bob]) == [f"{1000 - posted}.00", f"{posted}.00"]


@pytest.mark.parametrize("commits", [True, False])
async def test_who_cancels_waits_for_whoever_is_deciding(store: Store, database: Database, *, commits: bool) -> None:
    ann, bob = await accounts(store, "100", "0")
    [id_] = await enqueued(store, transfer(ann, bob, "1"))
    with suppress(ZeroDivisionError):
        async with store.batch() as batch:
            resolved = await batch.resolve([ClaimQueued(1, 10)])
            waiting = asyncio.create_task(cancel(store, id_))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await batch.write(decide(await batch.lock(resolved), resolved))
            assert 1 / commits
    found = await waiting
    assert found is not None
    assert found.status == ("posted" if commits else "cancelled")
    assert fates(database, [id_]) == [found.status]
