"""Proof of the books: right ones are found right, and each way of putting them wrong is named, and nothing else."""

import psycopg
import pytest

from koshel.db.verifying import checks as verify_checks
from koshel.db.verifying import verify as verifying
from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute, timeless
from tests.support.waiting import wait_until

# How the books, as `keep_books` leaves them, are put wrong, and what is said of it.
WRONG = {
    "a balance that no transaction explains": (
        "UPDATE account SET balance = 62.96 WHERE id = 1",
        [
            "USD: the balances add up to 87.51, but 100.00 came in and 12.50 went out",
            "account 1 has balance 62.96 at version 3, but its transactions say 62.95 at version 3",
        ],
    ),
    "money moved from one account to another without a transaction": (
        "UPDATE account SET balance = balance + CASE id WHEN 1 THEN 5 ELSE -5 END WHERE id IN (1, 2)",
        [
            "account 1 has balance 67.95 at version 3, but its transactions say 62.95 at version 3",
            "account 2 has balance 19.55 at version 3, but its transactions say 24.55 at version 3",
        ],
    ),
    "money out of nothing": (
        """INSERT INTO account SELECT ledger_id, 9, email, 'EUR', scale, 1000.00, 0.00, 0, min_balance, max_balance,
           status, metadata, NULL, ctime FROM account WHERE id = 1""",
        [
            "EUR: the balances add up to 1000.00, but 0 came in and 0 went out",
            "account 9 has balance 1000.00 at version 0, but its transactions say 0 at version 0",
            "account 9 has an id that was never given",
            "account 9 has no change, not even its opening",
        ],
    ),
    "an account that counts a transaction too many": (
        "UPDATE account SET version = 4 WHERE id = 1",
        ["account 1 has balance 62.95 at version 4, but its transactions say 62.95 at version 3"],
    ),
    "an account that changed its currency": (
        "UPDATE account SET currency = 'EUR' WHERE id = 2",
        [
            "EUR: the balances add up to 24.55, but 0 came in and 12.50 went out",
            "USD: the balances add up to 62.95, but 100.00 came in and 0 went out",
            "transaction 2 goes from account 1, in USD, to account 2, in EUR",
            "transaction 5 goes from account 1, in USD, to account 2, in EUR",
        ],
    ),
    "an amount that was changed": (
        "UPDATE transaction SET amount = 31 WHERE id = 2",
        [
            "account 1 has balance 62.95 at version 3, but its transactions say 61.95 at version 3",
            "account 2 has balance 24.55 at version 3, but its transactions say 25.55 at version 3",
            "transaction 2 leaves account 1 with 70.00 at version 2, but those before it say 69.00 at version 2",
            "transaction 2 leaves account 2 with 30.00 at version 1, but those before it say 31 at version 1",
            "transaction 2 has money with other than the 2 decimals of its accounts",
        ],
    ),
    "a running balance that was changed in the middle": (
        "UPDATE transaction SET source_balance = 70.01 WHERE id = 2",
        [
            "transaction 2 leaves account 1 with 70.01 at version 2, but those before it say 70.00 at version 2",
            "transaction 5 leaves account 1 with 62.95 at version 3, but those before it say 62.96 at version 3",
        ],
    ),
    "a running balance that was changed at the end": (
        "UPDATE transaction SET target_balance = 24.56 WHERE id = 5",
        ["transaction 5 leaves account 2 with 24.56 at version 3, but those before it say 24.55 at version 3"],
    ),
    "a name that none may have": (
        "UPDATE account SET name = 'a b' WHERE id = 2",
        ["account 2 has a name that none may have: 'a b'"],
    ),
    "a name of two accounts": (
        "UPDATE account SET name = 'a' WHERE id IN (2, 3)",
        ["account 3 has the name of account 2, 'a'"],
    ),
    "a name that was not asked for": (
        "UPDATE account SET name = 'a' WHERE id = 1",
        ["the receipt of key 'opened' tells of another name than account 1 has, or had then"],
    ),
    "a gap between versions": (
        "UPDATE transaction SET source_version = 4 WHERE id = 5",
        ["transaction 5 leaves account 1 with 62.95 at version 4, but those before it say 62.95 at version 3"],
    ),
    "one version for two transactions, as source and as target": (
        "UPDATE transaction SET target_version = 2 WHERE id = 5",
        ["transaction 5 leaves account 2 with 24.55 at version 2, but those before it say 24.55 at version 3"],
    ),
    "a transaction that was deleted": (
        "DELETE FROM transaction WHERE id = 3",
        [
            "JPY: the balances add up to 500, but 0 came in and 0 went out",
            "account 3 has balance 500 at version 1, but its transactions say 0 at version 0",
            "a batch names transaction 3, which does not exist",
        ],
    ),
    "an account that was deleted": (
        "DELETE FROM account WHERE id = 3",
        [
            "transaction 3 names account 3, which does not exist",
            "change 0 of account 3 is of an account that does not exist",
        ],
    ),
    "a transfer from an account that does not exist": (
        "UPDATE transaction SET source_account_id = 99 WHERE id = 5",
        [
            "account 1 has balance 62.95 at version 3, but its transactions say 70.00 at version 2",
            "transaction 5 leaves account 99 with 62.95 at version 3, but those before it say -7.05 at version 1",
            "transaction 5 names account 99, which does not exist",
        ],
    ),
    "a receipt that was deleted": (
        "DELETE FROM receipt WHERE idempotency_key = 'paid'",
        ["transaction 1 has key 'paid', but there is no receipt for it"],
    ),
    "a receipt that answers something else": (
        "UPDATE receipt SET transaction_id = NULL, answer = '{}' WHERE idempotency_key = 'paid'",
        [
            "transaction 1 has key 'paid', but there is no receipt for it",
            "the receipt of key 'paid' keeps an answer that cannot be read",
        ],
    ),
    "a receipt of another transaction": (
        "UPDATE receipt SET transaction_id = 2 WHERE idempotency_key = 'paid'",
        [
            "transaction 1 has key 'paid', but there is no receipt for it",
            "the receipt of key 'paid' names transaction 2, which does not have that key",
        ],
    ),
    "a transaction that lost its key": (
        "UPDATE transaction SET idempotency_key = NULL WHERE id = 1",
        ["the receipt of key 'paid' names transaction 1, which does not have that key"],
    ),
    "a transaction in no batch": (
        "UPDATE batch SET transaction_ids = '{1,2}' WHERE transaction_ids = '{1,2,3}'",
        ["transaction 3 is in no batch"],
    ),
    "a transaction in two batches": (
        "INSERT INTO batch VALUES (1, gen_random_uuid(), '{4}', 2)",
        ["transaction 4 is in 2 batches"],
    ),
    "a batch of a transaction that does not exist": (
        "INSERT INTO batch VALUES (1, gen_random_uuid(), '{77}', 2)",
        ["a batch names transaction 77, which does not exist"],
    ),
}


