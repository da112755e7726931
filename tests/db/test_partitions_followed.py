"""What follows a transaction is found whichever of the two has the higher id, and in whichever partition it is."""

import pytest

from koshel.db.reads import find_transaction
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import LEDGER, execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.wallets import capture, enqueue, hold, payment, postings, refund, transfer


@pytest.mark.parametrize("last_id", [3, 2_500_000], ids=["in one partition", "in two"])
async def test_what_was_queued_before_what_it_follows_is_counted(
    store: Store, database: Database, last_id: int
) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    await settle(store, [payment(ann, "100")])
    await settle(store, [enqueue(refund(last_id + 1, "10")), enqueue(capture(last_id + 2, "4"))])
    assert query(database, "SELECT id FROM queued ORDER BY id") == [(2,), (3,)]
    execute(database.owner_url, f"SELECT setval('transaction_id', {last_id})")
    moved, held = postings(await settle(store, [transfer(ann, bob, "10"), hold(ann, bob, "4")]))
    assert (moved.id, held.id) == (last_id + 1, last_id + 2)
    await settle(store, [ClaimQueued(LEDGER, 10)])
    assert query(database, "SELECT id, kind FROM transaction WHERE parent_id IS NOT NULL ORDER BY id") == [
        (2, "refund"),
        (3, "capture"),
    ]
    found = [
        await store.look_up(LEDGER, lambda connection, q, id_=one.id: find_transaction(connection, q, LEDGER, id_))  # type: ignore[misc]
        for one in (moved, held)
    ]
    assert [(one.status, str(one.refunded)) for one in found if one is not None] == [
        ("posted", "10.00"),
        ("captured", "None"),
    ]
    again = await settle(store, [refund(moved.id, "1")]) + await settle(store, [capture(held.id, "1")])
    assert [one is None for one in refusals(again)] == [False, False]
    assert verify(database.owner_url) == []
