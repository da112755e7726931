"""Books that are proved from their rows after every test."""

from collections.abc import Iterator

import pytest

from koshel.db.verifying.verify import verify
from tests.support.database import Database


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """The database; at the end its books are right."""
    yield database
    assert verify(database.owner_url) == []
