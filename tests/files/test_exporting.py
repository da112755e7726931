"""What an export says is what the API says, to the character."""

import asyncio
import json
from pathlib import Path

import pytest

from koshel.db.store import StoreConfig, open_store
from koshel.files.formats import COLUMNS, TIMES
from koshel.inputs import moments
from tests.support.bookkeeping import execute, keep_books
from tests.support.bringing import take_out
from tests.support.database import Database

IN_TOKYO = """
DO $do$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo');
END $do$
"""
WHOLE, TENTH = "2026-11-27T17:47:39.000000Z", "2026-11-27T17:47:39.924640Z"


@pytest.fixture
def books(database: Database) -> Database:
    """A ledger with transactions of every kind."""

    async def keep() -> None:
        async with open_store(StoreConfig(database.service_url)) as store:
            await keep_books(store)

    asyncio.run(keep())
    return database


@pytest.mark.parametrize("kind", COLUMNS)
def test_times_are_written_as_everywhere(books: Database, tmp_path: Path, kind: str) -> None:
    """Six digits and Z, also of a whole second, and whatever zone the database is in."""
    execute(
        books.owner_url,
        IN_TOKYO,
        f"UPDATE account SET ctime = '{WHOLE}' WHERE id % 2 = 0",
        f"UPDATE account SET ctime = '{TENTH}' WHERE id % 2 = 1",
        f"UPDATE transaction SET ctime = '{WHOLE}' WHERE id % 2 = 0",
        f"UPDATE transaction SET ctime = '{TENTH}' WHERE id % 2 = 1",
        "UPDATE transaction SET capture_at = '2026-11-28T17:00:00.5Z', expires_at = '2026-11-29T17:00:00Z'"
        " WHERE kind = 'hold'",
    )
    take_out(books, "main", kind, tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert {row["ctime"] for row in rows} == {WHOLE, TENTH}
    times = [row[name] for row in rows for name in TIMES if name in row]
    assert [moments.text(moments.moment(time, "time")) for time in times] == times
    assert {name for row in rows for name in TIMES if name in row} == TIMES.intersection(COLUMNS[kind])
    assert "2026-11-28" not in {row.get("effective_on") for row in rows}


def test_a_limit_by_time_leaves_out_what_it_does_not_say(books: Database, tmp_path: Path) -> None:
    limits = '[{"per": "1d", "out": "100.00", "in": null}, {"per": "7d", "out": null, "in": "500.00"}]'
    execute(books.owner_url, f"UPDATE account SET limits = '{limits}'")
    take_out(books, "main", "accounts", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert rows[0]["limits"] == [{"per": "1d", "out": "100.00"}, {"per": "7d", "in": "500.00"}]
