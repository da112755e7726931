"""The commands of keys: a key leaves alone, once, and what nobody could see is not kept."""

import stat
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from koshel.api_keys import digest_of
from tests.support.bookkeeping import execute
from tests.support.command import environment
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query

# Fails when the database transaction that makes a key is to be committed.
NEVER_COMMITTED = """
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
CREATE CONSTRAINT TRIGGER never AFTER INSERT ON api_key DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION never()
"""


def test_a_key_is_printed_alone_and_kept_as_its_digest(koshel: Koshel, database: Database) -> None:
    ended = koshel("key", "create", "--scope", "write", "--name", "till 7", database_url=database.owner_url)
    assert ended.status == 0
    assert ended.printed.count("\n") == 1
    digest = digest_of(ended.printed.strip())
    assert digest is not None
    assert query(database, "SELECT ledger_id, name, scope, digest, expires_at FROM api_key") == [
        (1, "till 7", "write", digest, None)
    ]
    assert ended.complained == "koshel: key 1 of the ledger main, scope write; it is not shown again\n"


def test_a_key_may_expire_and_be_of_any_ledger(koshel: Koshel, database: Database) -> None:
    assert koshel("ledger", "create", "shop", database_url=database.owner_url).printed == "shop\n"
    ended = koshel(
        *("key", "create", "--ledger", "shop", "--scope", "read", "--expires", "90d"), database_url=database.owner_url
    )
    assert "of the ledger shop, scope read, until 2" in ended.complained
    lasts = "k.expires_at - k.ctime = interval '90 days'"
    found = query(database, f"SELECT l.name, {lasts} FROM api_key AS k JOIN ledger AS l ON l.id = k.ledger_id")
    assert found == [("shop", True)]


