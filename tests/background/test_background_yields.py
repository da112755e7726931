"""Whoever waits for an answer goes first: what a backlog does to sync requests is little, and bounded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import psycopg
import pytest

from koshel import background
from koshel.background import BUSY_BATCH_MAX, BUSY_REST, REST_MAX_S, BackgroundLimits
from koshel.core.commands import Command
from koshel.core.model import Declined, Outcome, Posted, Queued, Replayed
from koshel.db.pools import TimeLimits
from koshel.db.settling.batches import Batches
from koshel.db.settling.claims import Claim
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.queued import accounts, decided, enqueued, fates, held, working
from tests.support.settled import query
from tests.support.wallets import enqueue, payment, refund, transfer, void

pytestmark = pytest.mark.usefixtures("books")


POLL_S = 3_600


class Watch:
    """What the background claims, and how long it rests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, takes_s: float = 0) -> None:
        self.claims: list[int] = []
        self.rests: list[float] = []
        self._pause: Callable[..., Awaitable[None]] = background._pause
        self._takes_s = takes_s
        monkeypatch.setattr(background, "settle_again", self._settle)
        monkeypatch.setattr(background, "_pause", self._rest)

    async def _settle(self, batches: Batches, commands: Sequence[Claim]) -> list[Outcome]:
        self.claims += [command.count for command in commands]
        await asyncio.sleep(self._takes_s)
        return await settle_again(batches, commands)

    async def _rest(self, seconds: float, *until: asyncio.Event) -> None:
        if seconds != POLL_S:
            self.rests.append(seconds)
        await self._pause(min(seconds, 0.02), *until)


async def test_while_callers_wait_claims_are_small_and_most_of_the_time_is_theirs(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ann] = await accounts(store, "0")
    ids = await enqueued(store, *[payment(ann, "1") for _ in range(2 * BUSY_BATCH_MAX)])
    watch = Watch(monkeypatch, takes_s=0.02)
    async with working(store, BackgroundLimits(batch_max=1_000, poll_s=POLL_S), is_busy=lambda: True):
        await decided(database, ids)
    assert set(watch.claims) == {BUSY_BATCH_MAX}
    rests = watch.rests[: len(watch.claims)]
    assert min(rests) >= 0.02 * BUSY_REST
    assert max(rests) <= REST_MAX_S


async def test_while_nobody_waits_claims_are_large_and_nobody_rests(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ann] = await accounts(store, "0")
    ids = await enqueued(store, *[payment(ann, "1") for _ in range(100)])
    watch = Watch(monkeypatch)
    async with working(store, BackgroundLimits(batch_max=40, poll_s=POLL_S)):
        await decided(database, ids)
    assert watch.claims == [40, 40, 40]
    assert not watch.rests


async def test_it_rests_no_longer_for_having_waited_for_a_lock(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ann] = await accounts(store, "0")
    watch = Watch(monkeypatch, takes_s=1.2 * REST_MAX_S / BUSY_REST)
    ids = await enqueued(store, payment(ann, "1"))
    async with working(store, BackgroundLimits(poll_s=POLL_S), is_busy=lambda: True):
        await decided(database, ids)
    assert watch.rests[0] == REST_MAX_S


async def test_told_to_stop_it_does_not_rest_first(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "REST_MAX_S", 3_600)
    monkeypatch.setattr(background, "BUSY_REST", 1_000_000)
    [ann] = await accounts(store, "0")
    async with asyncio.timeout(30):
        async with working(store, is_busy=lambda: True):
            await decided(database, await enqueued(store, payment(ann, "1")))


@pytest.fixture
async def impatient(database: Database) -> AsyncIterator[Store]:
    """A store that waits for no lock worth mentioning."""
    async with open_store(StoreConfig(database.service_url, limits=TimeLimits(lock_timeout_ms=1))) as store:
        yield store


async def test_no_request_waits_for_what_is_queued_and_claimed(impatient: Store, database: Database) -> None:
    ann, bob, cyd = await accounts(impatient, "100", "0", "0")
    [reserved] = await held(impatient, ann, bob, seconds=60)
    [paid] = await settle(impatient, [payment(ann, "10")])
    assert isinstance(paid, Posted)
    later = transfer(ann, cyd, "1", key="later")
    ids = await enqueued(impatient, *[transfer(ann, bob, "1") for _ in range(10)], later)
    requests: list[Command] = [
        transfer(ann, bob, "1"),
        transfer(ann, bob, "1", key="now"),
        void(reserved),
        refund(paid.id),
        enqueue(transfer(ann, bob, "1")),
        later,
        enqueue(later),
        refund(ids[0]),
    ]
    kinds: list[Any] = [Posted, Posted, Posted, Posted, Queued, Replayed, Replayed, Declined]
    with psycopg.connect(database.owner_url) as other:
        claimed = other.execute("SELECT id FROM queued FOR UPDATE").fetchall()
        assert sorted(id_ for (id_,) in claimed) == sorted(ids)
        assert [type(one) for one in await settle(impatient, requests)] == kinds
        found = await impatient.get_transaction(1, ids[0])
        assert found is not None
        assert found.status == "queued"
        assert (await impatient.measure_queue(1)).depth == len(ids) + 1


async def test_what_is_being_settled_elsewhere_is_left_to_whoever_is_at_it(
    impatient: Store, database: Database
) -> None:
    ann, bob = await accounts(impatient, "100", "0")
    ids = await enqueued(impatient, *[transfer(ann, bob, "1") for _ in range(10)])
    with psycopg.connect(database.owner_url) as other:
        other.execute("SELECT FROM queued WHERE id = ANY(%s) FOR UPDATE", [ids[:5]])
        async with working(impatient):
            assert await decided(database, ids[5:]) == ["posted"] * 5
            assert fates(database, ids[:5]) == ["queued"] * 5
        assert query(database, "SELECT max(attempts) FROM queued") == [(0,)]
