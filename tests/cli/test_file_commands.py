"""`koshel export` and `koshel import`: what they print, and what they leave behind."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from koshel.db.store import StoreConfig, open_store
from koshel.files import csv_rows
from koshel.files.formats import COLUMNS, IMPORTED
from tests.support.bookkeeping import execute, keep_books
from tests.support.database import Database
from tests.support.ended import Koshel

MANY = """
INSERT INTO account
    (ledger_id, id, email, currency, scale, balance, held, version, min_balance, status, metadata, ctime)
SELECT 1, 1000 + n, md5(n::text) || md5((-n)::text) || '@example.com', 'USD', 2, 0.00, 0.00, 0, 0, 'open', '{}', now()
FROM generate_series(1, 3000) AS n
"""
KINDS = {"accounts": 6, "transactions": 20, "lines": 28}


@pytest.fixture
def books(database: Database) -> Database:
    """A ledger with transactions of every kind."""

    async def keep() -> None:
        async with open_store(StoreConfig(database.service_url)) as store:
            await keep_books(store)

    asyncio.run(keep())
    return database


@pytest.mark.parametrize("kind", KINDS)
def test_csv_and_json_lines_say_the_same(koshel: Koshel, books: Database, tmp_path: Path, kind: str) -> None:
    for form in ("jsonl", "csv"):
        ended = koshel("export", kind, "--output", str(tmp_path / f"out.{form}"), database_url=books.owner_url)
        assert (ended.status, ended.printed) == (0, "")
        assert ended.complained == f"koshel: {KINDS[kind]} {kind} of the ledger main\n"
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(objects) == len(rows) == KINDS[kind]
    assert {name for one in objects for name in one} <= set(COLUMNS[kind])
    for one, row in zip(objects, rows, strict=True):
        said = {name: text for name, text in row.items() if text}
        assert said == {name: _cell(value) for name, value in one.items() if value not in ({}, "")}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.jsonl"]


def _cell(value: object) -> str:
    match value:
        case None:
            return "none"
        case str() | int():
            return str(value)
        case _:
            return json.dumps(value, separators=(",", ":"))


def test_the_lines_of_an_account_add_up(koshel: Koshel, books: Database, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    koshel("export", "lines", "--output", str(path), database_url=books.owner_url)
    sums: dict[int, Decimal] = {}
    versions: dict[int, int] = {}
    for line in path.read_bytes().splitlines():
        one = json.loads(line)
        id_ = one["account_id"]
        sums[id_] = sums.get(id_, Decimal(0)) + Decimal(one["change"])
        versions[id_] = versions.get(id_, 0) + 1
        assert (sums[id_], versions[id_]) == (Decimal(one["balance"]), one["version"])


def test_standard_output_has_the_rows_and_nothing_else(books: Database) -> None:
    command = [sys.executable, "-m", "koshel", "export", "accounts", "--output", "-", "--database-url", books.owner_url]
    ended = subprocess.run(command, capture_output=True, check=True)
    assert [json.loads(line)["id"] for line in ended.stdout.splitlines()] == [1, 2, 3, 4, 5, 6]
    assert ended.stderr == b"koshel: 6 accounts of the ledger main\n"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_reader_that_stops_early_ends_it_without_a_word(database: Database, form: str) -> None:
    execute(database.owner_url, MANY)
    command = [sys.executable, "-m", "koshel", "export", "accounts", "--output", "-", "--format", form]
    with subprocess.Popen(
        [*command, "--database-url", database.owner_url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(4)
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


def test_a_format_may_be_named_and_is_never_guessed(koshel: Koshel, books: Database, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    ended = koshel("export", "accounts", "--output", str(path), database_url=books.owner_url)
    assert ended.status == 1
    assert ended.complained == (
        f"koshel: {path}: the name must end in .jsonl or .csv or .parquet, or --format must say what it is\n"
    )
    koshel("export", "accounts", "--output", str(path), "--format", "csv", database_url=books.owner_url)
    assert path.read_text().startswith("id,name,email")


def test_what_fails_leaves_what_was_there(
    koshel: Koshel, books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(csv_rows.Rows, "write", fail)
    ended = koshel("export", "accounts", "--output", str(path), database_url=books.owner_url)
    assert (ended.status, ended.complained) == (1, "koshel: no space left\n")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("out.csv", "before")]


@pytest.mark.parametrize("command", [("export", "lines", "--output", "-"), ("import", "accounts", "a.csv")])
def test_a_ledger_that_is_not_there_is_named(
    koshel: Koshel, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("email\n")
    ended = koshel(*command, "--ledger", "shop", database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained == "koshel: there is no ledger 'shop'; `koshel ledger list` shows all\n"


def test_an_empty_ledger_has_a_header_and_no_rows(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    koshel("export", "transactions", "--output", str(path), database_url=database.owner_url)
    assert path.read_text().splitlines() == [",".join(COLUMNS["transactions"])]


def test_an_import_says_what_it_did_and_a_dry_run_what_it_would(
    koshel: Koshel, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,email,balance,status\nann,ann@example.com,5,frozen\nbob,bob@example.com,,\n")
    command = ("import", "accounts", str(path))
    dry = koshel(*command, "--dry-run", database_url=database.owner_url)
    assert (dry.status, dry.printed, dry.complained) == (0, "No faults. Accounts that can be imported: 2.\n", "")
    done = koshel(*command, database_url=database.owner_url)
    assert done.printed == (
        "Imported accounts: 2. There already: 0.\nPassed over, accounts that were frozen or closed, and are open: 1.\n"
    )
    again = koshel(*command, database_url=database.owner_url)
    assert again.printed.startswith("Imported accounts: 0. There already: 2.\n")
    assert koshel("verify", database_url=database.owner_url).status == 0


def test_each_fault_has_a_line_and_nothing_is_written(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,email,currency\nann,nobody,USD\nbob,bob@example.com,XQX\n")
    ended = koshel("import", "accounts", str(path), database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.splitlines() == [
        f"koshel: {path}: line 2: email must be an email address such as ann@example.com",
        f"koshel: {path}: line 3: currency is not known: XQX",
        f"koshel: {path}: nothing was imported: 2 faults",
    ]
    assert koshel("export", "accounts", "--output", "-", database_url=database.owner_url).complained.startswith(
        "koshel: 0 accounts"
    )


def test_a_file_that_is_not_there_is_named(koshel: Koshel, database: Database) -> None:
    ended = koshel("import", "accounts", "nowhere.csv", database_url=database.owner_url)
    assert (ended.status, ended.complained.count("\n")) == (1, 1)
    assert "nowhere.csv" in ended.complained


def test_a_line_that_is_refused_is_said_with_what_is_done(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,email\nann,ann@example.com\nbob,bob@example.com\n")
    koshel("import", "accounts", str(path), database_url=database.owner_url)
    path.write_text("source,target,amount\nann,bob,1\n")
    ended = koshel("import", "transactions", str(path), database_url=database.owner_url)
    assert ended.status == 1
    assert "line 2: insufficient-funds: " in ended.complained
    assert "the lines before line 2 were imported" in ended.complained


def test_the_columns_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    for kind, columns in COLUMNS.items():
        assert f"| `{kind}` | {', '.join(f'`{name}`' for name in columns)} |" in page
    for columns in IMPORTED.values():
        assert not [name for name in columns if f"`{name}`" not in page]


@pytest.mark.parametrize("kind", IMPORTED)
def test_every_column_of_an_export_may_be_in_an_import(kind: str) -> None:
    assert set(COLUMNS[kind]) == set(IMPORTED[kind])


def test_an_import_that_is_stopped_says_how_to_go_on(
    koshel: Koshel, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopped(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    monkeypatch.setattr("koshel.files.importing.Import.run", stopped)
    path = tmp_path / "a.csv"
    path.write_text("name,email\nann,ann@example.com\n")
    ended = koshel("import", "accounts", str(path), database_url=database.owner_url)
    assert (ended.status, ended.printed) == (130, "")
    assert ended.complained == f"koshel: {path}: what was imported stays; the same command goes on from there\n"


@pytest.mark.parametrize(
    ("place", "said"), [("", "Is a directory"), ("nowhere/a.csv", "No such file or directory"), ("a.csv", None)]
)
def test_where_a_file_cannot_be_the_place_that_was_asked_for_is_named(
    koshel: Koshel, books: Database, tmp_path: Path, place: str, said: str | None
) -> None:
    path = tmp_path / place
    ended = koshel("export", "accounts", "--output", str(path), "--format", "csv", database_url=books.owner_url)
    if said is not None:
        assert (ended.status, ended.complained) == (1, f"koshel: {path}: {said}\n")
    assert [one.name for one in tmp_path.iterdir()] == ([] if said else ["a.csv"])
