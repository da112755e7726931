"""Proof of what follows what: captures, voids, expiries and refunds belong to what they name, and not to more."""

import pytest

from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute, timeless

# How the books, as `keep_books` leaves them, are put wrong, and what is said of it.
WRONG = {
    "a refund of nothing": (
        "UPDATE transaction SET parent_id = 99 WHERE id = 15",
        ["refund 15 follows transaction 99, which does not exist"],
    ),
    "a refund of a hold": (
        "UPDATE transaction SET parent_id = 8 WHERE id = 15",
        ["refund 15 follows transaction 8, which is a hold"],
    ),
    "a refund of a void": (
        "UPDATE transaction SET parent_id = 13 WHERE id = 15",
        ["refund 15 follows transaction 13, which is a void"],
    ),
    "a refund of a refund": (
        "UPDATE transaction SET parent_id = 16 WHERE id = 15",
        ["refund 15 follows transaction 16, which is a refund"],
    ),
    "a refund that goes the same way": (
        "UPDATE transaction SET parent_id = 19 WHERE id = 15",
        [
            "refund 15 goes from account 5 to account 4, but follows transfer 19 from account 5 to account 4",
            "the refunds of transaction 19 add up to 4.00, but it is of 3.00",
        ],
    ),
    "a refund that goes elsewhere": (
        "UPDATE transaction SET parent_id = 17 WHERE id = 16",
        [
            "refund 16 goes from account 4 to the outside, but follows transfer 17 from account 4 to account 5",
            "the refunds of transaction 17 add up to 9.00, but it is of 1.00",
        ],
    ),
    "refunds of more than there was": (
        "UPDATE transaction SET parent_id = 18 WHERE id = 15",
        [
            "refund 15 follows transfer 18, which came after it",
            "the refunds of transaction 18 add up to 4.00, but it is of 2.00",
        ],
    ),
    "refunds of more than there was, in sum": (
        """INSERT INTO transaction SELECT ledger_id, 23, kind, source_account_id, target_account_id, 12.00,
           9.00, 82.00, 7, 16, 12, NULL, NULL, metadata, ctime, NULL, 26.00 FROM transaction WHERE id = 15;
           UPDATE account SET balance = 82.00, version = 16 WHERE id = 4;
           UPDATE account SET balance = 9.00, version = 7 WHERE id = 5;
           INSERT INTO batch VALUES (1, gen_random_uuid(), '{23}', 2)""",
        [
            "transaction 23 has an id that was never given",
            "transaction 23 is of then, but is version 16 of account 4, and the version before is of then",
            "transaction 23 is of then, but is version 7 of account 5, and the version before is of then",
            "the refunds of transaction 12 add up to 16.00, but it is of 15.00",
        ],
    ),
    "a capture of nothing": (
        "UPDATE transaction SET parent_id = 99 WHERE id = 12",
        [
            (
                "transaction 12 leaves account 4 with 75.00, 35.00 of it held, at version 7, "
                "but those before it say 75.00, 40.00 of it held, at version 7"
            ),
            "hold 8 is not open, but nothing has ended it",
            "capture 12 follows transaction 99, which does not exist",
        ],
    ),
    "a capture of a transfer": (
        "UPDATE transaction SET parent_id = 17 WHERE id = 11",
        [
            "hold 7 reserves 20.00, but 30.00 of it is left",
            "capture 11 follows transaction 17, which is a transfer",
        ],
    ),
    "a void of a capture": (
        "UPDATE transaction SET parent_id = 12 WHERE id = 13",
        [
            "hold 9 is not open, but nothing has ended it",
            "void 13 follows transaction 12, which is a capture",
        ],
    ),
    "a capture that goes elsewhere": (
        "UPDATE transaction SET target_account_id = NULL WHERE id = 8",
        ["capture 12 goes from account 4 to account 5, but follows hold 8 from account 4 to the outside"],
    ),
    "an expiry of money meant for somebody else": (
        "UPDATE transaction SET target_account_id = 1 WHERE id = 10",
        [
            "transaction 10 goes from account 4, in CHF, to account 1, in USD",
            "expiry 14 goes from account 4 to account 5, but follows hold 10 from account 4 to account 1",
        ],
    ),
    "an expiry with another reference": (
        "UPDATE transaction SET reference = 'order 7' WHERE id = 14",
        ["expiry 14 has another reference than hold 10, which it follows"],
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_follows_wrongly_is_named_and_nothing_else(books: str, fault: str) -> None:
    statements, said = WRONG[fault]
    execute(books, *statements.split(";"))
    assert timeless(verify(books)) == [f"ledger 1: {sentence}" for sentence in said]
