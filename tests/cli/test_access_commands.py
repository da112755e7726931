"""The commands of ledgers and of personal data, and what those of keys cannot do."""

import pytest

from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query


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
        (["@users:9"], "there is no account @users:9 in the ledger main"),
        (["@"], "there is no account @ in the ledger main"),
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


def test_an_account_is_erased_in_the_ledger_that_is_named(koshel: Koshel, database: Database) -> None:
    koshel("ledger", "create", "shop", database_url=database.owner_url)
    execute(
        database.owner_url,
        "INSERT INTO account (ledger_id, id, email, currency, scale, balance, held, version, min_balance, status,"
        " metadata, ctime)"
        " SELECT ledger_id, id, 'ann@example.com', 'USD', 2, 0.00, 0.00, 0, 0.00, 'closed', '{}', now()"
        " FROM (VALUES (1, 7), (2, 8)) AS accounts (ledger_id, id)",
    )
    for account, ledger, said in (
        ("8", "main", "there is no account 8 in the ledger main"),
        ("7", "shop", "there is no account 7 in the ledger shop"),
        ("7", "nosuch", "there is no ledger 'nosuch'; make it with `koshel ledger create nosuch`"),
        ("7", "", "there is no ledger ''; make it with `koshel ledger create `"),
    ):
        refused = koshel("account", "erase", account, "--ledger", ledger, database_url=database.owner_url)
        assert (refused.status, refused.printed, refused.complained) == (1, "", f"koshel: {said}\n")
    assert query(database, "SELECT count(*) FROM account WHERE email = 'ann@example.com'") == [(2,)]
    for arguments in (["7", "--ledger", "main"], ["8"]):  # an id alone is found in any ledger
        assert koshel("account", "erase", *arguments, database_url=database.owner_url).status == 0
    assert query(database, "SELECT count(*) FROM account WHERE email = 'ann@example.com'") == [(0,)]
