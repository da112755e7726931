"""Capturing and voiding a whole split, as a program asks for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from koshel import Hold, Invalid, Ledger, Misuse, Promise, Promised, Refused, SplitResult, Target
from tests.library.conftest import balance
from tests.library.test_schedules import once, working
from tests.support.database import Database

__all__ = ["working"]

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


async def held(ledger: Ledger, ann: int, bob: int, **more: Any) -> tuple[int, list[int]]:
    """The id of a split of 10.00, and those of its two holds."""
    made = await ledger.split(
        amount=10, source=ann, targets=[Target(bob, share="1/3"), Target(bob, remaining=True)], hold=True, **more
    )
    assert made.group_id is not None
    return made.group_id, [one.id for one in made.transactions if isinstance(one, Hold)]


def amounts(result: SplitResult | Any) -> list[tuple[str, int | None]]:
    assert isinstance(result, SplitResult)
    return [(str(one.amount), one.parent_id) for one in result.transactions if one is not None]


async def test_all_holds_are_captured_or_voided_together(ledger: Ledger, ann: int, bob: int) -> None:
    split_id, holds = await held(ledger, ann, bob)
    captured = await ledger.capture_split(split_id, key="parcel", reference="order 7")
    assert amounts(captured) == [("3.33", holds[0]), ("6.67", holds[1])]
    assert captured.group_id not in {None, split_id}
    assert {one.reference for one in captured.transactions if one} == {"order 7"}
    assert await ledger.capture_split(split_id, key="parcel", reference="order 7") == captured
    with pytest.raises(Refused, match="split_id"):
        await ledger.capture_split((await held(ledger, ann, bob))[0], key="parcel", reference="order 7")
    split_id, _ = await held(ledger, ann, bob)
    voided = await ledger.void_split(split_id)
    assert {one.kind for one in voided.transactions if one} == {"void"}
    assert await balance(ledger, bob) == "10.00"


async def test_if_one_hold_has_ended_none_ends(ledger: Ledger, ann: int, bob: int) -> None:
    split_id, (_, second) = await held(ledger, ann, bob)
    await ledger.void(second)
    for ending in (ledger.capture_split, ledger.void_split):
        with pytest.raises(Refused) as refused:
            await ending(split_id)
        assert (refused.value.code, refused.value.facts) == ("batch-refused", {"index": 1})
        assert refused.value.cause is not None
        assert refused.value.cause.code == "hold-not-open"


async def test_it_is_queued_scheduled_and_cancelled(working: Ledger, ledger: Ledger, ann: int, bob: int) -> None:
    split_id, holds = await held(ledger, ann, bob)
    ahead = datetime.now(UTC) + timedelta(minutes=30)
    voided = await ledger.enqueue(ledger.requests.void_split(split_id), execute_at=ahead)
    assert isinstance(voided, Promise)
    assert (voided.kind, voided.parent_id, voided.amount, voided.execute_at) == ("void", holds[0], None, ahead)
    assert (await ledger.cancel(voided.id)).status == "cancelled"
    promise = await working.enqueue(working.requests.capture_split(split_id, key="k"))
    assert isinstance(promise, Promise)
    done = await once(ledger, promise.id, "posted")
    assert (str(done.amount), done.idempotency_key) == ("3.33", "k")
    assert await balance(ledger, bob) == "10.00"
    with pytest.raises(Promised):
        await ledger.capture_split(split_id, key="k")
    at_once, _ = await held(ledger, ann, bob)
    made = await ledger.capture_split(at_once, key="now")
    assert await ledger.enqueue(ledger.requests.capture_split(at_once, key="now")) == made


async def test_a_split_that_is_not_there_is_refused_before_anything_is_sent(
    ledger: Ledger, database: Database, ann: int, bob: int
) -> None:
    split_id, _ = await held(ledger, ann, bob)
    assert await Ledger.create(database.owner_url, "shop")
    async with Ledger.open(database.service_url, ledger="shop") as shop:
        for one, id_ in ((ledger, split_id + 1), (shop, split_id)):
            for asking in (
                one.capture_split(id_),
                one.void_split(id_, key="k"),
                one.enqueue(one.requests.capture_split(id_)),
            ):
                with pytest.raises(Refused) as refused:
                    await asking
                assert (refused.value.code, refused.value.facts) == ("split-not-found", {"split_id": id_})
        with pytest.raises(Invalid, match="another ledger"):
            await shop.enqueue(ledger.requests.capture_split(split_id))
    assert amounts(await ledger.void_split(split_id, key="k"))


async def test_it_is_rehearsed_and_done_in_the_callers_transaction(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    split_id, _ = await held(ledger, ann, bob)
    told = await ledger.rehearsal().capture_split(split_id)
    assert (told.group_id, [one and one.id for one in told.transactions]) == (None, [0, 0])
    transaction = connection.transaction()
    await transaction.start()
    inner = ledger.within(connection)
    fresh, _ = await held(inner, ann, bob)
    assert len((await inner.capture_split(fresh)).transactions) == 2
    await transaction.rollback()
    assert await ledger.split_transactions(fresh) is None
    assert await balance(ledger, bob) == "0.00"


async def test_a_batch_takes_captures_and_voids_of_holds_and_not_of_a_split(ledger: Ledger, ann: int, bob: int) -> None:
    split_id, _ = await held(ledger, ann, bob)
    request: Any = ledger.requests.void_split(split_id)
    with pytest.raises(Invalid, match="captures and voids of holds") as wrong:
        await ledger.batch([request])
    assert wrong.value.field == "transactions/0"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"group_id": 0}, "group_id"),
        ({"group_id": "7"}, "group_id"),
        ({"group_id": 1, "key": ""}, "key"),
        ({"group_id": 1, "metadata": {"a": 1}}, "metadata/a"),
        ({"group_id": 1, "effective_on": "soon"}, "effective_on"),
    ],
)
async def test_what_can_never_be_right_is_invalid(
    ledger: Ledger, ann: int, bob: int, given: dict[str, Any], field: str
) -> None:
    split_id, _ = await held(ledger, ann, bob)
    given = given | ({"group_id": split_id} if given["group_id"] == 1 else {})
    for asking in (ledger.capture_split, ledger.void_split):
        with pytest.raises(Misuse) as wrong:
            await asking(**given)
        assert isinstance(wrong.value, Invalid)
        assert wrong.value.field == field


async def test_many_at_once_end_each_split_once(ledger: Ledger, ann: int, bob: int) -> None:
    split_id, _ = await held(ledger, ann, bob)
    asked = [ledger.capture_split(split_id) if n % 2 else ledger.void_split(split_id) for n in range(8)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert len([one for one in ended if isinstance(one, SplitResult)]) == 1
    assert {one.code for one in ended if isinstance(one, Refused)} == {"batch-refused"}
