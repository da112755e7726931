"""Holds that are captured by themselves: in full, once, if they are still open; and what happens otherwise."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from koshel.core.commands import ChangeAccount, Status
from koshel.core.model import Grouped, Posted
from koshel.db.settling.claims import ClaimHolds
from koshel.db.settling.writing import CAPTURE_AGAIN_S
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.queued import accounts, balances, held, working
from tests.support.settled import query
from tests.support.waiting import until
from tests.support.wallets import capture, void

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("books")


def now() -> datetime:
    return datetime.now(UTC)


def is_open(database: Database, hold_id: int) -> bool:
    return bool(query(database, f"SELECT FROM hold WHERE id = {hold_id}"))


async def test_a_hold_is_captured_by_itself_in_full_if_it_is_still_open(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    at = now() + timedelta(seconds=0.5)
    whole, partly, by_hand, voided = await held(store, ann, bob, seconds=60, number=4, capture_at=at)
    [later] = await held(store, ann, bob, seconds=7_200, capture_at=now() + HOUR)
    await settle(store, [capture(partly, "0.25", final=False), capture(by_hand), void(voided)])
    with capture_logs() as logs:
        async with working(store):
            await until(lambda: not is_open(database, whole) and not is_open(database, partly), "they are captured")
            await asyncio.sleep(0.1)
    assert logs == []
    followed = query(
        database,
        "SELECT parent_id, kind, amount::text FROM transaction WHERE parent_id IS NOT NULL ORDER BY parent_id, id",
    )
    assert followed == [
        (whole, "capture", "1.00"),
        (partly, "capture", "0.25"),
        (partly, "capture", "0.75"),
        (by_hand, "capture", "1.00"),
        (voided, "void", "1.00"),
    ]
    [(ctime,)] = query(database, f"SELECT ctime FROM transaction WHERE parent_id = {whole}")
    assert ctime >= at
    assert is_open(database, later)
    assert query(database, f"SELECT held::text FROM account WHERE id = {ann}") == [("1.00",)]


async def test_a_capture_by_itself_that_is_refused_is_tried_again_until_the_hold_ends(
    store: Store, database: Database
) -> None:
    ann, bob = await accounts(store, "100", "0")
    [one] = await held(store, ann, bob, seconds=600, capture_at=now() - HOUR)
    await settle(store, [ChangeAccount(1, bob, status=Status.FROZEN)])
    async with working(store):
        await until(lambda: _captured_in(database, one) > 0, "it is put off")
        assert CAPTURE_AGAIN_S / 2 < _captured_in(database, one) <= CAPTURE_AGAIN_S
        await settle(store, [ChangeAccount(1, bob, status=Status.OPEN)])
        assert is_open(database, one)
        execute(database.owner_url, f"UPDATE hold SET capture_at = now() WHERE id = {one}")
        await until(lambda: not is_open(database, one), "it is captured")
    assert balances(database, [ann, bob]) == ["99.00", "1.00"]


def _captured_in(database: Database, hold_id: int) -> float:
    [(seconds,)] = query(
        database, f"SELECT extract(epoch FROM capture_at - clock_timestamp())::float8 FROM hold WHERE id = {hold_id}"
    )
    return float(seconds)


async def test_a_hold_whose_time_is_up_is_released_though_it_was_to_be_captured(
    store: Store, database: Database
) -> None:
    ann, bob = await accounts(store, "100", "0")
    [one] = await held(store, ann, bob, seconds=1, capture_at=now() + timedelta(seconds=0.5))
    await asyncio.sleep(1.1)
    async with working(store):
        await until(lambda: not is_open(database, one), "it is released")
    assert query(database, f"SELECT kind FROM transaction WHERE parent_id = {one}") == [("expiry",)]


async def test_two_workers_capture_each_hold_once(store: Store, database: Database) -> None:
    ann, bob = await accounts(store, "100", "0")
    ids = await held(store, ann, bob, seconds=600, number=60, capture_at=now() + timedelta(seconds=0.2))
    async with open_store(StoreConfig(database.service_url)) as other, working(store), working(other):
        await until(lambda: query(database, "SELECT count(*) FROM hold") == [(0,)], "all are captured")
    captured = query(database, "SELECT parent_id FROM transaction WHERE kind = 'capture' ORDER BY parent_id")
    assert [id_ for (id_,) in captured] == ids
    assert balances(database, [ann, bob]) == ["40.00", "60.00"]


async def test_a_claim_of_holds_takes_no_more_than_it_was_told_and_captures_first(
    store: Store, database: Database
) -> None:
    ann, bob = await accounts(store, "100", "0")
    over = await held(store, ann, bob, seconds=0, number=2)
    taken = await held(store, ann, bob, seconds=600, number=2, capture_at=now() - HOUR)
    ends = []
    for _ in range(3):
        (outcome,) = await settle(store, [ClaimHolds(1, 3)])
        assert isinstance(outcome, Grouped)
        ends.append([(one.kind, one.parent_id) for one in outcome.outcomes if isinstance(one, Posted)])
    first = [("capture", id_) for id_ in taken] + [("expiry", over[0])]
    assert ends == [first, [("expiry", over[1])], []]
    assert query(database, "SELECT count(*) FROM hold") == [(0,)]
