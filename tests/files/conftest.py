"""A database that files are imported into."""

from pathlib import Path

import pytest

from tests.support.bringing import HEADER, bring_in, written
from tests.support.database import Database


@pytest.fixture
def paid(database: Database, tmp_path: Path) -> Database:
    """A database whose main ledger has the accounts `a` with 1000.00 USD, `b` and `yen`."""
    text = "a,a@example.com,USD,1000,,none\nb,b@example.com,USD,,,none\nyen,y@example.com,JPY,500,,none\n"
    bring_in(database, "main", "accounts", written(tmp_path / "paid.csv", HEADER + text))
    return database
