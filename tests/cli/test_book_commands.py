"""`koshel statement` and `koshel volume`: what they print, what they draw, and what they refuse."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from koshel import Ledger
from koshel.command_line.running import ENDED_BY_SIGPIPE
from koshel.config import extras
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.command import environment
from tests.support.database import Database
from tests.support.drawn import Drawn
from tests.support.ended import Koshel

MOVED = {"payment": ("2026-01-01", "100.00"), "transfer": ("2026-01-02", "30.00"), "withdrawal": ("2026-02-01", "5.00")}
WITHOUT = "import sys; sys.modules['matplotlib'] = None; from koshel.command_line.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Database]:
    """Two accounts, of which each transaction has a day of its own; and an empty ledger."""

    async def keep(database: Database) -> None:
        await Ledger.create(database.owner_url, "empty")
        async with Ledger.open(database.service_url) as ledger:
            await ledger.open_account("ann@example.com", name="users:ann")
            await ledger.open_account("bob@example.com", name="users:bob")
            await ledger.pay("@users:ann", amount="100")
            await ledger.transfer(source="@users:ann", target="@users:bob", amount="30", reference="order\u202e 7")
            await ledger.hold(source="@users:bob", target=None, amount="10")
            await ledger.withdraw("@users:bob", amount="5")

    with cloned(cluster, "book_commands_tests") as database:
        asyncio.run(keep(database))
        with psycopg.connect(database.owner_url) as connection:
            connection.execute("UPDATE koshel.account SET ctime = '2025-12-31'")
            connection.execute("UPDATE koshel.transaction SET ctime = '2026-01-15' WHERE kind = 'hold'")
            for kind, (day, _) in MOVED.items():
                connection.execute("UPDATE koshel.transaction SET ctime = %s WHERE kind = %s", (day, kind))
        yield database


def test_a_statement_is_a_table(koshel: Koshel, books: Database) -> None:
    ended = koshel("statement", "@users:bob", database_url=books.owner_url)
    assert (ended.status, ended.complained) == (0, "")
    assert ended.printed == (
        "@users:bob (account 2), ledger main, USD\n"
        "before: balance 0.00, held 0.00\n"
        "line  time (UTC)           transaction  kind        change  balance   held  with        reference\n"
        "----  -------------------  -----------  ----------  ------  -------  -----  ----------  ---------\n"
        "   1  2026-01-02 00:00:00            2  transfer     30.00    30.00   0.00  @users:ann  order? 7\n"
        "   2  2026-01-15 00:00:00            3  hold          0.00    30.00  10.00  outside\n"
        "   3  2026-02-01 00:00:00            4  withdrawal   -5.00    25.00  10.00  outside\n"
        "after: balance 25.00, held 10.00; in 30.00, out 5.00\n"
    )


def test_it_is_of_the_time_that_was_asked_for(koshel: Koshel, books: Database) -> None:
    between = ("--since", "2026-01-10", "--until", "2026-02-01T01:00:00+01:00")
    ended = koshel("statement", "2", *between, database_url=books.owner_url)
    lines = ended.printed.splitlines()
    assert lines[1] == "before: balance 30.00, held 0.00"
    assert [line.split()[4] for line in lines[4:-1]] == ["hold"]
    assert lines[-1] == "after: balance 30.00, held 10.00; in 0.00, out 0.00"


def test_a_long_one_is_written_while_it_is_read(
    koshel: Koshel, books: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = koshel("statement", "2", database_url=books.owner_url).printed
    monkeypatch.setattr("koshel.library.book_pages.PAGE", 1)
    assert koshel("statement", "2", database_url=books.owner_url).printed == whole
    monkeypatch.setattr("koshel.command_line.statement.LINES_AT_ONCE", 1)
    some = koshel("statement", "2", database_url=books.owner_url).printed
    assert [line.split() for line in some.splitlines() if "-----" not in line] == [
        line.split() for line in whole.splitlines() if "-----" not in line
    ]


def test_a_statement_is_drawn(koshel: Koshel, books: Database, tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    ended = koshel("statement", "@users:bob", "--plot", str(path), database_url=books.owner_url)
    assert (ended.status, ended.printed, ended.complained) == (0, "", "")
    drawn = Drawn(path.read_bytes())
    assert drawn.text("title") == "Statement of @users:bob (account 2)"
    assert drawn.text("facts") == "ledger main · USD · 2026-01-02 00:00 to 2026-02-01 00:00 UTC · 3 lines"
    assert {"balance, at the end 25.00", "held, at the end 10.00"} <= {*drawn.texts}


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ("--since 2026-01-01 --until 2026-03-01", "2026-01-01 00:00 to 2026-03-01 00:00 UTC · 3 lines"),
        ("--since 0001-01-01 --until 9999-12-31T23:59:59Z", "2025-12-31 00:00 to"),
        ("--until 0001-01-01", "1-01-01 00:00:00 to"),
        ("--since 9999-12-31T23:59:59.999999Z", "· 0 lines"),
    ],
)
def test_a_picture_is_of_the_time_that_was_asked_for(
    koshel: Koshel, books: Database, tmp_path: Path, times: str, span: str
) -> None:
    path = tmp_path / "out.svg"
    ended = koshel("statement", "2", *times.split(), "--plot", str(path), database_url=books.owner_url)
    assert ended.status == 0, ended
    assert span in Drawn(path.read_bytes()).text("facts")


def test_volume_is_a_table_json_or_csv(koshel: Koshel, books: Database) -> None:
    printed = koshel("volume", database_url=books.owner_url).printed
    assert printed.splitlines()[:1] == ["currency  kind        day         transactions   total"]
    rows = [["USD", kind, day, "1", total] for kind, (day, total) in MOVED.items()]
    assert [line.split() for line in printed.splitlines()[2:]] == rows
    said = json.loads(koshel("volume", "--json", database_url=books.owner_url).printed)
    assert [[one[name] for name in ("currency", "kind", "day")] for one in said["volumes"]] == [row[:3] for row in rows]
    text = koshel("volume", "--csv", "--group-by", "name_prefix:2", database_url=books.owner_url).printed
    assert list(csv.reader(io.StringIO(text))) == [
        ["name_prefix", "currency", "transactions", "total", "total_in", "total_out"],
        ["users:ann", "USD", "2", "130.00", "100.00", "30.00"],
        ["users:bob", "USD", "2", "35.00", "30.00", "5.00"],
    ]
    assert koshel("volume", "--ledger", "empty", database_url=books.owner_url).printed == "Nothing has moved.\n"


def test_volume_is_drawn(koshel: Koshel, books: Database, tmp_path: Path) -> None:
    path = tmp_path / "out.svg"
    ended = koshel("volume", "--plot", str(path), database_url=books.owner_url)
    assert (ended.status, ended.printed, ended.complained) == (0, "", "")
    drawn = Drawn(path.read_bytes())
    assert drawn.text("title") == "Volume of the ledger main"
    assert drawn.text("facts") == "from 2026-01-01 to 2026-02-01 (UTC) · a bar is a day"
    assert {"payment", "transfer", "withdrawal", "USD"} <= {*drawn.texts}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["statement", "@nobody"], "there is no account @nobody"),
        (["statement", "999"], "there is no account 999"),
        (["statement", "nobody"], "'nobody' is neither the id of an account nor @ and a name"),
        (["statement", "0"], "'0' is neither the id of an account nor @ and a name"),
        (["statement", "1", "--ledger", "empty"], "there is no account 1"),
        (["statement", "1", "--ledger", "nowhere"], "there is no ledger 'nowhere'"),
        (["statement", "1", "--plot", "out.pdf"], "out.pdf: the name must end in .svg or .png"),
        (["statement", "1", "--plot", "no/such/out.svg"], "No such file or directory"),
        (["statement", "1", "--since", "2026-02-01", "--until", "2026-01-01"], "--since must not be after --until"),
        (["volume", "--since", "2026-02-01", "--until", "2026-01-01"], "--since must not be after --until"),
        (["volume", "--group-by", "weather"], "--group-by must be some of name_prefix:N, currency, kind, day"),
        (["volume", "--group-by", "kind,kind"], "--group-by must have each of them once"),
        (["volume", "--group-by", "name_prefix:0"], "with N from 1 to 99"),
        (["volume", "--group-by", "kind", "--plot", "out.svg"], "--plot draws days or names"),
        (["volume", "--group-by", "day,name_prefix:1", "--plot", "out.svg"], "and not both"),
        (["volume", "--plot", "out"], "out: the name must end in .svg or .png"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(
    koshel: Koshel, books: Database, arguments: list[str], says: str
) -> None:
    ended = koshel(*arguments, database_url=books.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.startswith("koshel: ")
    assert ended.complained.count("\n") == 1
    assert says in ended.complained


@pytest.mark.parametrize("times", [["--since", "yesterday"], ["--until", "2026-02-30"], ["--until", "10000-01-01"]])
def test_what_is_no_time_is_refused(koshel: Koshel, times: list[str]) -> None:
    ended = koshel("volume", *times)
    assert ended.status == 2
    assert "or a day such as 2027-01-31" in ended.complained


def test_of_the_forms_only_one_is_given(koshel: Koshel) -> None:
    assert koshel("volume", "--json", "--csv").status == 2
    assert koshel("volume", "--json", "--plot", "out.svg").status == 2


def test_neither_makes_a_database(koshel: Koshel, tmp_path: Path) -> None:
    for arguments in (["volume"], ["statement", "1"]):
        ended = koshel(*arguments, data_dir=str(tmp_path / "none"))
        assert ended.status == 1
        assert "there is no database" in ended.complained
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [["statement", "1"], ["volume"]])
def test_without_matplotlib_it_says_what_to_install_and_prints_tables_all_the_same(
    books: Database, command: list[str]
) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", WITHOUT, *arguments],
            env=environment({"database_url": books.owner_url}),
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    drawn = run(*command, "--plot", "out.svg")
    said = f"koshel: koshel {command[0]} --plot draws with matplotlib: {extras.how_to_install('plot')}\n"
    assert (drawn.returncode, drawn.stdout, drawn.stderr) == (1, "", said)
    assert run(*command).returncode == 0


def test_a_reader_that_has_seen_enough_is_no_fault(books: Database) -> None:
    receives, sends = os.pipe()
    os.close(receives)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "koshel", "volume"],
            env=environment({"database_url": books.owner_url}),
            stdout=sends,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(sends)
    assert (ended.returncode, ended.stderr) == (ENDED_BY_SIGPIPE, b"")
