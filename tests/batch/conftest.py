"""Books that are proved from their rows after every test."""

from collections.abc import Iterator

import pytest

from koshel.db.settling import currencies
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.small_books import wrong_in


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """The database, with other ledgers, and WEI and POINTS registered; at the end its books are right."""
    execute(
        database.owner_url, "INSERT INTO ledger (id, name) SELECT n, 'other-' || n FROM generate_series(2, 50) AS n"
    )
    currencies.add(database.owner_url, "WEI", 18)
    currencies.add(database.owner_url, "POINTS", 0)
    yield database
    assert wrong_in(database.owner_url) == []
