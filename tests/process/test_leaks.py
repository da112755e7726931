"""No secret and no email is in a log, an error or a process's arguments; and the suite's watch would see it."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from koshel.config.surroundings import without_passwords
from koshel.serving import startup
from tests.support import command, leaks
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.launch import serving_into

SECRET = "s3cret-w0rd"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("key koshel_live_" + "a" * 49, "an API key"),
        ("Authorization: Bearer abcdefgh.ijkl", "a token"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a JWT"),
        ("at postgresql://koshel:hunter2@db/koshel", "a password"),
        ("password=hunter2", "a password"),
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("account of ann+1@mail.example.com", "an email"),
    ],
)
def test_the_watch_sees_what_no_log_may_hold(line: str, what: str) -> None:
    (found,) = leaks.found_in(f"harmless\n{line}\nharmless")
    assert found == f"{what}: {line}"


@pytest.mark.parametrize(
    "line",
    [
        "the role koshel_service lacks SELECT ON account",
        "at postgresql://koshel_service@db:5432/koshel",
        "POST '/account' 201 3 ms  7f3a  ::1",
        "callers need an API key; make one with `koshel key create --scope admin`",
    ],
)
def test_the_watch_passes_over_what_is_harmless(line: str) -> None:
    assert leaks.found_in(line) == []


def test_files_and_what_is_returned_are_watched(tmp_path: Path) -> None:
    leaked = leaks.Watch()
    with (tmp_path / "err").open("wb") as stream:
        leaked.follow(stream)
        stream.write(b"ann@example.com\n")
        stream.flush()
        assert len(leaked.leaks()) == 1
        stream.write(b"bob@example.com\n")
        stream.flush()
        (found,) = leaked.leaks()
        assert "bob" in found, "what was read is not read again"
    (tmp_path / "err").unlink()
    leaked.follow(subprocess.PIPE)
    assert leaked.leaks() == []


def test_a_row_that_the_database_refuses_is_not_quoted_in_the_log(database: Database, tmp_path: Path) -> None:
    execute(database.owner_url, "ALTER TABLE account ADD CHECK (email NOT LIKE 'zed%')")
    with serving_into(tmp_path, database.service_url, log_format="json") as (service, _, err):
        answer = service.call("POST", "/account", {"email": "zed@example.com", "metadata": {"name": "Zed"}})
        assert answer.status == 500
    (line,) = [line for line in err.read_text().splitlines() if "internal error" in line]
    assert "violates check constraint" in line
    assert "zed" not in line.replace("zed%", "")
    assert "Zed" not in line
    assert json.loads(line)["request_id"] == answer.body["request_id"]


def test_a_password_is_in_no_log_and_among_no_arguments(database: Database, tmp_path: Path) -> None:
    url = database.service_url.replace("@", f":{SECRET}@", 1)
    with serving_into(tmp_path, url) as (service, out, err):
        for pid in (service.process.pid, *service.workers()):
            assert SECRET not in Path(f"/proc/{pid}/cmdline").read_text()
    assert SECRET not in out.read_text() + err.read_text()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["verify", f"--database-url=postgresql://me:{SECRET}@127.0.0.1:1/db"], 2),
        (["verify", "--database-url", f"postgresql://me:{SECRET}@127.0.0.1:1/a b"], 2),
        (["verify", "--database-url", f"mysql://me:{SECRET}@127.0.0.1/db"], 2),
        (["verify", "--database-ur", f"postgresql://me:{SECRET}@127.0.0.1/db"], 2),
        (["verify", f"--database-ur=postgresql://me@127.0.0.1/db?password={SECRET}"], 2),
        (["migrate", f"postgresql://me:{SECRET}@127.0.0.1/db"], 2),
    ],
)
def test_a_command_that_cannot_do_it_does_not_repeat_a_password(arguments: list[str], status: int) -> None:
    ended = command.run(*arguments)
    assert ended.returncode == status
    assert SECRET not in ended.stdout + ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:pw@h/db", "postgresql://me:…@h/db"),
        ("a postgresql://me:p/w@h/db and b://:x@y", "a postgresql://me:…@h/db and b://:…@y"),
        ("postgresql://h/db?user=me&password=pw&x=1", "postgresql://h/db?user=me&password=…&x=1"),
        ("postgresql://h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://me@h:5432/db", "postgresql://me@h:5432/db"),
    ],
)
def test_passwords_of_urls_are_hidden(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


def test_a_password_on_the_command_line_is_worth_a_warning() -> None:
    with capture_logs() as logged:
        startup.warn_of_password({"database_url": "postgresql://me@h/db"})
        startup.warn_of_password({"database_url": None})
        assert logged == []
        startup.warn_of_password({"database_url": "postgresql://me:pw@h/db"})
    (said,) = logged
    assert "PGPASSFILE" in said["event"]
    assert "pw@" not in str(said)


def test_psycopgs_words_for_a_refused_row_do_not_quote_it(database: Database) -> None:
    from koshel.db.starting import words  # noqa: PLC0415

    with psycopg.connect(database.owner_url) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute("INSERT INTO koshel.currency (code, scale) VALUES ('zed@example.com', 2)")
    assert "zed" in str(refused.value)
    assert "zed" not in words.of(refused.value)
    assert "violates check constraint" in words.of(refused.value)


def test_koshel_runs_are_watched() -> None:
    done = subprocess.run([sys.executable, "-m", "koshel", "--version"], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("koshel ")
    assert subprocess.Popen is leaks.WatchedPopen
