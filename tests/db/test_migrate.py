"""Migrations: frozen once released, applied once, by one process at a time, whole or not at all."""

import hashlib
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from koshel.db import queries
from koshel.db.server.embedded import Cluster
from koshel.db.starting import migrate, schema
from tests.support import command
from tests.support.bookkeeping import execute
from tests.support.frozen import FROZEN

NAMES = [name.removesuffix(".sql") for name in FROZEN]
DUE, APPLIED = ("".join(f"{verb}: {name}\n" for name in NAMES) for verb in ("due", "applied"))
DROP_ALL = (
    "DROP TABLE ledger, currency, account, transaction, receipt, batch, hold CASCADE; DROP DOMAIN account_name",
    "DROP TABLE queued, declined, cancelled, turnover, split, exchange, transaction_change, account_change, api_key",
    "DROP SEQUENCE account_id, transaction_id, group_id, api_key_id; DROP FUNCTION make_partitions",
)
SLOWLY = """ -- one table of a migration takes longer than a hasty role's limits
CREATE FUNCTION slowly() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(1) FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'koshel.declined';
END $$"""

_numbers = itertools.count(1)


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """The URL of a database without a schema."""
    name = f"empty_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield cluster.url(database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'koshel'")}


def wait_for_waiters(url: str, count: int) -> None:
    """Return when so many processes wait for the advisory lock."""
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            waiting = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if waiting.fetchone() == (count,):
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits for the lock")


def test_a_released_migration_is_never_changed() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in schema.DIRECTORY.iterdir()}
    assert found == FROZEN


def test_every_migration_runs_in_a_transaction() -> None:
    for name in FROZEN:
        assert "transactional:" not in Path(schema.DIRECTORY, name).read_text()


def test_migrating_applies_what_is_due_once(empty: str) -> None:
    assert migrate.due(empty) == NAMES
    assert migrate.migrate(empty) == NAMES
    assert migrate.due(empty) == []
    assert migrate.migrate(empty) == []


def test_asking_what_is_due_changes_nothing(empty: str) -> None:
    migrate.due(empty)
    assert tables(empty) == set()


def test_check_exits_1_while_a_migration_is_due_and_0_after_it(empty: str) -> None:
    before = command.run("migrate", "--check", database_url=empty)
    assert (before.returncode, before.stdout) == (1, DUE)
    assert tables(empty) == set()
    applied = command.run("migrate", database_url=empty)
    assert (applied.returncode, applied.stdout) == (0, APPLIED)
    after = command.run("migrate", "--check", database_url=empty)
    assert (after.returncode, after.stdout, after.stderr) == (0, "The schema is current.\n", "")


