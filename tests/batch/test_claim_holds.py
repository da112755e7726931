"""Holds whose time is up: released once, by one sweeper at a time, and nobody who captures waits for it in a circle."""

import asyncio
from datetime import timedelta

import pytest

from koshel.core.decide import decide
from koshel.core.model import Grouped, Outcome, Posted, Refusal
from koshel.db.settling.claims import ClaimHolds
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals, waits
from tests.support.wallets import capture, expire, hold, payment, void

pytestmark = pytest.mark.usefixtures("books")


async def place(store: Store, *seconds: int, ledger_id: int = 1) -> list[int]:
    """Holds of 1 that last so long, of a new account for a new one; their ids."""
    ann, bob = await open_accounts(store, opening(ledger_id=ledger_id), opening(ledger_id=ledger_id))
    await settle(store, [payment(ann, str(len(seconds)), ledger_id=ledger_id)])
    placed = await settle(store, [hold(ann, bob, "1", seconds=lasts, ledger_id=ledger_id) for lasts in seconds])
    return [one.id for one in placed if isinstance(one, Posted)]


async def sweep(store: Store, count: int = 100, *, ledger_id: int = 1) -> list[Outcome]:
    (outcome,) = await settle(store, [ClaimHolds(ledger_id, count)])
    assert isinstance(outcome, Grouped)
    return [*outcome.outcomes]


def expired(outcomes: list[Outcome]) -> list[int | None]:
    return [one.parent_id for one in outcomes if isinstance(one, Posted)]


async def test_holds_whose_time_is_up_are_released_and_no_others(store: Store, database: Database) -> None:
    over, lasting, over_too = await place(store, 0, 60, 0)
    assert expired(await sweep(store)) == [over, over_too]
    assert query(database, "SELECT id FROM hold") == [(lasting,)]
    assert query(database, "SELECT held::text FROM account WHERE held > 0") == [("1.00",)]
    assert await sweep(store) == []


async def test_a_sweep_takes_no_more_than_it_was_told_and_the_longest_expired_first(
    store: Store, database: Database
) -> None:
    ids = await place(store, 60, 60, 60, 60)
    for place_, one in enumerate(reversed(ids)):
        execute(
            database.owner_url,
            f"UPDATE transaction SET expires_at = ctime + interval '{place_} microseconds' WHERE id = {one}",
            f"UPDATE hold SET expires_at = t.expires_at FROM transaction AS t WHERE t.id = hold.id AND hold.id = {one}",
        )
    assert expired(await sweep(store, 3)) == ids[:0:-1]
    assert expired(await sweep(store, 3)) == ids[:1]


async def test_another_ledgers_holds_are_left_alone(store: Store) -> None:
    (one,) = await place(store, 0)
    (other,) = await place(store, 0, ledger_id=2)
    assert expired(await sweep(store, ledger_id=2)) == [other]
    assert expired(await sweep(store)) == [one]


async def test_of_two_sweepers_of_a_ledger_at_once_one_has_its_turn(store: Store) -> None:
    ids = await place(store, 0, 0)
    async with store.batch() as first:
        commands = await first.resolve([ClaimHolds(1, 10)])
        assert await sweep(store) == []  # and does not wait
        await first.write(decide(await first.lock(commands), commands))
    assert await sweep(store) == []
    read = [await store.get_transaction(1, one) for one in ids]
    assert [one.status for one in read if one is not None] == ["expired", "expired"]


async def test_a_sweeper_of_one_ledger_keeps_nobody_from_another(store: Store) -> None:
    (one,) = await place(store, 0)
    (other,) = await place(store, 0, ledger_id=2)
    async with store.batch() as first:
        await first.resolve([ClaimHolds(1, 10)])
        assert expired(await sweep(store, ledger_id=2)) == [other]
    assert expired(await sweep(store)) == [one]


