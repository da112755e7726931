"""Columns that PostgreSQL computes: what lists look for in what is queued, declined or cancelled."""

import psycopg
import pytest

from tests.db.test_tables import TABLES
from tests.support.copies import COMPUTED, PENDING
from tests.support.database import Database


@pytest.mark.parametrize("table", TABLES)
def test_what_is_pending_has_columns_that_are_computed_and_nothing_else_has(database: Database, table: str) -> None:
    with psycopg.connect(database.owner_url) as connection:
        found = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attgenerated = 's' ORDER BY attnum",
            [table],
        ).fetchall()
    assert [name for (name,) in found] == (list(COMPUTED) if table in PENDING else [])