def test_two_processes_may_migrate_at_once(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as guard:
        guard.execute(queries.load().lock_migrations)
        processes = [command.start("migrate", database_url=empty) for _ in range(2)]
        wait_for_waiters(empty, 2)
    printed = sorted(process.communicate(timeout=60) for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert printed == [("The schema is current.\n", ""), (APPLIED, "")]


def test_a_migration_that_fails_leaves_nothing_behind(empty: str) -> None:
    execute(empty, "CREATE SCHEMA koshel", "CREATE TABLE koshel.receipt (occupied text)")
    with pytest.raises(migrate.MigrationError, match="receipt"):
        migrate.migrate(empty)
    assert "account" not in tables(empty)
    execute(empty, "DROP TABLE receipt")
    assert migrate.migrate(empty) == NAMES


def test_what_was_applied_before_a_migration_that_fails_stays(empty: str) -> None:
    execute(empty, "CREATE SCHEMA koshel", "CREATE TABLE koshel.hold (occupied text)")
    with pytest.raises(migrate.MigrationError, match="hold"):
        migrate.migrate(empty)
    assert migrate.due(empty) == NAMES[1:]
    assert "queued" not in tables(empty)
    execute(empty, "DROP TABLE hold")
    assert migrate.migrate(empty) == NAMES[1:]


def test_a_process_killed_while_it_migrates_leaves_nothing_behind(empty: str) -> None:
    migrate.migrate(empty)
    execute(empty, *DROP_ALL, "DELETE FROM _yoyo_migration")
    with psycopg.connect(empty) as holder:
        holder.execute("LOCK TABLE _yoyo_migration IN SHARE MODE")  # it has made the tables, and cannot say so
        process = command.start("migrate", database_url=empty)
        wait_for_a_stuck_mark(empty)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    assert "account" not in tables(empty)
    assert migrate.migrate(empty) == NAMES


def wait_for_a_stuck_mark(url: str) -> None:
    deadline = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            waiting = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted")
            if waiting.fetchone() != (0,):
                return
            time.sleep(0.05)
    raise AssertionError("the migration is not held up")


def test_the_lock_goes_with_the_connection_that_held_it(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as guard:
        guard.execute(queries.load().lock_migrations)
        process = command.start("migrate", database_url=empty)
        wait_for_waiters(empty, 1)
        execute(empty, f"SELECT pg_terminate_backend({guard.info.backend_pid})")
        assert (process.communicate(timeout=60)[0], process.returncode) == (APPLIED, 0)


def test_a_lock_that_is_never_free_is_waited_for_a_bounded_time(empty: str) -> None:
    migrate.migrate(empty)
    execute(empty, *DROP_ALL, "DELETE FROM _yoyo_migration")
    with psycopg.connect(empty) as holder:
        holder.execute("LOCK TABLE _yoyo_migration IN SHARE MODE")
        pid = holder.info.backend_pid
        ended = command.run("migrate", database_url=empty, migration_lock_timeout_ms="50")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.search(rf"end that transaction \(process {pid} of \w+, for \d+ s, on _yoyo_migration\), or", ended.stderr)
    assert ended.stderr.startswith("koshel: the migration gave up after 0.05 s of waiting for a lock")
    assert "KOSHEL_MIGRATION_LOCK_TIMEOUT_MS" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "account" not in tables(empty)
    assert migrate.migrate(empty) == NAMES


def test_even_reading_what_is_due_waits_a_bounded_time(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.migrate(empty)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 50)
    with psycopg.connect(empty) as holder:
        holder.execute("LOCK TABLE _yoyo_migration IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(migrate.MigrationError, match="waiting for a lock"):
            migrate.due(empty)


def test_another_process_that_migrates_without_end_is_waited_for_a_bounded_time(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TURN_TIMEOUT_MS", 60)
    with psycopg.connect(empty, autocommit=True) as guard:
        guard.execute(queries.load().lock_migrations)
        with pytest.raises(migrate.MigrationError, match=r"another process has been migrating for 0\.001 minutes"):
            migrate.migrate(empty)
    assert tables(empty) == set()


def test_a_role_s_time_limits_do_not_stop_a_migration(empty: str) -> None:
    limits = ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
    execute(
        empty,
        "CREATE ROLE hasty LOGIN SUPERUSER",
        *(f"ALTER ROLE hasty SET {limit} = '500ms'" for limit in limits),
        SLOWLY,
        "CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slowly()",
    )
    try:
        assert migrate.migrate(empty.replace("//koshel@", "//hasty@")) == NAMES
    finally:
        execute(empty, "DROP OWNED BY hasty CASCADE", "DROP ROLE hasty")


def test_a_lock_row_that_yoyo_left_behind_is_nobodys(empty: str) -> None:
    migrate.migrate(empty)
    execute(empty, *DROP_ALL, "DROP TABLE _yoyo_version, _yoyo_log, _yoyo_migration")
    execute(empty, "INSERT INTO yoyo_lock VALUES (1, now(), 1)")
    assert migrate.migrate(empty) == NAMES


@pytest.mark.parametrize("migrated", [True, False])
def test_a_role_without_the_rights_is_told_who_has_them(empty: str, *, migrated: bool) -> None:
    if migrated:
        migrate.migrate(empty)
    execute(empty, "CREATE ROLE stranger LOGIN")
    try:
        runs: list[Callable[[str], object]] = [migrate.due, migrate.migrate] if migrated else [migrate.migrate]
        for run in runs:
            with pytest.raises(migrate.MigrationError) as refused:
                run(empty.replace("koshel@", "stranger@"))
            assert str(refused.value).startswith("the role stranger may not do this (permission denied for ")
            assert str(refused.value).endswith("; run it as the owner of the database")
            assert "\n" not in str(refused.value)
    finally:
        execute(empty, "DROP ROLE stranger")


def test_a_database_that_is_away_is_said_in_one_line() -> None:
    with pytest.raises(migrate.MigrationError, match=r"^127\.0\.0\.1:1: Connection refused$"):
        migrate.due("postgresql://nobody@127.0.0.1:1/nothing")
    done = command.run("migrate", database_url="postgresql://nobody@127.0.0.1:1/nothing")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
