"""What holds for every command: where it writes, how it is stopped, and which arguments it cannot take together."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from koshel.command_line.running import ENDED_BY_SIGPIPE
from tests.support import command
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query

CLOSED = "koshel: standard output is closed, so nothing is done; >/dev/null drops what is printed\n"
FULL = "koshel: No space left on device\n"
COMMANDS: Sequence[Sequence[str]] = (
    ["key", "create", "--scope", "admin"],
    ["key", "list"],
    ["ledger", "create", "shop"],
    ["ledger", "list"],
    ["currency", "list"],
    ["migrate", "--check"],
    ["verify"],
    ["openapi"],
    ["volume"],
    ["export", "accounts", "--output", "-"],
    ["serve", "--port", "0"],
)
PRINTING: Sequence[Sequence[str]] = (["ledger", "list"], ["migrate", "--check"], ["openapi"], ["verify"], ["volume"])
LOOKING = (["verify"], ["migrate", "--check"])  # 1 says what was found
NO_TEXT = os.fsdecode(b"\xff")


def run(database: Database, redirected: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command, run by a shell that redirects its streams."""
    program = f'exec "$0" -m koshel "$@" {redirected}'
    return subprocess.run(
        ["/bin/sh", "-c", program, sys.executable, *arguments],
        env=command.environment({"database_url": database.owner_url}),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_where_nobody_can_see_what_it_prints_a_command_does_nothing(
    database: Database, arguments: Sequence[str]
) -> None:
    ended = run(database, ">&-", *arguments)
    assert (ended.returncode, ended.stderr) == (2 if arguments in LOOKING else 1, CLOSED)
    assert query(database, "SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM api_key)") == [(1, 0)]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_what_cannot_be_written_is_said_once(database: Database, arguments: Sequence[str]) -> None:
    ended = run(database, ">/dev/full", *arguments)
    assert (ended.returncode, ended.stderr) == (2 if arguments in LOOKING else 1, FULL)


@pytest.mark.parametrize("arguments", [*PRINTING, ["--help"], ["serve", "--help"]], ids=" ".join)
def test_a_reader_that_has_gone_ends_a_command_without_a_word(database: Database, arguments: Sequence[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "koshel", *arguments],
            env=command.environment({"database_url": database.owner_url}),
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0 if "--help" in arguments else ENDED_BY_SIGPIPE, b"")


def test_a_command_works_without_the_other_streams(database: Database) -> None:
    made = run(database, "<&- 2>&-", "key", "create", "--scope", "admin")
    assert made.returncode == 0
    assert made.stdout.startswith("koshel_live_")
    assert run(database, "<&- 2>&-", "key", "revoke", "7").returncode == 1


@pytest.mark.parametrize("module", ["koshel.command_line.running", "argparse", "koshel.config.settings", "psycopg"])
def test_ctrl_c_ends_a_command_without_a_word_while_it_imports_what_it_needs(database: Database, module: str) -> None:
    program = f"""
import sys
from koshel.command_line import cli
class Interrupted:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.modules.pop({module!r}, None)
sys.exit(cli.main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, "currency", "list"],
        env=command.environment({"database_url": database.owner_url}),
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "accounts", "--output", "-", "--ledger", NO_TEXT],
        ["ledger", "grant", "main", NO_TEXT],
        ["ledger", "rename", NO_TEXT, "shop"],
        ["key", "create", "--scope", "read", "--name", NO_TEXT],
        ["key", "list", f"--ledger={NO_TEXT}"],
        ["account", "erase", f"@{NO_TEXT}"],
        ["serve", "--host", NO_TEXT],
        ["psql", "-c", NO_TEXT],
        [NO_TEXT],
    ],
)
def test_an_argument_that_is_not_utf_8_is_refused_before_all_else(koshel: Koshel, arguments: list[str]) -> None:
    ended = koshel(*arguments)
    place = next(place for place, text in enumerate(arguments, 1) if NO_TEXT in text)
    assert (ended.status, ended.printed) == (2, "")
    assert ended.complained == f"koshel: argument {place} is not UTF-8; see koshel --help\n"


def test_a_directory_and_a_url_are_not_taken_together(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    for arguments, chosen, said in (
        (["--data-dir", str(tmp_path)], {"database_url": database.owner_url}, "KOSHEL_DATABASE_URL"),
        (["--data-dir", str(tmp_path), "--database-url", database.owner_url], {}, "--database-url"),
    ):
        ended = koshel("verify", *arguments, **chosen)
        assert (ended.status, ended.printed) == (2, "")
        assert ended.complained == (
            f"koshel: --data-dir is where the embedded database is, and {said} names another one: give one of them\n"
        )
    assert koshel("verify", database_url=database.owner_url, data_dir=str(tmp_path)).status == 0


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["openapi"], "--database-url"),
        (["verify"], "--service-role"),
        (["key", "list"], "--service-role"),
        (["import", "transactions", "a.csv"], "--currency"),
        (["import", "transactions", "a.csv"], "--max-balance"),
    ],
)
def test_a_setting_that_a_command_has_no_use_for_is_refused(koshel: Koshel, arguments: list[str], flag: str) -> None:
    ended = koshel(*arguments, flag, "x")
    assert ended.status == 2
    assert f"unrecognized arguments: {flag} x" in ended.complained
