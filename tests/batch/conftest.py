"""Books that are proved from their rows after every test."""

from collections.abc import Iterator

import pytest

from koshel.db import currencies
from koshel.db.verify import verify
from tests.support.database import Database


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """The database, with WEI and POINTS registered; at the end its books are right."""
    currencies.add(database.owner_url, "WEI", 18)
    currencies.add(database.owner_url, "POINTS", 0)
    yield database
    assert verify(database.owner_url) == []
