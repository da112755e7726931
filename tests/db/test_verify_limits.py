"""Proof of limits by time: what is counted follows from the transactions, and nothing has moved past a limit."""

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from koshel.core.commands import Command, OpenAccount
from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.copies import copying
from tests.support.database import Database
from tests.support.limited import limit, limiting
from tests.support.wallets import hold, payment, transfer, withdrawal

# account 1   100.00 in; then limits; 10.00 out, 5.00 out, 20.00 held, 7.00 in
# account 2   opened with limits; 10.00 in
# account 3   no limits; 5.00 in, 7.00 out
BATCHES: Sequence[Sequence[Command]] = [
    [OpenAccount(1, "a@example.com"), OpenAccount(1, "b@example.com", limits=(limit("30d", None, "10"),))],
    [OpenAccount(1, "c@example.com", min_balance=Decimal(-100))],
    [payment(1, "100"), limiting(1, limit("1d", "35", "107"), limit("1h", "40"))],
    [transfer(1, 2, "10")],
    [transfer(1, 3, "5"), hold(1, 2, "20"), transfer(3, 1, "7")],
]
TABLES = ("account", "transaction", "batch", "turnover")

WRONG = {
    "a bucket that has more": (
        "UPDATE turnover SET windows = jsonb_set(windows, '{0,buckets,0,1}', '\"15.01\"') WHERE account_id = 1",
        "has 15.01 out and 107.00 in counted in part NUMBER of its 1d, but its transactions say 15.00 and 107.00",
    ),
    "a bucket that has no number": (
        "UPDATE turnover SET windows = jsonb_set(windows, '{0,buckets,0,2}', '\"\"') WHERE account_id = 1",
        "has 15.00 out and None in counted in part NUMBER of its 1d, but its transactions say 15.00 and 107.00",
    ),
    "a bucket that is missing": (
        "UPDATE turnover SET windows = jsonb_set(windows, '{1,buckets}', '[]') WHERE account_id = 1",
        "has None out and None in counted in part NUMBER of its 1h, but its transactions say 15.00 and 107.00",
    ),
    "a bucket of a time at which nothing moved": (
        (
            "UPDATE turnover SET windows = jsonb_insert(windows, '{0,buckets,0}', '[99999999, \"1.00\", \"0\"]')"
            " WHERE account_id = 2"
        ),
        "has 1.00 out and 0 in counted in part 99999999 of its 30d, but its transactions say 0 and 0",
    ),
    "a window that is counted from a later version on": (
        "UPDATE turnover SET windows = jsonb_set(windows, '{0,since}', '2') WHERE account_id = 1",
        "has 15.00 out and 107.00 in counted in part NUMBER of its 1d, but its transactions say 5.00 and 7.00",
    ),
    "limits that nothing is counted for": (
        "DELETE FROM turnover WHERE account_id = 2",
        "account 2 has limits by time, but its turnover is not counted",
    ),
    "what is counted for no limits": (
        "UPDATE account SET limits = NULL WHERE id = 1",
        "the turnover of account 1 is counted, but it has no limits by time",
    ),
    "a limit that nothing is counted for": (
        """UPDATE account SET limits = '[{"per": "7d", "out": "5.00"}]' WHERE id = 2""",
        "the turnover of account 2 is not counted for the limits by time that it has",
    ),
    "a limit of a length that there is not": (
        """UPDATE account SET limits = '[{"per": "2d", "out": "5.00"}]' WHERE id = 2""",
        "the turnover of account 2 is not counted for the limits by time that it has",
    ),
    "limits that are none": (
        "UPDATE account SET limits = '{}' WHERE id = 2",
        "the turnover of account 2 is not counted for the limits by time that it has",
    ),
    "a limit that is no amount": (
        """UPDATE account SET limits = '[{"per": "30d", "in": "lots"}]' WHERE id = 2""",
        "the turnover of account 2 is not counted for the limits by time that it has",
    ),
    "limits that are still to come": (
        "UPDATE turnover SET limits_version = 99 WHERE account_id = 1",
        "the turnover of account 1 is not counted for the limits by time that it has",
    ),
    "more out than may go": (
        """UPDATE account SET limits = jsonb_set(limits, '{0,out}', '"14.99"') WHERE id = 1""",
        "transaction 3 brings what has gone out of account 1 in 1d to 15.00, but it may send 14.99",
    ),
    "more in than may come": (
        """UPDATE account SET limits = jsonb_set(limits, '{0,in}', '"9.99"') WHERE id = 2""",
        "transaction 2 brings what has gone into account 2 in 30d to 10.00, but it may take 9.99",
    ),
}


