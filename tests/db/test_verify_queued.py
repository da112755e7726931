"""Proof of what was enqueued: posted, queued or declined; and groups are whole."""

import pytest

from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute, timeless

# How the books, as `keep_books` leaves them, are put wrong, and what is said of it.
WRONG = {
    "a transaction that is queued although it is posted": (
        "INSERT INTO queued (ledger_id, id, promise, due, ctime) VALUES (1, 19, '{}', now(), now())",
        [
            "transaction 19 is queued, but posted too",
            "the promise of transaction 19 is not what key 'later' has answered",
            "the promise of transaction 19 cannot be read",
        ],
    ),
    "a transaction that is declined although it is posted": (
        "INSERT INTO declined VALUES (1, 19, '{}', '{}', now())",
        [
            "transaction 19 is declined, but posted too",
            "the promise of transaction 19 is not what key 'later' has answered",
            "the promise of transaction 19 cannot be read",
        ],
    ),
    "a transaction that is queued although it was declined": (
        """INSERT INTO queued (ledger_id, id, promise, due, ctime)
           SELECT ledger_id, id, promise, now(), ctime FROM declined""",
        [
            "transaction 20 is declined, but queued too",
            "the promise of transaction 20 has a time that cannot be",
        ],
    ),
    "a queued transaction that was lost": (
        "DELETE FROM queued",
        ["the receipt of key 'waiting' promises transaction 21, which is not posted, queued, declined or cancelled"],
    ),
    "a declined transaction that was forgotten": (
        "DELETE FROM declined",
        ["the receipt of key 'never' promises transaction 20, which is not posted, queued, declined or cancelled"],
    ),
    "what was enqueued is another transaction": (
        "UPDATE receipt SET transaction_id = 22 WHERE idempotency_key = 'later'",
        [
            "transaction 19 has key 'later', but there is no receipt for it",
            "the receipt of key 'later' names transaction 22, which does not have that key",
            "the receipt of key 'later' promises transaction 19, but names 22",
        ],
    ),
    "a transaction that was enqueued and lost its key": (
        "UPDATE transaction SET idempotency_key = NULL WHERE id = 19",
        [
            "the receipt of key 'later' names transaction 19, which does not have that key",
            "the receipt of key 'later' promises another idempotency_key than transaction 19 has",
        ],
    ),
    "a queued transaction whose key was forgotten": (
        "DELETE FROM receipt WHERE idempotency_key = 'waiting'",
        ["transaction 21 has key 'waiting', but there is no receipt for it"],
    ),
    "a declined transaction whose key was forgotten": (
        "DELETE FROM receipt WHERE idempotency_key = 'never'",
        ["transaction 20 has key 'never', but there is no receipt for it"],
    ),
    "a hold whose key was forgotten": (
        "DELETE FROM receipt WHERE idempotency_key = 'held'",
        ["transaction 7 has key 'held', but there is no receipt for it"],
    ),
    "a group in two batches": (
        (
            "UPDATE batch SET transaction_ids = '{17}' WHERE transaction_ids = '{17,18}';"
            "INSERT INTO batch VALUES (1, gen_random_uuid(), '{18}', 2)"
        ),
        ["the transactions of group 1 are in 2 batches"],
    ),
    "a group at two times": (
        "UPDATE transaction SET ctime = ctime + interval '1 microsecond' WHERE id = 18",
        [
            "transaction 17 and the others of its batch have 2 times",
            "the transactions of group 1 have 2 times",
        ],
    ),
    "a group with a stranger": (
        "UPDATE transaction SET group_id = 1 WHERE id = 16",
        ["the transactions of group 1 are in 2 batches"],
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_fault_of_what_was_enqueued_is_named_and_nothing_else(books: str, fault: str) -> None:
    statements, said = WRONG[fault]
    execute(books, *statements.split(";"))
    assert timeless(verify(books)) == [f"ledger 1: {sentence}" for sentence in said]