def test_a_key_is_written_to_a_file_once(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "key"
    create = ("key", "create", "--scope", "admin", "--output", str(path))
    koshel(*create, database_url="postgresql://nobody@127.0.0.1:1/nothing")
    made = koshel(*create, database_url=database.owner_url)
    assert (made.status, made.printed) == (0, "")
    assert "koshel_live_" not in made.complained
    assert digest_of(path.read_text().strip()) is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = koshel(*create, database_url=database.owner_url)
    assert (again.status, again.printed) == (0, "")
    assert "is there already" in again.complained
    assert query(database, "SELECT count(*) FROM api_key") == [(1,)]


def test_a_file_that_cannot_be_written_is_said_before_there_is_a_key(koshel: Koshel, database: Database) -> None:
    ended = koshel(*("key", "create", "--scope", "admin", "--output", "/nowhere/key"), database_url=database.owner_url)
    assert (ended.status, ended.complained.count("\n")) == (1, 1)
    assert query(database, "SELECT count(*) FROM api_key") == [(0,)]


def test_keys_are_listed_without_the_keys_themselves(koshel: Koshel, database: Database) -> None:
    koshel("ledger", "create", "shop", database_url=database.owner_url)
    for ledger in ("main", "shop"):
        koshel("key", "create", "--scope", "read", "--ledger", ledger, database_url=database.owner_url)
    listed = koshel("key", "list", database_url=database.owner_url).printed.splitlines()
    assert [line.split("\t")[:5] for line in listed] == [
        ["1", "main", "-", "read", "active"],
        ["2", "shop", "-", "read", "active"],
    ]
    assert "koshel_live" not in "".join(listed)
    of_shop = koshel("key", "list", "--ledger", "shop", database_url=database.owner_url).printed
    assert of_shop.splitlines() == listed[1:]


def expiry(database: Database, key_id: int) -> str:
    """When a key expires, as the command line shows it."""
    ((moment,),) = query(database, f"SELECT expires_at FROM api_key WHERE id = {key_id}")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_the_last_admin_key_is_revoked_with_a_warning(koshel: Koshel, database: Database) -> None:
    for _ in range(2):
        koshel("key", "create", "--scope", "admin", database_url=database.owner_url)
    first = koshel("key", "revoke", "1", database_url=database.owner_url)
    assert (first.status, first.printed, first.complained) == (0, "1: revoked\n", "")
    last = koshel("key", "revoke", "2", database_url=database.owner_url)
    assert (last.status, last.printed) == (0, "2: revoked\n")
    assert "no other admin key of its ledger is valid as long" in last.complained
    assert query(database, "SELECT count(*) FROM api_key WHERE revoked_at IS NULL") == [(0,)]


def test_a_key_is_rotated_with_an_overlap(koshel: Koshel, database: Database) -> None:
    koshel("key", "create", "--scope", "admin", "--name", "till", database_url=database.owner_url)
    ended = koshel("key", "rotate", "1", "--overlap", "1h", database_url=database.owner_url)
    assert ended.status == 0
    assert digest_of(ended.printed.strip()) is not None
    assert f"key 2 in place of key 1, which expires at {expiry(database, 1)}, scope" in ended.complained
    execute(database.owner_url, "UPDATE api_key SET revoked_at = now()")
    again = koshel("key", "rotate", "1", database_url=database.owner_url)
    assert (again.status, again.printed) == (1, "")
    assert "was revoked or has expired" in again.complained


def test_a_key_that_expires_within_the_overlap_is_said_to(koshel: Koshel, database: Database) -> None:
    koshel("key", "create", "--scope", "write", "--expires", "1h", database_url=database.owner_url)
    before = expiry(database, 1)
    rotated = koshel("key", "rotate", "1", database_url=database.owner_url)  # the overlap is a day
    assert f"which expires at {before}, scope write" in rotated.complained
    assert expiry(database, 1) == before


@pytest.mark.parametrize("ledger", ["", "shop"])
def test_only_a_ledger_that_is_there_has_keys_to_list(koshel: Koshel, database: Database, ledger: str) -> None:
    koshel("key", "create", "--scope", "read", database_url=database.owner_url)
    ended = koshel("key", "list", "--ledger", ledger, database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert f"there is no ledger {ledger!r}" in ended.complained


@pytest.mark.parametrize("action", ["revoke", "rotate"])
@pytest.mark.parametrize("key_id", ["0", "-1", str(2**63), "9" * 30])
def test_an_id_that_no_key_can_have_is_the_id_of_no_key(
    koshel: Koshel, database: Database, action: str, key_id: str
) -> None:
    ended = koshel("key", action, "--", key_id, database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained == f"koshel: there is no key {key_id}; `koshel key list` shows all\n"


def onto_a_full_disk(database: Database, *arguments: str) -> tuple[int, str]:
    """The status of a command whose output nobody can see, and what it complained of."""
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "koshel", *arguments],
            env=environment({"database_url": database.owner_url}),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    return ended.returncode, ended.stderr


def test_a_key_that_could_not_be_shown_is_not_kept(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    said = "koshel: no key is made, since it could not be written to {}: No space left on device\n"
    create = ("key", "create", "--scope", "admin")
    assert onto_a_full_disk(database, *create) == (1, said.format("standard output"))
    (tmp_path / "key").symlink_to("/dev/full")
    ended = koshel(*create, "--output", str(tmp_path / "key"), database_url=database.owner_url)
    assert (ended.status, ended.complained) == (1, said.format(tmp_path / "key"))
    assert query(database, "SELECT count(*) FROM api_key") == [(0,)]
    koshel(*create, database_url=database.owner_url)
    before = query(database, "SELECT * FROM api_key")
    key_id = str(query(database, "SELECT id FROM api_key")[0][0])
    assert onto_a_full_disk(database, "key", "rotate", key_id) == (1, said.format("standard output"))
    assert query(database, "SELECT * FROM api_key") == before


def test_a_key_that_is_not_kept_is_said_to_be_none(koshel: Koshel, database: Database, tmp_path: Path) -> None:
    execute(database.owner_url, NEVER_COMMITTED)
    create = ("key", "create", "--scope", "admin")
    ended = koshel(*create, database_url=database.owner_url)
    assert ended.status == 1
    assert ended.complained.startswith("koshel: do not use the key that was written: it may not be valid\n")
    assert "not today" in ended.complained
    path = tmp_path / "key"
    assert koshel(*create, "--output", str(path), database_url=database.owner_url).status == 1
    assert path.stat().st_size == 0, "so that the next one is made"
    assert query(database, "SELECT count(*) FROM api_key") == [(0,)]