async def test_many_sweepers_at_once_release_each_hold_once(store: Store, database: Database) -> None:
    ids = await place(store, *[0] * 100)
    done: list[int | None] = []

    async def work() -> None:
        while await asyncio.to_thread(query, database, "SELECT FROM hold LIMIT 1"):
            done.extend(expired(await sweep(store, 7)))

    await asyncio.gather(*(work() for _ in range(6)))
    assert sorted(done, key=str) == sorted(ids, key=str)
    assert query(database, "SELECT count(*) FROM transaction WHERE kind = 'expiry'") == [(100,)]


async def test_what_was_released_between_claim_and_lock_is_not_released_again(store: Store) -> None:
    (one,) = await place(store, 0)
    async with store.batch() as slow:
        commands = await slow.resolve([ClaimHolds(1, 10)])
        assert expired(await settle(store, [expire(one)])) == [one]
        (outcome,) = outcomes = decide(await slow.lock(commands), commands)
        await slow.write(outcomes)
    assert isinstance(outcome, Grouped)
    assert refusals([*outcome.outcomes]) == [Refusal.HOLD_EXPIRED]


async def test_what_was_voided_in_the_last_moment_is_not_released_again(store: Store, database: Database) -> None:
    (one,) = await place(store, 60)
    async with store.batch() as just_in_time:
        commands = await just_in_time.resolve([void(one)])
        outcomes = decide(await just_in_time.lock(commands), commands)
        execute(
            database.owner_url,
            "UPDATE hold SET expires_at = clock_timestamp()",
            "UPDATE transaction SET expires_at = (SELECT expires_at FROM hold) WHERE kind = 'hold'",
        )
        await just_in_time.write(outcomes)
        sweeping = asyncio.create_task(sweep(store))  # it sees a hold whose time is up, and waits for the account
        await waits(database)
    assert refusals(outcomes) == [None]
    assert refusals(await sweeping) == [Refusal.HOLD_NOT_OPEN]


async def test_captures_and_sweepers_at_the_moment_of_expiry_have_one_winner_and_no_deadlock(
    store: Store, database: Database
) -> None:
    ids = await place(store, *[60] * 60)
    moment = "now() + interval '0.3 seconds'"
    execute(
        database.owner_url,
        f"UPDATE hold SET expires_at = {moment}",
        f"UPDATE transaction SET expires_at = {moment} WHERE kind = 'hold'",
    )
    captured: list[Outcome] = []

    async def customers() -> None:
        for one in ids:
            captured.extend(await settle(store, [capture(one)]))

    async def sweepers() -> None:
        for _ in range(30):
            await sweep(store, 5)
            await asyncio.sleep(0.01)

    await asyncio.gather(customers(), sweepers(), sweepers())
    while await sweep(store, 5):
        pass
    assert set(refusals(captured)) <= {None, Refusal.HOLD_EXPIRED}
    ends = query(database, "SELECT kind, count(*) FROM transaction WHERE parent_id > 0 GROUP BY kind")
    assert dict(ends).get("capture", 0) == refusals(captured).count(None)
    assert sum(count for _, count in ends) == 60


async def test_a_hold_ends_with_its_time_though_nobody_has_swept(store: Store) -> None:
    ids = await place(store, 0, 0)
    outcomes = await settle(store, [capture(ids[0]), void(ids[1]), expire(ids[0]), capture(ids[0])])
    assert refusals(outcomes) == [Refusal.HOLD_EXPIRED, Refusal.HOLD_EXPIRED, None, Refusal.HOLD_EXPIRED]
    (lasting,) = await place(store, 60)
    assert refusals(await settle(store, [expire(lasting), capture(lasting)])) == [Refusal.HOLD_NOT_OPEN, None]


async def test_a_hold_lasts_as_long_as_was_asked_by_the_databases_clock(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    _, asked, usual = await settle(store, [payment(ann, "10"), hold(ann, bob, "1", seconds=90), hold(ann, bob, "1")])
    assert isinstance(asked, Posted)
    assert isinstance(usual, Posted)
    assert asked.expires_at == asked.ctime + timedelta(seconds=90)
    assert usual.expires_at == usual.ctime + timedelta(days=1)
    assert len(await settle(store, [capture(asked.id), capture(usual.id)])) == 2
