"""Proof of the changes of accounts: each account is what its changes have left, from its opening on."""

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from koshel.core.commands import ChangeAccount, Command, OpenAccount, Status
from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.limited import limit

# account 1   opened with a key; changed without one, with one, and without one; two of these in one batch
# account 2   opened without a key; a migration has found it after its third change; then changed with a key
BATCHES: Sequence[Sequence[Command]] = [
    [OpenAccount(1, "a@example.com", metadata={"of": "a"}, key="a"), OpenAccount(1, "b@example.com")],
    [ChangeAccount(1, 1, status=Status.FROZEN), ChangeAccount(1, 1, min_balance=Decimal(-5), key="k")],
    [ChangeAccount(1, 2, email="c@example.com", key="old"), ChangeAccount(1, 2), ChangeAccount(1, 2)],
    [ChangeAccount(1, 1, status=Status.OPEN, limits=(limit("1d", "5"),)), ChangeAccount(1, 2, metadata={}, key="new")],
]
FOUND = (
    "DELETE FROM account_change WHERE account_id = 2 AND revision < 3",
    "UPDATE account_change SET is_found = true WHERE account_id = 2 AND revision = 3",
)
TABLES = ("account_change", "receipt", "account")
OF_1, OF_2 = (
    "UPDATE account_change SET {} WHERE account_id = 1 AND revision = {}",
    "account_change WHERE account_id = 2",
)
OTHER = "change 3 of account 1 is the last, and has left another account than there is"
UNTIMELY = "which is before what came first, or still to come"

WRONG = {
    "an account that was changed by hand": ("UPDATE account SET status = 'frozen' WHERE id = 1", OTHER),
    "another email": ("UPDATE account SET email = 'x@example.com' WHERE id = 1", OTHER),
    "another limit by time": ("""UPDATE account SET limits = '[{"per": "1d", "out": "9.00"}]' WHERE id = 1""", OTHER),
    "a revision too many": ("UPDATE account SET revision = 4 WHERE id = 1", OTHER),
    "a change that was changed": (OF_1.format("max_balance = 5", 3), OTHER),
    "a change that is missing": (
        "DELETE FROM account_change WHERE account_id = 1 AND revision = 1",
        "change 2 of account 1 does not follow the one before it",
    ),
    "the last change missing": (
        "DELETE FROM account_change WHERE account_id = 1 AND revision = 3",
        "change 2 of account 1 is the last, and has left another account than there is",
    ),
    "an opening that is missing": (
        "DELETE FROM account_change WHERE account_id = 1 AND revision = 0",
        "change 1 of account 1 does not follow the one before it",
    ),
    "what was found, missing": (
        f"DELETE FROM {OF_2} AND revision = 3",
        "change 4 of account 2 does not follow the one before it",
    ),
    "all changes missing": (f"DELETE FROM {OF_2}", "account 2 has no change, not even its opening"),
    "changes of no account": (
        "UPDATE account_change SET account_id = 9 WHERE account_id = 2",
        "change 3 of account 9 is of an account that does not exist",
    ),
    "an opening at another time": (OF_1.format("ctime = ctime - interval '1 microsecond'", 0), UNTIMELY),
    "a change before the one before it": (OF_1.format("ctime = ctime - interval '1 day'", 2), UNTIMELY),
    "a change that is still to come": (OF_1.format("ctime = ctime + interval '1 day'", 3), UNTIMELY),
    "another key": (
        OF_1.format("idempotency_key = 'x'", 2),
        "change 2 of account 1 has key 'x', but neither its receipt nor the account says so",
    ),
    "an opening without its key": (
        OF_1.format("idempotency_key = NULL", 0),
        "the receipt of key 'a' tells of change 0 of account 1, which is not there",
    ),
    "a receipt of another change": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{account,revision}', '3') WHERE idempotency_key = 'k'",
        "the receipt of key 'k' tells of change 3 of account 1, which is not there",
    ),
    "a change that its key has not told": (
        OF_1.format("status = 'open'", 2),
        "the receipt of key 'k' tells of another status than account 1 has, or had then",
    ),
    "an opening that its key has not told": (
        OF_1.format("""metadata = '{"of": "b"}'""", 0),
        "the receipt of key 'a' tells of another metadata than account 1 has, or had then",
    ),
}


@pytest.fixture(scope="module")
def changed(cluster: Cluster) -> Iterator[Database]:
    """Books with changes of accounts, and a copy of each of their tables."""

    async def keep(url: str) -> None:
        async with open_store(StoreConfig(url)) as store:
            for batch in BATCHES:
                await settle(store, batch)

    with cloned(cluster, "test_verify_account_changes") as database:
        asyncio.run(keep(database.service_url))
        execute(database.owner_url, *FOUND)
        execute(database.owner_url, *(f"CREATE TABLE right_{name} AS TABLE {name}" for name in TABLES))
        yield database


@pytest.fixture
def books(changed: Database) -> Iterator[str]:
    """The owner's URL of books that are right; whatever becomes of them, they are put right again."""
    yield changed.owner_url
    for name in TABLES:
        execute(changed.owner_url, f"TRUNCATE {name}", f"INSERT INTO {name} TABLE right_{name}")


def test_books_with_changes_are_right(books: str) -> None:
    assert verify(books) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(books: str, wrong: str) -> None:
    statement, said = WRONG[wrong]
    execute(books, statement)
    found = verify(books)
    assert any(said in one for one in found), found