def test_books_that_are_right_are_found_right(books: str) -> None:
    assert verify(books) == []


def test_a_fence_is_no_fault(books: str) -> None:
    execute(books, "INSERT INTO batch VALUES (1, gen_random_uuid(), NULL, 2)")
    assert verify(books) == []


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_named_and_nothing_else(books: str, fault: str) -> None:
    statement, said = WRONG[fault]
    execute(books, statement)
    assert timeless(verify(books)) == [f"ledger 1: {sentence}" for sentence in said]


def test_an_account_in_the_wrong_ledger_is_missed_where_it_was(books: str) -> None:
    execute(books, "UPDATE account SET ledger_id = 2 WHERE id = 3")
    assert verify(books) == [
        "ledger 2: it does not exist, but has 1 rows in the table account",
        "ledger 2: JPY: the balances add up to 500, but 0 came in and 0 went out",
        "ledger 2: account 3 has balance 500 at version 1, but its transactions say 0 at version 0",
        "ledger 1: transaction 3 names account 3, which does not exist",
        "ledger 1: change 0 of account 3 is of an account that does not exist",
        "ledger 2: account 3 has no change, not even its opening",
    ]


def test_books_are_proved_from_one_snapshot(books: str) -> None:
    with psycopg.connect(books) as busy:
        busy.execute("DELETE FROM transaction")
        assert verify(books) == []  # not committed: not in the snapshot, and nothing waits for it
        busy.rollback()


def test_both_connections_see_the_books_as_they_were_at_the_start(books: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exported = verifying.exported

    def then_change(connection: verifying.Connection) -> str:
        snapshot = exported(connection)
        execute(books, "UPDATE account SET balance = balance + 1", "DELETE FROM receipt")
        return snapshot

    monkeypatch.setattr(verifying, "exported", then_change)
    assert verify(books) == []
    monkeypatch.undo()
    assert verify(books) != []


def test_of_a_kind_no_more_than_so_many_are_said(books: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_checks, "FINDINGS_MAX", 2)
    execute(books, "DELETE FROM batch")
    assert verify(books) == [
        "ledger 1: transaction 1 is in no batch",
        "ledger 1: transaction 2 is in no batch",
        "... and more of this kind",
    ]


def test_what_is_broken_off_leaves_no_connection_behind(books: str) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with psycopg.connect(books, autocommit=True) as connection:
        connection.execute("ALTER TABLE receipt RENAME TO receipts")
        connection.execute("CREATE VIEW receipt AS SELECT receipts.* FROM receipts, pg_sleep(60)")
        try:
            with pytest.raises(KeyboardInterrupt):
                verifying.prove(books, progress=stop)
        finally:
            connection.execute("DROP VIEW receipt")
            connection.execute("ALTER TABLE receipts RENAME TO receipt")
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        wait_until(lambda: connection.execute(others).fetchone() == (0,), "nobody else")


def test_progress_is_told_from_nothing_to_all(books: str) -> None:
    told: list[float] = []
    verifying.prove(books, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