@pytest.fixture(scope="module")
def limited(cluster: Cluster) -> Iterator[Database]:
    """Books with limits by time, and a copy of each of their tables."""

    async def keep(url: str) -> None:
        async with open_store(StoreConfig(url)) as store:
            for batch in BATCHES:
                await settle(store, batch)

    with cloned(cluster, "test_verify_limits") as database:
        asyncio.run(keep(database.service_url))
        execute(database.owner_url, *copying(TABLES))
        yield database


@pytest.fixture
def books(limited: Database) -> Iterator[str]:
    """The owner's URL of books that are right; whatever becomes of them, they are put right again."""
    yield limited.owner_url
    for name in TABLES:
        execute(limited.owner_url, f"TRUNCATE {name}", f"INSERT INTO {name} TABLE right_{name}")


def test_books_with_limits_are_right(books: str) -> None:
    assert verify(books) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(books: str, wrong: str) -> None:
    statement, said = WRONG[wrong]
    before, _, after = said.partition("NUMBER")
    execute(books, statement)
    found = verify(books)
    assert any(before in one and one.endswith(after) for one in found), found


@pytest.mark.parametrize(
    ("apart", "most", "is_right"),
    [
        ("1 hour", "14.99", True),
        ("59 minutes 59.9 seconds", "14.99", False),
        ("59 minutes 59.9 seconds", "15", True),
        ("2 days", "9.99", False),
        ("2 days", "10", True),
    ],
)
def test_a_limit_is_held_to_what_moved_in_its_own_time(
    limited: Database, books: str, apart: str, most: str, *, is_right: bool
) -> None:
    """10.00 and then 5.00 went out, so long after one another, and at most 10.00 or 15.00 of it in an hour."""
    later = f"(SELECT ctime FROM transaction WHERE id = 2) + interval '{apart}' + interval '1 microsecond'"
    execute(
        books,
        f"UPDATE transaction SET ctime = {later} WHERE id >= 3",
        f"""UPDATE account SET limits = jsonb_set(limits, '{{1,out}}', '"{most}"') WHERE id = 1""",
    )
    passed = [one for one in verify(limited.owner_url) if "in 1h" in one]
    assert (passed == []) is is_right, passed


def test_what_was_past_when_it_was_counted_last_may_be_gone(books: str) -> None:
    """All but the last batch is two hours older than it was: what the hour has of it counts no more."""
    execute(
        books,
        "UPDATE transaction SET ctime = ctime - interval '2 hours' WHERE id < 3",
        "UPDATE account SET ctime = ctime - interval '3 hours'",
        "UPDATE turnover SET windows = jsonb_set(windows, '{1,buckets,0}',"
        " (windows #> '{1,buckets,0}') || '[]') WHERE account_id = 1",
    )
    said = [one for one in verify(books) if "its 1h" in one]
    assert len(said) == 1
    assert said[0].endswith("but its transactions say 5.00 and 7.00")


async def test_what_was_counted_is_right_whatever_the_last_of_a_batch_was(database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as store:
        await settle(store, BATCHES[0])
        await settle(store, [payment(1, "100"), limiting(1, limit("1h", "50")), withdrawal(1, "20")])
        await settle(store, [withdrawal(1, "20"), limiting(1, limit("1h", "30"), limit("1d", "30"))])
        await settle(store, [withdrawal(1, "20"), limiting(1), limiting(1, limit("1h", "60"))])
        await settle(store, [withdrawal(1, "20")])
    assert verify(database.owner_url) == []
