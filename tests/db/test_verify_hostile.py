"""What was kept may be JSON that nothing can be made of: `verify` says so, and goes on to all the rest."""

import pytest

from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute, keep_books, opening
from tests.support.database import Database
from tests.support.split_legs import split, to

CHANGE = "UPDATE receipt SET answer = jsonb_set(answer, '{%s}', '%s') WHERE idempotency_key = '%s'"
HOSTILE = {
    "a queued transaction that was to be a split, without legs": ("command,command,type", '"split"', "later"),
    "a time to execute it at, after it was executed": ("command,execute_at", '"2999-06-01T00:00:00Z"', "later"),
    "a limit that is no number": ("command,min_balance", '"NaN"', "opened"),
    "a ceiling without an end": ("command,max_balance", '"Infinity"', "opened"),
    "a limit by time that is no number": ("command,limits", '[{"per": "1d", "out": "NaN"}]', "opened"),
    "a split of an amount that is no number": ("command,amount", '"NaN"', "split"),
}


@pytest.fixture
async def kept(store: Store, database: Database) -> str:
    """The owner's URL of books that also have a keyed opening, and a split."""
    await keep_books(store)
    await settle(store, [opening(key="opened")])
    await settle(store, [split("2", source=1, targets=[to(2, "50%"), to(2)], key="split")])
    assert verify(database.owner_url) == []
    return database.owner_url


async def test_what_cannot_be_is_said_of_each_receipt_and_stops_nothing(kept: str) -> None:
    for place, value, key in HOSTILE.values():
        execute(kept, "CREATE TABLE before AS TABLE receipt", CHANGE % (place, value, key))
        execute(kept, "UPDATE account SET balance = balance + 1 WHERE id = 1")
        said = verify(kept)
        assert any(f"the receipt of key '{key}'" in one for one in said), (place, said)
        assert any("account 1" in one for one in said), "all the rest is proved too"
        execute(kept, "UPDATE account SET balance = balance - 1 WHERE id = 1", "TRUNCATE receipt")
        execute(kept, "INSERT INTO receipt TABLE before", "DROP TABLE before")
    assert verify(kept) == []


async def test_a_split_that_is_missing_is_seen(kept: str) -> None:
    execute(kept, "DELETE FROM split")
    (said,) = verify(kept)
    assert said.startswith("ledger 1: batch ")
    assert said.endswith("has made 1 splits, of which 0 are kept")
