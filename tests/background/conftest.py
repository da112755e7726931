"""Books that are proved from their rows after every test."""

from collections.abc import Iterator

import pytest

from tests.support.database import Database
from tests.support.small_books import wrong_in


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """The database; at the end its books are right."""
    yield database
    assert wrong_in(database.owner_url) == []
