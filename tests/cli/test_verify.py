"""`koshel verify`: what it proved, in words or in JSON; its status tells wrong books from books that nobody saw."""

import json
import re
from pathlib import Path

import psycopg
import pytest

from koshel.db.store import Store
from koshel.db.verifying import verify as proofs
from tests.support.bookkeeping import execute, keep_books
from tests.support.database import Database
from tests.support.ended import Koshel

READ = r"Read: 6 accounts, 20 transactions and 12 batches, from one snapshot, in \d+\.\d\d s\.\n"
WRONG = "ledger 1: account 3 has balance 500 at version 9, but its transactions say 500 at version 1"
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture
async def books(store: Store, database: Database) -> Database:
    """Books that are right."""
    await keep_books(store)
    return database


def put_wrong(books: Database) -> None:
    execute(books.owner_url, "UPDATE account SET version = 9 WHERE id = 3")


async def test_books_that_are_right_end_with_0_and_what_was_read(koshel: Koshel, books: Database) -> None:
    ended = koshel("verify", database_url=books.service_url)
    assert (ended.status, ended.complained) == (0, "")
    assert re.fullmatch("The books are right.\n" + READ, ended.printed)


async def test_books_that_are_wrong_end_with_1_and_each_fault(koshel: Koshel, books: Database) -> None:
    put_wrong(books)
    ended = koshel("verify", database_url=books.service_url)
    assert (ended.status, ended.complained) == (1, "")
    assert re.fullmatch(re.escape(WRONG) + "\n" + READ, ended.printed)


async def test_in_json_it_says_the_same(koshel: Koshel, books: Database) -> None:
    right = koshel("verify", "--json", database_url=books.service_url)
    said = json.loads(right.printed)
    assert said.pop("seconds") >= 0
    assert (right.status, right.printed.count("\n")) == (0, 1)
    assert said == {"right": True, "wrong": [], "accounts": 6, "transactions": 20, "batches": 12}
    put_wrong(books)
    wrong = koshel("verify", "--json", database_url=books.service_url)
    assert wrong.status == 1
    assert json.loads(wrong.printed) == said | {
        "right": False,
        "wrong": [WRONG],
        "seconds": json.loads(wrong.printed)["seconds"],
    }


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_who_could_not_look_says_so_and_ends_with_2(koshel: Koshel, flags: list[str]) -> None:
    ended = koshel("verify", *flags, database_url=UNREACHABLE)
    assert (ended.status, ended.printed) == (2, "")
    assert ended.complained.startswith("koshel: ")
    assert ended.complained.count("\n") == 1


def test_where_there_is_no_database_it_makes_none(
    koshel: Koshel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = koshel("verify")
    assert (ended.status, ended.printed) == (2, "")
    assert ended.complained.startswith("koshel: there is no database: KOSHEL_DATABASE_URL is not set")
    assert "`koshel serve`" in ended.complained
    assert list(tmp_path.iterdir()) == []


def test_a_schema_that_lacks_something_is_named(koshel: Koshel, database: Database) -> None:
    execute(database.owner_url, "DELETE FROM _yoyo_migration WHERE migration_id = '0003.checks'")
    ended = koshel("verify", database_url=database.owner_url)
    assert (ended.status, ended.complained) == (2, "koshel: the schema lacks 0003.checks; run `koshel migrate`\n")


def test_a_role_that_may_not_read_could_not_look(koshel: Koshel, database: Database) -> None:
    execute(database.owner_url, "REVOKE SELECT ON receipt FROM koshel_service")
    ended = koshel("verify", database_url=database.service_url)
    assert ended.status == 2
    assert "permission denied for table receipt" in ended.complained


def test_a_fault_of_the_proof_itself_is_not_taken_for_wrong_books(
    koshel: Koshel, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(proofs, "_checks", stumble)
    ended = koshel("verify", database_url=database.service_url)
    assert ended.status == 2
    assert "ZeroDivisionError" in ended.complained


async def test_a_role_s_time_limits_do_not_stop_it(koshel: Koshel, books: Database) -> None:
    limits = ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
    with psycopg.connect(books.owner_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hasty LOGIN SUPERUSER")
        try:
            for limit in limits:
                connection.execute(f"ALTER ROLE hasty SET {limit} = '500ms'".encode())
            slowly = "CREATE FUNCTION slowly() RETURNS boolean LANGUAGE sql AS $$ SELECT pg_sleep(1) IS NOT NULL $$"
            connection.execute(slowly)
            connection.execute("ALTER TABLE receipt RENAME TO receipts")
            connection.execute("CREATE VIEW receipt AS SELECT * FROM receipts WHERE (SELECT slowly())")
            ended = koshel("verify", database_url=books.owner_url.replace("//koshel@", "//hasty@"))
        finally:
            connection.execute("DROP ROLE hasty")
    assert (ended.status, ended.complained) == (0, "")
