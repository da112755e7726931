"""The books that the large bench measures on are right, whatever their size."""

import pytest

from bench.large_books import Size, fill
from koshel.db.verifying.verify import verify
from tests.support.database import Database
from tests.support.settled import query


@pytest.mark.parametrize("size", [Size(10, 20), Size(100, 2_345), Size(200, 5_000)])
def test_large_books_are_right(database: Database, size: Size) -> None:
    fill(database.owner_url, size)
    assert verify(database.owner_url) == []
    assert query(database, "SELECT count(*), max(id) FROM transaction") == [(size.transactions, size.transactions)]
    assert query(database, f"SELECT version FROM account WHERE id = {size.hub}") == [(size.lines,)]
