"""The commands of ledgers and keys: a key leaves alone, once."""

import stat
from datetime import UTC
from pathlib import Path

import pytest

from koshel.api_keys import digest_of
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["key", "create", "--scope", "read", "--ledger", "shop"], "make it with `koshel ledger create shop`"),
        (["key", "list", "--ledger", "shop"], "there is no ledger 'shop'"),
        (["key", "revoke", "7"], "there is no key 7"),
        (["key", "rotate", "7"], "there is no key 7"),
        (["ledger", "create", "main"], "there is a ledger main already"),
        (["ledger", "create", "Shop"], "'Shop' is not 1 to 64 characters"),
        (["ledger", "create", ""], "is not 1 to 64 characters"),
        (["ledger", "create", "a/b"], "is not 1 to 64 characters"),
        (["ledger", "create", "caf\u00e9"], "is not 1 to 64 characters"),
        (["ledger", "create", "shop\n"], "is not 1 to 64 characters"),
        (["ledger", "rename", "main", "first"], "the ledger main keeps its name"),
        (["ledger", "rename", "shop", "store"], "there is no ledger 'shop'"),
        (["ledger", "rename", "shop", "a b"], "is not 1 to 64 characters"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    koshel: Koshel, database: Database, arguments: list[str], said: str
) -> None:
    ended = koshel(*arguments, database_url=database.owner_url)
    assert (ended.status, ended.printed) == (1, "")
    assert said in ended.complained
    assert ended.complained.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["key", "create"], "required: --scope"),
        (["key", "create", "--scope", "owner"], "invalid choice: 'owner'"),
        (["key", "create", "--scope", "read", "--expires", "soon"], "'soon' is not a length of time"),
        (["key", "create", "--scope", "read", "--expires", "0s"], "must be more than zero"),
        (["key", "create", "--scope", "read", "--name", "x" * 101], "at most 100 characters"),
        (["key", "create", "--scope", "read", "--name", "a\nb"], "no control characters"),
        (["key", "revoke", "mine"], "invalid int value: 'mine'"),
        (["key", "rotate", "1", "--overlap", "1w"], "'1w' is not a length of time"),
        (["ledger", "create"], "required: name"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(koshel: Koshel, arguments: list[str], said: str) -> None:
    ended = koshel(*arguments)
    assert (ended.status, ended.printed) == (2, "")
    assert said in ended.complained
    assert ended.complained.count("\n") == 1


def test_a_scope_that_there_is_not_is_told_those_that_there_are(koshel: Koshel) -> None:
    said = koshel("key", "create", "--scope", "owner").complained.replace("'", "")  # not every Python quotes them
    assert "(choose from read, write, admin)" in said


def test_a_ledger_is_renamed_and_listed(koshel: Koshel, database: Database) -> None:
    for name in ("shop", "bank"):
        koshel("ledger", "create", name, database_url=database.owner_url)
    taken = koshel("ledger", "rename", "shop", "bank", database_url=database.owner_url)
    assert (taken.status, taken.complained) == (1, "koshel: there is a ledger bank already\n")
    assert koshel("ledger", "rename", "shop", "store", database_url=database.owner_url).printed == "store\n"
    listed = koshel("ledger", "list", database_url=database.owner_url).printed.splitlines()
    assert [line.split("\t")[0] for line in listed] == ["bank", "main", "store"]


def test_an_old_schema_is_said(koshel: Koshel, database: Database) -> None:
    execute(database.owner_url, "DELETE FROM _yoyo_migration WHERE migration_id = '0006.api_keys'")
    ended = koshel("key", "list", database_url=database.owner_url)
    assert (ended.status, ended.complained) == (1, "koshel: the schema lacks 0006.api_keys; run `koshel migrate`\n")


def test_the_personal_data_of_a_closed_account_is_erased(koshel: Koshel, database: Database) -> None:
    insert = "INSERT INTO account VALUES (1, {}, 'ann@example.com', 'USD', 2, 0.00, 0.00, 0, 0.00, NULL, '{}', '{{}}')"
    for statement in (insert.format(7, "closed"), insert.format(8, "frozen")):
        execute(database.owner_url, statement.replace("'{}')", "'{}', NULL, now())"))
    erased = koshel("account", "erase", "7", database_url=database.owner_url)
    assert (erased.status, erased.printed) == (0, "7: its email and its metadata are erased\n")
    execute(database.owner_url, "UPDATE account SET name = 'users:' || id")
    named = koshel("account", "erase", "@users:7", database_url=database.owner_url)
    assert (named.status, named.printed) == (0, "@users:7: its email and its metadata are erased\n")
    for arguments, said in (
        (["@users:8"], "account @users:8 is frozen; close it first"),
        (["@users:9"], "there is no account @users:9"),
        (["@"], "there is no account @"),
        (["@users:7", "--ledger", "shop"], "there is no ledger 'shop'; make it with `koshel ledger create shop`"),
    ):
        refused = koshel("account", "erase", *arguments, database_url=database.owner_url)
        assert (refused.status, refused.printed, refused.complained) == (1, "", f"koshel: {said}\n")
    for text in ("users:7", "-7", "7.0", "", str(2**63)):
        assert koshel("account", "erase", text, database_url=database.owner_url).status == 2, text
    for account_id, said in (("8", "account 8 is frozen; close it first"), ("9", "there is no account 9")):
        refused = koshel("account", "erase", account_id, database_url=database.owner_url)
        assert (refused.status, refused.printed, refused.complained) == (1, "", f"koshel: {said}\n")
    assert query(database, "SELECT id, email FROM account ORDER BY id") == [
        (7, "erased@erased.invalid"),
        (8, "ann@example.com"),
    ]
