"""Books over several partitions are as those in one, and `verify` proves what no index over all of them can."""

import pytest

from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.retry import settle_again
from tests.support.bookkeeping import execute, keep_books
from tests.support.database import Database
from tests.support.partitioned import BOUNDS, statements
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.wallets import hold, payment, postings, refund, transfer, void

MILLION = 1_000_000
SMALL = [0, 10, 14, 18, MILLION]


@pytest.fixture
async def spread(store: Store, database: Database) -> Database:
    """Books over small partitions."""
    execute(database.owner_url, *statements(SMALL))
    await keep_books(store)
    assert [
        count for (count,) in query(database, "SELECT count(*) FROM transaction GROUP BY tableoid ORDER BY tableoid")
    ] == [
        9,
        4,
        4,
        3,
    ]
    return database


async def test_books_over_several_partitions_are_right(spread: Database, store: Store) -> None:
    assert verify(spread.owner_url) == []
    first, held = postings(await settle_again(store, [payment(4, "5"), hold(4, None, "2")]))
    outcomes = await settle_again(store, [refund(6, "1"), refund(first.id), void(held.id), refund(12, "21")])
    assert refusals(outcomes) == [None, None, None, "refund-exceeds-original"]
    assert verify(spread.owner_url) == []


def test_verify_finds_a_version_that_is_in_two_partitions(spread: Database) -> None:
    execute(
        spread.owner_url,
        """INSERT INTO transaction (
            ledger_id, id, kind, target_account_id, amount, target_balance, target_version, metadata, ctime
        )
        SELECT ledger_id, 99, kind, target_account_id, amount, target_balance, target_version, metadata, ctime
        FROM transaction WHERE id = 1""",
    )
    found = "\n".join(verify(spread.owner_url))
    assert "account 1 has balance 62.95 at version 3, but its transactions say 162.95 at version 4" in found
    assert "99" in found


def test_verify_says_what_is_missing_when_a_partition_is_detached(spread: Database) -> None:
    execute(spread.owner_url, "ALTER TABLE transaction DETACH PARTITION transaction_p900000")
    found = "\n".join(verify(spread.owner_url))
    assert "account 1 has balance 62.95 at version 3, but its transactions say " in found
    execute(
        spread.owner_url, "ALTER TABLE transaction ATTACH PARTITION transaction_p900000 FOR VALUES FROM (0) TO (10)"
    )
    assert verify(spread.owner_url) == []


async def test_transfers_go_on_from_one_partition_to_the_next(spread: Database, store: Store) -> None:
    execute(spread.owner_url, f"SELECT setval('transaction_id', {MILLION - 3})")
    ann, bob = await open_accounts(store, opening(), opening())
    await settle_again(store, [payment(ann, "9"), *(transfer(ann, bob, "1") for _ in range(6))])
    assert query(spread, BOUNDS)[0][0] == "transaction_p000001"
    assert query(spread, "SELECT count(*) FROM transaction_p000001")[0][0] >= 5
    assert verify(spread.owner_url) == []
