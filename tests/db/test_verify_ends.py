"""Proof of splits that were captured or voided: what was asked names the split's transactions, and is done whole."""

from functools import partial

import pytest

from koshel.core.model import Grouped, Queued
from koshel.db import cancelling
from koshel.db.settling.claims import ClaimQueued
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening
from tests.support.split_legs import end, split, to
from tests.support.wallets import enqueue, payment, postings, void

NOW, LATER, DECLINED, WAITING, CANCELLED, REFUSED = "now", "later", "declined", "waiting", "cancelled", "refused"
OTHERS = "names other transactions than the split has"

# How the books are put wrong; which sentence says so, after the split's id.
WRONG: dict[str, tuple[str, str]] = {
    "the answer of a key names another split": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{ending,split_id}', '99') WHERE idempotency_key = 'now'",
        f"a capture of split 99 {OTHERS}",
    ),
    "the answer of a key names fewer holds": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{ending,holds}', '[4]') WHERE idempotency_key = 'now'",
        "the receipt of key 'now' keeps the end of a split that is not a transaction for each hold",
    ),
    "the answer of a key says another kind": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{ending,kind}', '\"void\"') WHERE idempotency_key = 'now'",
        "the receipt of key 'now' keeps the end of a split with another kind than transaction",
    ),
    "the answer of a key says other labels": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{ending,reference}', '\"x\"') WHERE idempotency_key = 'now'",
        "the receipt of key 'now' keeps the end of a split with another reference than transaction",
    ),
    "the answer of a key is that of another": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{ending,key}', '\"x\"') WHERE idempotency_key = 'now'",
        "the receipt of key 'now' keeps the end of a split of another key",
    ),
    "the answer of a key does not say what was asked": (
        "UPDATE receipt SET answer = answer #- '{ending}' WHERE idempotency_key = 'now'",
        "the receipt of key 'now' tells of another kind than transaction",
    ),
    "a transaction of it is in no group": (
        "UPDATE transaction SET group_id = NULL WHERE parent_id = 5",
        "the receipt of key 'now' tells of transaction",
    ),
    "a transaction of what was queued is in no group": (
        "UPDATE transaction SET group_id = NULL WHERE parent_id = 7",
        "a void of split 2 was to be 2 transactions in one group, but is 1",
    ),
    "the first transaction of what was queued is in no group": (
        "UPDATE transaction SET group_id = NULL WHERE parent_id = 6",
        "a void of split 2 was to be 2 transactions in one group, but is 0",
    ),
    "a transaction of what was queued is in the group of another": (
        (
            "UPDATE transaction AS t SET group_id = o.group_id FROM transaction AS o "
            "WHERE (t.parent_id, o.parent_id) IN ((7, 5), (5, 7))"
        ),
        "a void of split 2 is in one group with transactions that are none of it",
    ),
    "a transaction of what was queued is of another kind": (
        "UPDATE transaction SET kind = 'expiry' WHERE parent_id = 7",
        "a void of split 2 is in one group with transactions that are none of it",
    ),
    "what was queued and is done names other holds": (
        (
            "UPDATE receipt SET answer = jsonb_set(answer, '{command,command,holds}', '[6, 8]') "
            "WHERE idempotency_key = 'later'"
        ),
        f"a void of split 2 {OTHERS}",
    ),
    "what was queued and is done says another kind": (
        (
            "UPDATE receipt SET answer = jsonb_set(answer, '{command,command,kind}', '\"capture\"') "
            "WHERE idempotency_key = 'later'"
        ),
        "the receipt of key 'later' promises another kind than transaction",
    ),
    "what was declined names other holds": (
        "UPDATE declined SET promise = jsonb_set(promise, '{command,command,holds}', '[8]')",
        f"a capture of split 3 {OTHERS}",
    ),
    "what was declined was refused for other holds": (
        "UPDATE declined SET answer = jsonb_set(answer, '{command,holds}', '[8]')",
        "was refused for another request",
    ),
    "what is queued names other holds": (
        "UPDATE queued SET promise = jsonb_set(promise, '{command,command,holds,1}', '9')",
        f"a capture of split 4 {OTHERS}",
    ),
    "what was cancelled names other holds": (
        "UPDATE cancelled SET promise = jsonb_set(promise, '{command,command,holds,1}', '9')",
        f"a void of split 4 {OTHERS}",
    ),
    "what was refused names other holds": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{command,holds,0}', '9') WHERE idempotency_key = 'refused'",
        f"a void of split 3 {OTHERS}",
    ),
    "what was refused was refused for another hold": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{facts,index}', '0') WHERE idempotency_key = 'refused'",
        "the receipt of key 'refused' tells of a refusal that another request caused",
    ),
}


@pytest.fixture
async def ended(store: Store, database: Database) -> Database:
    """Splits 1 to 4 of two holds each, 4 to 11: captured, voided later, refused later and now, and not ended yet."""
    await open_accounts(store, *(opening() for _ in range(3)))
    await settle(store, [payment(1, "500"), payment(2, "1"), payment(3, "1")])
    made = await settle(store, [split("10", source=1, targets=[to(2, "1/3"), to(3)], is_hold=True) for _ in range(4)])
    assert [one.group_id for one in made if isinstance(one, Grouped)] == [1, 2, 3, 4]
    assert [one.id for one in postings(made)] == [*range(4, 12)]
    await settle(store, [end("capture", 4, 5, split_id=1, key=NOW)])
    await settle(store, [enqueue(end("void", 6, 7, split_id=2, key=LATER))])
    await settle(store, [void(9), enqueue(end("capture", 8, 9, split_id=3, key=DECLINED))])
    await settle(store, [ClaimQueued(1, 10), end("void", 8, 9, split_id=3, key=REFUSED)])
    queued = await settle(
        store,
        [
            enqueue(end("capture", 10, 11, split_id=4, key=WAITING)),
            enqueue(end("void", 10, 11, split_id=4, key=CANCELLED)),
        ],
    )
    *_, last = queued
    assert isinstance(last, Queued)
    await store.transact([1], partial(cancelling.cancel, ledger_id=1, transaction_id=last.id, request_id=None))
    assert verify(database.owner_url) == []
    return database


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_with_the_end_of_a_split_is_said(ended: Database, change: str, said: str) -> None:
    execute(ended.owner_url, change)
    found = verify(ended.owner_url)
    assert [sentence for sentence in found if said in sentence], found
