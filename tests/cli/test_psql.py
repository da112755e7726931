"""`koshel psql`: a shell on whichever database is configured, with the arguments of psql."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from itertools import chain
from pathlib import Path

import psycopg
import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import embedded, programs
from koshel.db.starting import shell
from tests.support import command
from tests.support.database import Database
from tests.support.outage import listens
from tests.support.waiting import wait_until

ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
ASK = ("-X", "-A", "-t", "-c", "SELECT current_user")


def test_it_is_on_the_database_that_is_named(database: Database) -> None:
    ended = command.run("psql", *ASK, database_url=database.service_url)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "koshel_service\n", "")


def test_its_arguments_may_follow_two_dashes(database: Database) -> None:
    ended = command.run("psql", "--", *ASK, database_url=database.service_url)
    assert (ended.returncode, ended.stdout) == (0, "koshel_service\n")


def test_a_flag_of_ours_stands_beside_those_of_psql(database: Database) -> None:
    ended = command.run("psql", "--database-url", database.owner_url, *ASK, database_url="postgresql://elsewhere/x")
    assert (ended.returncode, ended.stdout) == (0, "koshel\n")


def test_its_status_is_that_of_psql(database: Database) -> None:
    ended = command.run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", "SELECT 1/0", database_url=database.owner_url)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "division by zero" in ended.stderr


def test_it_is_on_the_embedded_database_which_runs_for_as_long_as_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.run("migrate", data_dir=str(tmp_path)).returncode == 0
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")  # for other databases than this
    monkeypatch.setenv("PGUSER", "somebody")
    ended = command.run("psql", "-X", "-A", "-t", "-c", "SELECT count(*) FROM ledger", data_dir=str(tmp_path))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1\n", "")
    assert not listens(tmp_path / "postgres")


def is_asleep(url: str) -> bool:
    with psycopg.connect(url) as connection:
        (count,) = connection.execute(ASLEEP).fetchone() or (0,)
    return bool(count)


def test_an_interrupt_ends_a_query_and_not_the_server_under_it(tmp_path: Path) -> None:
    assert command.run("migrate", data_dir=str(tmp_path)).returncode == 0
    program = [sys.executable, "-m", "koshel", "psql", "-X", "-c", "SELECT pg_sleep(600)", "-c", "SELECT 'awake'"]
    environment = command.environment({"data_dir": str(tmp_path)})
    with (
        embedded.running(tmp_path) as cluster,
        subprocess.Popen(
            program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process,
    ):
        wait_until(lambda: is_asleep(cluster.url()), "a query under way")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does for Ctrl-C: to both
        printed, complained = process.communicate(timeout=60)
    assert "canceling statement due to user request" in complained
    assert "Traceback" not in complained
    assert "awake" not in printed
    assert process.returncode == 1  # of psql


def test_where_there_is_no_database_it_makes_none(tmp_path: Path) -> None:
    ended = command.run("psql", *ASK, data_dir=str(tmp_path / "none"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("koshel: there is no database")
    assert not (tmp_path / "none").exists()


def test_a_password_is_not_among_the_arguments_which_everybody_can_read() -> None:
    words, surroundings = shell._prepared("postgresql://me:secret@db:6432/koshel", ["-c", "x"], dict(os.environ))
    assert words[1:] == ["--dbname=user=me dbname=koshel host=db port=6432", "-c", "x"]
    assert surroundings["PGPASSWORD"] == "secret"


def test_neither_is_what_unlocks_a_key_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    words, surroundings = shell._prepared("postgresql://me@db/koshel?sslkey=/k&sslpassword=secret", [], {})
    assert "secret" not in " ".join([*words, *surroundings.values()])
    assert words[1:] == ["--dbname=user=me dbname=koshel host=db sslkey=/k"]
    said = capsys.readouterr().err
    assert "sslpassword is not passed on" in said
    assert "secret" not in said


def fake_psql(directory: Path) -> Path:
    program = directory / "psql"
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_without_the_package_s_own_it_takes_the_one_that_is_installed_or_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise EmbeddedError("not installed")

    own = shell.find(str(tmp_path))
    assert own == shutil.which("psql", path=str(programs.directory()))
    monkeypatch.setattr(programs, "directory", missing)
    with pytest.raises(shell.NoShell, match="postgresql-client"):
        shell.find(str(tmp_path))
    program = fake_psql(tmp_path)
    assert shell.find(str(tmp_path)) == str(program)


def test_it_finds_the_tables_without_their_schema_and_keeps_what_the_url_has_set(database: Database) -> None:
    url = f"{database.service_url}&options=-c%20work_mem%3D7MB"
    asked = [("-c", statement) for statement in ("SELECT count(*) FROM ledger", "SHOW work_mem", "SHOW search_path")]
    said = command.run("psql", "-X", "-A", "-t", *chain.from_iterable(asked), database_url=url)
    assert (said.returncode, said.stdout) == (0, '1\n7MB\nkoshel,"$user", public\n')
