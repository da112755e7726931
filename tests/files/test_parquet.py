"""Exports as Parquet say what exports as JSON Lines say, with types."""

import asyncio
import gc
import importlib
import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from koshel import Ledger
from koshel.db.store import StoreConfig, open_store
from koshel.files import parquet
from koshel.files.faults import UnfitFile
from koshel.files.formats import COLUMNS, DAYS, MONEY, NUMBERS, OBJECTS, TIMES
from koshel.files.writing import writing
from tests.support.bookkeeping import execute, keep_books
from tests.support.bringing import take_out
from tests.support.database import Database

KINDS = ("accounts", "transactions", "lines")


@pytest.fixture
def books(database: Database) -> Database:
    """A ledger with transactions of every kind."""

    async def keep() -> None:
        async with open_store(StoreConfig(database.service_url)) as store:
            await keep_books(store)

    asyncio.run(keep())
    return database


def typed(name: str, said: Any) -> Any:
    """What Parquet has of a value of JSON."""
    if said is None:
        return None
    if name in MONEY:
        return Decimal(said)
    if name in TIMES:
        return datetime.fromisoformat(said)
    return date.fromisoformat(said) if name in DAYS else said


@pytest.mark.parametrize("kind", KINDS)
def test_parquet_and_json_lines_say_the_same(
    books: Database, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 5)
    count = take_out(books, "main", kind, tmp_path / "out.jsonl")
    assert take_out(books, "main", kind, tmp_path / "out.parquet") == count
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == list(COLUMNS[kind])
    rows = [
        {name: json.loads(one) if one is not None and name in OBJECTS else one for name, one in row.items()}
        for row in table.to_pylist()
    ]
    assert rows == [{name: typed(name, one.get(name)) for name in COLUMNS[kind]} for one in objects]


@pytest.fixture
def written_in_groups(monkeypatch: pytest.MonkeyPatch) -> BytesIO:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 2)
    file = BytesIO()
    with writing("parquet", ("id", "amount"), file) as write:
        for n in range(5):
            write([b'{"id":%d,"amount":"%d.5"}' % (n, n)])
    return file


def test_rows_are_written_in_groups_while_they_come(written_in_groups: BytesIO) -> None:
    read = pq.ParquetFile(written_in_groups)
    assert [read.metadata.row_group(n).num_rows for n in range(read.num_row_groups)] == [2, 2, 1]
    assert read.read().column("id").to_pylist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rows", [1, 5])
def test_what_breaks_off_leaves_no_file_that_can_be_read(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 2)

    def export() -> None:
        with writing("parquet", ("id", "amount"), file) as write:
            for n in range(rows):
                write([b'{"id":%d,"amount":"1"}' % n])
            raise ConnectionError

    file = BytesIO()
    with pytest.raises(ConnectionError):
        export()
    gc.collect()  # also the writer's own end writes nothing
    assert file.tell() > 0
    with pytest.raises(pa.ArrowInvalid):
        pq.ParquetFile(file)


def test_each_column_has_a_type_and_money_is_exact(database: Database, tmp_path: Path) -> None:
    async def live() -> None:
        execute(database.owner_url, "INSERT INTO currency (code, scale) VALUES ('WEI', 18)")
        async with Ledger.open(database.service_url) as ledger:
            one = await ledger.open_account("a@example.com", currency="WEI", max_balance=None)
            await ledger.pay(one.id, amount="999999999999999999.000000000000000001", effective_on="9999-12-31")

    asyncio.run(live())
    path = tmp_path / "out.parquet"
    take_out(database, "main", "transactions", path)
    table = pq.read_table(path)
    assert table.column("amount").to_pylist() == [Decimal("999999999999999999.000000000000000001")]
    assert table.column("effective_on").to_pylist() == [date(9999, 12, 31)]
    types = {field.name: str(field.type) for field in table.schema}
    assert types["id"] == "int64"
    assert types["amount"] == "decimal128(36, 18)"
    assert types["ctime"] == "timestamp[us, tz=UTC]"
    assert (types["effective_on"], types["metadata"], types["kind"]) == ("date32[day]", "string", "string")
    assert table.column("ctime").to_pylist()[0].tzinfo is not None
    assert abs(datetime.now(UTC) - table.column("ctime").to_pylist()[0]).total_seconds() < 3_600


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_ledger_has_columns_and_no_rows(database: Database, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out.parquet"
    assert take_out(database, "main", kind, path) == 0
    table = pq.read_table(path)
    assert (table.num_rows, table.column_names) == (0, list(COLUMNS[kind]))


def test_every_column_that_is_no_text_is_a_column() -> None:
    columns = {name for kind in KINDS for name in COLUMNS[kind]}
    assert columns >= NUMBERS | MONEY | TIMES | DAYS | OBJECTS


def test_without_pyarrow_it_is_said_what_to_install_and_nothing_is_left(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.parquet"
    path.write_text("before")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pyarrow", None)
        without.delitem(sys.modules, "koshel.files.parquet")
        with pytest.raises(UnfitFile, match=r"^Parquet is written by pyarrow: install Koshel's extra parquet"):
            take_out(database, "main", "accounts", path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("out.parquet", "before")]
    assert importlib.import_module("koshel.files.parquet") is parquet
