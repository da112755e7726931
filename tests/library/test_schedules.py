"""What a program schedules and cancels, in a ledger of its own, in its own transaction, and in a rehearsal."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from koshel import Hold, Invalid, Ledger, Misuse, Promise, Refused, Settings, Transaction
from tests.library.conftest import balance
from tests.support.database import Database
from tests.support.waiting import PAUSE_S, TRUE_WITHIN_S

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


def ahead(**length: float) -> datetime:
    return datetime.now(UTC) + timedelta(**length)


async def once(ledger: Ledger, transaction_id: int, status: str) -> Transaction | Promise:
    """The transaction, when it has this status."""
    async with asyncio.timeout(TRUE_WITHIN_S):
        while True:
            found = await ledger.transaction(transaction_id)
            if found is not None and found.status == status:
                return found
            await asyncio.sleep(PAUSE_S)


@pytest.fixture
async def working(database: Database) -> AsyncIterator[Ledger]:
    """The same ledger, with a background."""
    settings = Settings(background_poll_ms=20, schedule_max_s=3_600)
    async with Ledger.open(database.service_url, settings, background=True) as ledger:
        yield ledger


async def scheduled(ledger: Ledger, source: int, target: int, at: datetime | str, **more: Any) -> Promise:
    promise = await ledger.enqueue(
        ledger.requests.transfer(source=source, target=target, amount="5", **more), execute_at=at
    )
    assert isinstance(promise, Promise)
    return promise


async def test_what_is_scheduled_is_queued_until_then(working: Ledger, ledger: Ledger, ann: int, bob: int) -> None:
    at = ahead(seconds=0.5)
    promise = await scheduled(ledger, ann, bob, at, key="rent")
    assert (promise.status, promise.execute_at) == ("queued", at)
    assert await ledger.transaction(promise.id) == promise
    assert await scheduled(ledger, ann, bob, at.isoformat(), key="rent") == promise
    with pytest.raises(Refused, match="execute_at"):
        await scheduled(ledger, ann, bob, ahead(hours=1), key="rent")
    with pytest.raises(Refused, match="execute_at"):
        await ledger.transfer(source=ann, target=bob, amount="5", key="rent")
    assert (await once(ledger, promise.id, "posted")).ctime >= at
    assert await balance(working, bob) == "5.00"


@pytest.mark.parametrize("at", ["soon", datetime(2027, 1, 1), 5, "2027-01-01T00:00:00"])  # noqa: DTZ001  it is refused
async def test_what_is_no_moment_is_a_misuse(ledger: Ledger, ann: int, at: Any) -> None:
    request = ledger.requests.payment(ann, amount="5")
    with pytest.raises(Invalid, match="execute_at"):
        await ledger.enqueue(request, execute_at=at)
    with pytest.raises(Invalid, match="capture_at"):
        await ledger.hold(source=ann, target=None, amount="5", capture_at=at)


async def test_what_is_too_far_ahead_is_refused(working: Ledger, ann: int) -> None:
    request = working.requests.payment(ann, amount="5")
    with pytest.raises(Refused) as refused:
        await working.enqueue(request, execute_at=ahead(hours=1.1))
    assert (refused.value.code, refused.value.facts["field"]) == ("time-out-of-range", "execute_at")
    with pytest.raises(Refused) as refused:
        await working.hold(source=ann, target=None, amount="5", expires_in=60, capture_at=ahead(seconds=70))
    assert (refused.value.code, refused.value.facts["field"]) == ("time-out-of-range", "capture_at")


async def test_what_is_cancelled_stays_so(ledger: Ledger, ann: int, bob: int) -> None:
    promise = await scheduled(ledger, ann, bob, ahead(hours=1), key="rent")
    cancelled = await ledger.cancel(promise.id)
    assert (cancelled.status, cancelled.cancelled_by, cancelled.id) == ("cancelled", None, promise.id)
    assert cancelled.cancelled_at is not None
    assert await ledger.cancel(promise.id) == cancelled == await ledger.transaction(promise.id)
    assert promise.execute_at is not None
    assert await scheduled(ledger, ann, bob, promise.execute_at, key="rent") == promise, "its key says what it said"
    assert await balance(ledger, bob) == "0.00"


@pytest.mark.parametrize("id_", [0, -1, "1", 2**63, None])
async def test_what_is_no_id_is_not_cancelled(ledger: Ledger, id_: Any) -> None:
    with pytest.raises(Misuse, match="transaction_id"):
        await ledger.cancel(id_)


async def test_what_is_decided_or_was_never_there_is_not_cancelled(ledger: Ledger, ann: int) -> None:
    paid = await ledger.pay(ann, amount="1")
    held = await ledger.hold(source=ann, target=None, amount="1")
    for id_, status in ((paid.id, "posted"), (held.id, "held")):
        with pytest.raises(Refused) as refused:
            await ledger.cancel(id_)
        assert refused.value.code == "not-cancellable"
        assert refused.value.facts == {"transaction_id": id_, "status": status}
    with pytest.raises(Refused, match="transaction-not-found"):
        await ledger.cancel(10**9)


async def test_a_rehearsal_cancels_nothing(ledger: Ledger, ann: int, bob: int) -> None:
    promise = await scheduled(ledger, ann, bob, ahead(hours=1))
    assert (await ledger.rehearsal().cancel(promise.id)).status == "cancelled"
    assert await ledger.transaction(promise.id) == promise
    told = await scheduled(ledger.rehearsal(), ann, bob, ahead(hours=1))
    assert (told.id, told.status) == (0, "queued")


async def test_what_is_cancelled_in_the_callers_transaction_is_so_if_that_commits(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    promise = await scheduled(ledger, ann, bob, ahead(hours=1))
    transaction = connection.transaction()
    await transaction.start()
    assert (await ledger.within(connection).cancel(promise.id)).status == "cancelled"
    await transaction.rollback()
    assert await ledger.transaction(promise.id) == promise
    async with connection.transaction():
        await ledger.within(connection).cancel(promise.id)
        with pytest.raises(Refused):
            await ledger.within(connection).cancel(10**9)
        await connection.execute("INSERT INTO orders VALUES ('no rent')")
    cancelled = await ledger.transaction(promise.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"


async def test_a_hold_is_captured_by_itself(working: Ledger, ledger: Ledger, ann: int, bob: int) -> None:
    at = ahead(seconds=0.3)
    hold = await ledger.hold(source=ann, target=bob, amount="30", expires_in=60, capture_at=at)
    assert hold.capture_at == at
    found = await once(ledger, hold.id, "captured")
    assert isinstance(found, Hold)
    assert (found.capture_at, await balance(working, bob)) == (at, "30.00")
