"""What is read of transactions: how a hold stands, and what became of a queued transaction."""

import pytest

from koshel.core.commands import ChangeAccount, Kind, Status
from koshel.core.model import Posted, Queued, Refusal
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.settling.claims import ClaimHolds, ClaimQueued
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.bookkeeping import keep_books
from tests.support.settled import open_accounts, opening
from tests.support.wallets import capture, enqueue, expire, hold, payment, transfer, void

pytestmark = pytest.mark.usefixtures("proved")


async def found(store: Store, transaction_id: int) -> FoundTransaction:
    one = await store.get_transaction(1, transaction_id)
    assert one is not None
    return one


async def place(store: Store, *seconds: int) -> list[int]:
    """Holds of 10 that last so long; their ids."""
    ann, bob = await open_accounts(store, opening(), opening())
    await settle(store, [payment(ann, "100")])
    placed = await settle(store, [hold(ann, bob, "10", seconds=lasts) for lasts in seconds])
    return [one.id for one in placed if isinstance(one, Posted)]


async def test_a_hold_is_held_until_its_last_capture(store: Store) -> None:
    (one,) = await place(store, 60)
    seen = []
    for amount, final in ((None, None), ("4", False), ("3", False), ("2", True)):
        if final is not None:
            await settle(store, [capture(one, amount, final=final)])
        seen.append((await found(store, one)).status)
    assert seen == ["held", "held", "held", "captured"]


async def test_a_hold_of_which_all_is_captured_is_captured_though_that_was_not_meant_to_be_the_last(
    store: Store,
) -> None:
    (one,) = await place(store, 60)
    await settle(store, [capture(one, "4", final=False), capture(one, "6", final=False)])
    assert (await found(store, one)).status == "captured"


async def test_a_hold_is_voided_or_expired_by_what_ends_it_even_after_a_capture(store: Store) -> None:
    voided, captured_first, expired, open_still = await place(store, 60, 60, 0, 60)
    await settle(store, [void(voided), capture(captured_first, "1", final=False), void(captured_first)])
    await settle(store, [ClaimHolds(1, 10)])
    held = [(await found(store, one)).status for one in (voided, captured_first, expired, open_still)]
    assert held == ["voided", "voided", "expired", "held"]


async def test_a_hold_whose_time_is_up_is_held_until_that_is_booked(store: Store) -> None:
    (one,) = await place(store, 0)
    assert (await found(store, one)).status == "held"
    await settle(store, [expire(one)])
    assert (await found(store, one)).status == "expired"


async def test_whatever_follows_a_hold_is_posted(store: Store) -> None:
    await keep_books(store)
    status = {n: (await found(store, n)).status for n in range(1, 23)}
    holds = {7: "held", 8: "captured", 9: "voided", 10: "expired", 22: "held"}
    enqueued = {20: "declined", 21: "queued"}
    assert status == dict.fromkeys(range(1, 23), "posted") | holds | enqueued


async def test_what_is_enqueued_is_queued_and_then_what_has_become_of_it(store: Store) -> None:
    await keep_books(store)
    queued = await found(store, 21)
    assert isinstance(queued.transaction, Queued)
    assert (queued.transaction.id, queued.transaction.kind, queued.refusal) == (21, Kind.TRANSFER, None)
    await settle(store, [ClaimQueued(1, 10)])
    posted = await found(store, 21)
    assert isinstance(posted.transaction, Posted)
    assert (posted.status, posted.transaction.id, posted.transaction.amount) == (
        "posted",
        21,
        queued.transaction.amount,
    )


async def test_a_queued_transaction_that_is_declined_says_what_was_asked_and_why_it_is_not_posted(store: Store) -> None:
    await keep_books(store)
    await settle(store, [ClaimQueued(1, 10)])
    declined = await found(store, 20)
    assert isinstance(declined.transaction, Queued)
    assert declined.transaction.amount is not None
    assert str(declined.transaction.amount) == "1000.00"
    assert declined.refusal is not None
    assert declined.refusal.refusal is Refusal.INSUFFICIENT_FUNDS
    assert dict(declined.refusal.facts) == {
        "account_id": 5,
        "currency": "CHF",
        "available": "21.00",
        "required": "1000.00",
    }


async def test_a_queued_hold_is_held_once_it_is_posted(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    (_, queued) = await settle(store, [payment(ann, "10"), enqueue(hold(ann, bob, "4", key="later"))])
    assert isinstance(queued, Queued)
    assert (await found(store, queued.id)).status == "queued"
    await settle(store, [ClaimQueued(1, 10)])
    assert (await found(store, queued.id)).status == "held"
    await settle(store, [capture(queued.id)])
    assert (await found(store, queued.id)).status == "captured"


async def test_a_queued_transaction_for_an_account_that_was_closed_meanwhile_is_declined(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    _, queued = await settle(store, [payment(ann, "10"), enqueue(transfer(ann, bob, "4"))])
    await settle(store, [ChangeAccount(1, bob, status=Status.CLOSED), ClaimQueued(1, 10)])
    assert isinstance(queued, Queued)
    declined = await found(store, queued.id)
    assert declined.refusal is not None
    assert (declined.status, declined.refusal.refusal) == ("declined", Refusal.ACCOUNT_CLOSED)


async def test_an_account_reads_what_it_holds_and_how_it_was_changed(store: Store) -> None:
    await keep_books(store)
    held, closed = await store.get_account(1, 4), await store.get_account(1, 6)
    assert held is not None
    assert (str(held.balance), str(held.held), held.version, held.revision) == ("70.00", "26.00", 15, 0)
    assert closed is not None
    assert (closed.status, closed.version, closed.revision) == ("closed", 0, 1)
