"""What an import says of lines that are equal to those of an earlier one."""

from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.ended import Koshel


@pytest.mark.parametrize(
    ("kind", "lines", "lacks"),
    [("transactions", ",bob,5", "idempotency_key"), ("accounts", "x@example.com,1,", "name")],
)
def test_an_import_says_which_lines_it_took_for_others(
    koshel: Koshel, database: Database, tmp_path: Path, kind: str, lines: str, lacks: str
) -> None:
    accounts = tmp_path / "a.csv"
    accounts.write_text("name,email\nbob,bob@example.com\n")
    koshel("import", "accounts", str(accounts), database_url=database.owner_url)
    header = {"transactions": "source,target,amount", "accounts": "email,balance,name"}[kind]
    june, july = tmp_path / "june.csv", tmp_path / "july.csv"
    june.write_text(f"{header}\n{lines}\n")
    july.write_text(f"{header}\n{lines.replace('5', '7').replace(',1,', ',2,')}\n{lines}\n")
    first = koshel("import", kind, str(june), database_url=database.owner_url)
    assert first.printed == f"Imported {kind}: 1. There already: 0.\n"
    why = f"since they say the same and have no {lacks}"
    assert koshel("import", kind, str(july), database_url=database.owner_url).printed.splitlines() == [
        f"Imported {kind}: 1. There already: 1.",
        f"Taken for lines that were imported before, {why}: 1, the first in line 3.",
    ]
