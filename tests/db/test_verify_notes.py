"""Proof of the changes of notes: numbered without a gap, of transactions that are there, and what keys say of them."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from koshel.core.commands import Command, OpenAccount
from koshel.core.notes import Annotate
from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.wallets import hold, payment

# transaction 1   a payment, annotated three times, the second time with a key
# transaction 2   a hold, annotated with a key
BATCHES: Sequence[Sequence[Command]] = [
    [OpenAccount(1, "a@example.com")],
    [payment(1, "100"), hold(1, None, "20")],
    [Annotate(1, 1, description="rent")],
    [Annotate(1, 1, metadata_patch={"a": "b"}, key="k"), Annotate(1, 2, metadata={"of": "two"}, key="h")],
    [Annotate(1, 1, description=None)],
]
TABLES = ("transaction_change", "receipt", "transaction")

WRONG = {
    "a change that is missing": (
        "DELETE FROM transaction_change WHERE transaction_id = 1 AND revision = 1",
        "change 2 of the notes on transaction 1 is number 1",
    ),
    "a change of no transaction": (
        "UPDATE transaction_change SET transaction_id = 99 WHERE transaction_id = 2",
        "change 1 of the notes on transaction 99 is of a transaction that does not exist",
    ),
    "a change before its transaction": (
        "UPDATE transaction_change SET ctime = ctime - interval '1 day' WHERE transaction_id = 1 AND revision = 1",
        "which is before what came first, or still to come",
    ),
    "a change that is still to come": (
        "UPDATE transaction_change SET ctime = ctime + interval '1 day' WHERE transaction_id = 1 AND revision = 3",
        "which is before what came first, or still to come",
    ),
    "a change whose key tells of nothing": (
        "DELETE FROM receipt WHERE idempotency_key = 'k'",
        "change 2 of the notes on transaction 1 has key 'k', whose receipt does not tell of it",
    ),
    "a key whose change is missing": (
        "DELETE FROM transaction_change WHERE transaction_id = 2",
        "the receipt of key 'h' tells of change 1 of the notes on transaction 2, which is not there",
    ),
    "a key that tells of another change": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{revision}', '3') WHERE idempotency_key = 'k'",
        "the receipt of key 'k' tells of change 3 of the notes on transaction 1, which is not there",
    ),
    "notes that its key has not told": (
        "UPDATE transaction_change SET description = 'x' WHERE idempotency_key = 'k'",
        "the receipt of key 'k' tells of another description of the notes on transaction 1",
    ),
    "metadata that its key has not told": (
        """UPDATE transaction_change SET metadata = '{"of": "three"}' WHERE idempotency_key = 'h'""",
        "the receipt of key 'h' tells of another metadata of the notes on transaction 2",
    ),
    "an answer that was not asked for": (
        (
            "UPDATE receipt SET answer = jsonb_set(answer, '{command,metadata_patch,a}', '\"c\"')"
            " WHERE idempotency_key = 'k'"
        ),
        "the receipt of key 'k' tells of another metadata_patch of the notes on transaction 1",
    ),
    "a hold that was posted": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{status}', '\"posted\"') WHERE idempotency_key = 'h'",
        "the receipt of key 'h' tells of another status of the notes on transaction 2",
    ),
    "a hold that reserves more than it did": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{remaining}', '\"20.01\"') WHERE idempotency_key = 'h'",
        "the receipt of key 'h' tells of another remaining of the notes on transaction 2",
    ),
    "a payment that was refunded more than it was": (
        "UPDATE receipt SET answer = jsonb_set(answer, '{refunded}', '\"101.00\"') WHERE idempotency_key = 'k'",
        "the receipt of key 'k' tells of another refunded of the notes on transaction 1",
    ),
}


@pytest.fixture(scope="module")
def noted(cluster: Cluster) -> Iterator[Database]:
    """Books with changes of notes, and a copy of each of their tables."""

    async def keep(url: str) -> None:
        async with open_store(StoreConfig(url)) as store:
            for batch in BATCHES:
                await settle(store, batch)

    with cloned(cluster, "test_verify_notes") as database:
        asyncio.run(keep(database.service_url))
        execute(database.owner_url, *(f"CREATE TABLE right_{name} AS TABLE {name}" for name in TABLES))
        yield database


@pytest.fixture
def books(noted: Database) -> Iterator[str]:
    """The owner's URL of books that are right; whatever becomes of them, they are put right again."""
    yield noted.owner_url
    for name in TABLES:
        execute(noted.owner_url, f"TRUNCATE {name}", f"INSERT INTO {name} TABLE right_{name}")


def test_books_with_notes_are_right(books: str) -> None:
    assert verify(books) == []


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_named(books: str, wrong: str) -> None:
    statement, said = WRONG[wrong]
    execute(books, statement)
    found = verify(books)
    assert any(said in one for one in found), found
