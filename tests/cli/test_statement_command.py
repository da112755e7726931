"""`koshel export statement`: what it takes, and what it says."""

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from koshel.http.bodies.csv_lines import COLUMNS
from tests.support.database import Database
from tests.support.ended import Koshel


@pytest.fixture
def books(koshel: Koshel, database: Database, tmp_path: Path) -> Database:
    """A ledger with the account `ann`, whose id is 1 and which has one line."""
    path = tmp_path / "a.csv"
    path.write_text("name,email,currency,balance\nann,ann@example.com,USD,5\n")
    assert koshel("import", "accounts", str(path), database_url=database.owner_url).status == 0
    path.unlink()
    return database


@pytest.mark.parametrize("account", ["1", "@ann"])
def test_an_account_is_named_or_said_by_its_id(koshel: Koshel, books: Database, tmp_path: Path, account: str) -> None:
    path = tmp_path / "s.jsonl"
    ended = koshel("export", "statement", account, "--output", str(path), database_url=books.service_url)
    assert (ended.status, ended.printed) == (0, "")
    assert ended.complained == f"koshel: 1 lines of the account {account} of the ledger main\n"
    (line,) = [json.loads(one) for one in path.read_bytes().splitlines()]
    assert (line["version"], line["change"], line["balance"], line["held"]) == (1, "5.00", "5.00", "0.00")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_stretch_without_lines_is_a_file_without_rows(
    koshel: Koshel, books: Database, tmp_path: Path, form: str
) -> None:
    arguments = ("--until", "2001-01-01T00:00:00Z", "--output", str(tmp_path / f"s.{form}"))
    ended = koshel("export", "statement", "@ann", *arguments, database_url=books.service_url)
    assert ended.complained == "koshel: 0 lines of the account @ann of the ledger main\n"
    path = tmp_path / f"s.{form}"
    if form == "parquet":
        assert parquet.read_table(path).num_rows == 0
    else:
        assert path.read_text().splitlines() == ([",".join(COLUMNS)] if form == "csv" else [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("2",), "there is no account 2 in the ledger main"),
        (("@bob",), "there is no account @bob in the ledger main"),
        (("ann",), "id must be a whole number from 1 to 9223372036854775807"),
        (("@a b",), "id must be an id, or @ and the name of an account"),
        (("1", "--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "--since must not be after"),
        (("1", "--ledger", "shop"), "there is no ledger 'shop'; `koshel ledger list` shows all"),
        (("1", "--output", "s.txt"), "s.txt: the name must end in .jsonl or .csv or .parquet, or --format must say"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    koshel: Koshel, books: Database, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    output = str(tmp_path / "s.jsonl")
    ended = koshel("export", "statement", "--output", output, *arguments, database_url=books.service_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.startswith(f"koshel: {said}")
    assert ended.complained.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["yesterday", "0000-01-01T00:00:00Z", "2026-02-30", "2026-01-02T00:00:00"])
def test_what_is_neither_a_time_nor_a_day_is_refused(koshel: Koshel, text: str) -> None:
    for flag in ("--since", "--until"):
        ended = koshel("export", "statement", "1", "--output", "-", flag, text)
        assert (ended.status, ended.printed) == (2, "")
        assert f"argument {flag}: {text!r} must be a time such as " in ended.complained
        assert "or a day such as 2027-01-31" in ended.complained


def test_a_day_is_its_first_moment_in_utc(koshel: Koshel, books: Database, tmp_path: Path) -> None:
    written = []
    for begin, end in (("2000-01-01", "2100-01-01"), ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z")):
        path = tmp_path / "s.csv"
        between = ("--since", begin, "--until", end)
        ended = koshel("export", "statement", "1", "--output", str(path), *between, database_url=books.service_url)
        assert ended.status == 0
        written.append(path.read_text())
    assert written[0] == written[1]
    assert len(written[0].splitlines()) > 1
