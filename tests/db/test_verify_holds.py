"""Proof of holds: what is held follows from what was reserved, captured and released, line by line and in sum."""

import pytest

from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute, timeless

# How the books, as `keep_books` leaves them, are put wrong, and what is said of it.
WRONG = {
    "held money that nothing reserves": (
        "UPDATE account SET held = 27.00 WHERE id = 4",
        ["account 4 has 27.00 held, but its open holds reserve 26.00"],
    ),
    "an open hold that reserves too much": (
        "UPDATE hold SET amount = 25.00 WHERE id = 7",
        [
            "account 4 has 26.00 held, but its open holds reserve 31.00",
            "hold 7 reserves 25.00, but 20.00 of it is left",
        ],
    ),
    "a hold that was followed and is not open, though money is held for it": (
        "DELETE FROM hold WHERE id = 7",
        [
            (
                "transaction 11 leaves account 4 with 90.00, 55.00 of it held, at version 6, "
                "but those before it say 90.00, 35.00 of it held, at version 6"
            ),
            "account 4 has 26.00 held, but its open holds reserve 6.00",
        ],
    ),
    "a hold that nothing has ended": (
        "DELETE FROM hold WHERE id = 22",
        [
            "account 4 has 26.00 held, but its open holds reserve 20.00",
            "hold 22 is not open, but nothing has ended it",
        ],
    ),
    "a hold that is open after its end": (
        "INSERT INTO hold SELECT ledger_id, id, 5.00, expires_at FROM transaction WHERE id = 8",
        [
            (
                "transaction 12 leaves account 4 with 75.00, 35.00 of it held, at version 7, "
                "but those before it say 75.00, 40.00 of it held, at version 7"
            ),
            "account 4 has 26.00 held, but its open holds reserve 31.00",
        ],
    ),
    "a hold with other decimals than its money has": (
        "UPDATE hold SET amount = 20 WHERE id = 7",
        ["hold 7 reserves 20, but 20.00 of it is left"],
    ),
    "a row for no hold": (
        "INSERT INTO hold VALUES (1, 99, 5.00, now())",
        ["5.00 is reserved for hold 99, which does not exist"],
    ),
    "a row for what is no hold": (
        "INSERT INTO hold VALUES (1, 6, 5.00, now())",
        ["5.00 is reserved for hold 6, which does not exist"],
    ),
    "a hold that has got another time": (
        (
            "UPDATE transaction SET expires_at = '2031-01-01 12:00Z' WHERE id = 22;"
            "UPDATE hold SET expires_at = '2032-01-01 12:00Z' WHERE id = 22"
        ),
        ["hold 22 is open until 2032-01-01 12:00:00Z, but was placed until 2031-01-01 12:00:00Z"],
    ),
    "a hold's amount that was changed": (
        "UPDATE transaction SET amount = 7.00 WHERE id = 22",
        [
            (
                "transaction 22 leaves account 4 with 70.00, 26.00 of it held, at version 15, "
                "but those before it say 70.00, 27.00 of it held, at version 15"
            ),
            "hold 22 reserves 6.00, but 7.00 of it is left",
        ],
    ),
    "a hold that moved money": (
        "UPDATE transaction SET source_balance = 64.00 WHERE id = 22",
        ["transaction 22 leaves account 4 with 64.00 at version 15, but those before it say 70.00 at version 15"],
    ),
    "held money that was changed in the middle": (
        "UPDATE transaction SET source_held = 61.00 WHERE id = 9",
        [
            (
                "transaction 9 leaves account 4 with 100.00, 61.00 of it held, at version 4, "
                "but those before it say 100.00, 60.00 of it held, at version 4"
            ),
            (
                "transaction 10 leaves account 4 with 100.00, 65.00 of it held, at version 5, "
                "but those before it say 100.00, 66.00 of it held, at version 5"
            ),
        ],
    ),
    "held money that was forgotten on the other side": (
        "UPDATE transaction SET target_held = NULL WHERE id = 19",
        [
            (
                "transaction 19 leaves account 4 with 70.00, 0 of it held, at version 14, "
                "but those before it say 70.00, 20.00 of it held, at version 14"
            ),
            (
                "transaction 22 leaves account 4 with 70.00, 26.00 of it held, at version 15, "
                "but those before it say 70.00, 6.00 of it held, at version 15"
            ),
        ],
    ),
    "more captured than was held": (
        "UPDATE transaction SET amount = 21.00 WHERE id = 12",
        [
            "account 4 has balance 70.00 at version 15, but its transactions say 64.00 at version 15",
            "account 5 has balance 21.00 at version 6, but its transactions say 27.00 at version 6",
            "transaction 12 leaves account 4 with 75.00 at version 7, but those before it say 69.00 at version 7",
            "transaction 12 leaves account 5 with 25.00 at version 2, but those before it say 31.00 at version 2",
            "capture 12 of hold 8 is of 21.00, but 20.00 was left",
        ],
    ),
    "less voided than was left": (
        "UPDATE transaction SET amount = 9.00 WHERE id = 13",
        ["void 13 of hold 9 is of 9.00, but 10.00 was left"],
    ),
    "more expired than was left": (
        "UPDATE transaction SET amount = 6.00 WHERE id = 14",
        ["expiry 14 of hold 10 is of 6.00, but 5.00 was left"],
    ),
    "a hold that was ended twice": (
        "UPDATE transaction SET parent_id = 10 WHERE id = 13",
        [
            (
                "transaction 14 leaves account 4 with 75.00, 20.00 of it held, at version 9, "
                "but those before it say 75.00, 30.00 of it held, at version 9"
            ),
            "hold 9 is not open, but nothing has ended it",
            "void 13 of hold 10 is of 10.00, but 5.00 was left",
            "expiry 14 of hold 10 is of 5.00, but -5.00 was left",
            "void 13 goes from account 4 to the outside, but follows hold 10 from account 4 to account 5",
        ],
    ),
    "an expiry before its time": (
        (
            "UPDATE transaction SET expires_at = '2100-01-01 12:00Z' WHERE id = 10;"
            "UPDATE transaction SET ctime = '2099-12-31 23:59:59.5Z' WHERE id = 14"
        ),
        [
            "transaction 14 is of 2099-12-31 23:59:59.5Z, which is still to come",
            (
                "transaction 15 is of then, but is version 10 of account 4, "
                "and the version before is of 2099-12-31 23:59:59.5Z"
            ),
            "expiry 14 of hold 10 is of 2099-12-31 23:59:59.5Z, but the hold's time is up at 2100-01-01 12:00:00Z",
        ],
    ),
    "a capture after the hold's time": (
        (
            "UPDATE transaction SET expires_at = '2020-01-01 12:00Z' WHERE id = 8;"
            "UPDATE transaction SET ctime = '2020-01-01 12:00Z' WHERE id = 12"
        ),
        [
            "transaction 12 is of 2020-01-01 12:00:00Z, but its accounts are of then",
            (
                "transaction 12 is of 2020-01-01 12:00:00Z, but is version 7 of account 4, "
                "and the version before is of then"
            ),
            (
                "transaction 12 is of 2020-01-01 12:00:00Z, but is version 2 of account 5, "
                "and the version before is of then"
            ),
            "hold 8 was placed until 2020-01-01 12:00:00Z, which was before it was placed",
            "capture 12 of hold 8 is of 2020-01-01 12:00:00Z, but the hold's time is up at 2020-01-01 12:00:00Z",
            "transaction 11 and the others of its batch have 2 times",
        ],
    ),
    "a closed account that has money": (
        "UPDATE account SET status = 'closed' WHERE id = 4",
        [
            "account 4 is closed, but was never changed",
            "account 4 is closed, but has balance 70.00, 26.00 of it held",
            "change 0 of account 4 is the last, and has left another account than there is",
        ],
    ),
    "money held for an account that does not exist": (
        "UPDATE transaction SET target_account_id = 99 WHERE id IN (7, 11)",
        [
            "account 5 has balance 21.00 at version 6, but its transactions say 11.00 at version 5",
            "transaction 12 leaves account 5 with 25.00 at version 2, but those before it say 15.00 at version 1",
            "transaction 7 names account 99, which does not exist",
            "transaction 11 names account 99, which does not exist",
            "the receipt of key 'held' keeps a request with another target_account_id than transaction 7 has",
        ],
    ),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_with_holds_is_named_and_nothing_else(books: str, fault: str) -> None:
    statements, said = WRONG[fault]
    execute(books, *statements.split(";"))
    assert timeless(verify(books)) == [f"ledger 1: {sentence}" for sentence in said]
