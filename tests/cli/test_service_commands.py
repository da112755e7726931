"""`koshel migrate`: what it would do, and what it says of a newer schema, or of a role that is not there."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import migrate
from koshel.db.starting.schema import known
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query

NEWER = "0099.of_tomorrow"
SAID = f"schema is newer than this version of Koshel, which does not know {NEWER}"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def newer(database: Database) -> Database:
    """A database that a later version has migrated."""
    execute(database.owner_url, f"INSERT INTO _yoyo_migration VALUES ('{'0' * 64}', '{NEWER}', now())")
    return database


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """The URL of a database without a schema."""
    name = f"unmigrated_{os.getpid()}"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield cluster.url(database=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_role_that_is_not_there_is_said_before_anything_is_applied(koshel: Koshel, empty: str) -> None:
    said = (
        "koshel: there is no database role 'nosuchrole', so nothing was done: make it first, as a superuser:"
        " CREATE ROLE nosuchrole LOGIN PASSWORD '…'\n"
    )
    ended = koshel("migrate", "--service-role", "nosuchrole", database_url=empty)
    assert (ended.status, ended.printed, ended.complained) == (1, "", said)
    assert migrate.due(empty) == known()
    migrate.migrate(empty)
    checked = koshel("migrate", "--check", "--service-role", "nosuchrole", database_url=empty)
    assert (checked.status, checked.printed, checked.complained) == (2, "", said)


def test_rights_that_the_named_role_lacks_are_due(koshel: Koshel, empty: str) -> None:
    koshel("migrate", database_url=empty)
    arguments = ("migrate", "--check", "--service-role", embedded.SERVICE)
    before = koshel(*arguments, database_url=empty)
    assert before.status == 1
    assert f"due: the role {embedded.SERVICE} lacks INSERT ON transaction\n" in before.printed
    assert "The schema is current" not in before.printed
    assert koshel("migrate", "--check", database_url=empty).printed == "The schema is current.\n"
    koshel("migrate", "--service-role", embedded.SERVICE, database_url=empty)
    after = koshel(*arguments, database_url=empty)
    assert (after.status, after.printed) == (0, "The schema is current.\n")
    execute(empty, f"REVOKE UPDATE (due) ON koshel.queued FROM {embedded.SERVICE}")
    one = koshel(*arguments, database_url=empty)
    assert (one.status, one.printed) == (1, f"due: the role {embedded.SERVICE} lacks UPDATE (due) ON queued\n")


def test_row_level_security_that_is_not_as_it_should_be_is_due(koshel: Koshel, database: Database) -> None:
    for wish, said in (("on", (1, "due: row-level security is not on\n")), ("off", (0, "The schema is current.\n"))):
        ended = koshel("migrate", "--check", "--row-security", wish, database_url=database.owner_url)
        assert (ended.status, ended.printed) == said
    koshel("migrate", "--row-security", "on", "--service-role", embedded.SERVICE, database_url=database.owner_url)
    ended = koshel("migrate", "--check", "--row-security", "off", database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "due: row-level security is not off\n")


@pytest.mark.parametrize("url", [UNREACHABLE, "nonsense"])
def test_who_could_not_look_is_told_so_by_the_status(koshel: Koshel, url: str) -> None:
    assert koshel("migrate", "--check", database_url=url).status == 2
    assert koshel("migrate", database_url=url).status == 1


def test_a_newer_schema_is_no_proof(koshel: Koshel, newer: Database) -> None:
    ended = koshel("verify", database_url=newer.owner_url)
    assert (ended.status, ended.printed) == (2, "")
    assert ended.complained == f"koshel: the {SAID}: prove the books with the version that has migrated them\n"


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_a_newer_schema_is_not_said_to_be_current(koshel: Koshel, newer: Database, arguments: list[str]) -> None:
    ended = koshel("migrate", *arguments, database_url=newer.owner_url)
    assert (ended.status, ended.printed, ended.complained) == (0, f"The {SAID}.\n", "")


def test_a_schema_may_be_newer_and_lack_something(koshel: Koshel, newer: Database) -> None:
    execute(newer.owner_url, "DELETE FROM _yoyo_migration WHERE migration_id = '0003.checks'")
    ended = koshel("migrate", "--check", database_url=newer.owner_url)
    assert (ended.status, ended.printed) == (1, f"due: 0003.checks\nThe {SAID}.\n")


def test_other_commands_work_on_a_newer_schema_and_say_it(koshel: Koshel, newer: Database) -> None:
    ended = koshel("ledger", "create", "shop", database_url=newer.owner_url)
    assert (ended.status, ended.printed, ended.complained) == (0, "shop\n", f"koshel: the {SAID}\n")
    assert query(newer, "SELECT count(*) FROM ledger") == [(2,)]


def test_a_check_waits_for_a_lock_no_longer_than_it_is_told(koshel: Koshel, database: Database) -> None:
    with psycopg.connect(database.owner_url) as holder:
        holder.execute("LOCK TABLE koshel._yoyo_migration IN ACCESS EXCLUSIVE MODE")
        ended = koshel("migrate", "--check", "--migration-lock-timeout-ms", "50", database_url=database.owner_url)
    assert (ended.status, ended.printed) == (2, "")
    assert "gave up after 0.05 s" in ended.complained


def test_the_embedded_database_has_a_role_and_takes_no_other(koshel: Koshel, tmp_path: Path) -> None:
    ended = koshel("migrate", "--service-role", "somebody", data_dir=str(tmp_path))
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained == (
        "koshel: the embedded database has its own role for the service, koshel_service; name no other\n"
    )
    assert not list(tmp_path.iterdir())
