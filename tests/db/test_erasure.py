"""Personal data of a closed account is erased wherever it is kept; the books stay right, and keys go on answering."""

import json
from collections.abc import Sequence
from decimal import Decimal

import psycopg
import pytest
from msgspec.structs import replace

from koshel.core.commands import ERASED, ChangeAccount, Command, OpenAccount, Status
from koshel.core.model import Changed, Declined, Opened, Outcome, Refusal, Replayed
from koshel.db import erasure
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import query
from tests.support.wallets import payment, withdrawal

# Whatever of these is still in the database when the account is erased was forgotten.
PERSONAL = ("ann@first.example", "ann@then.example", "ann@now.example", "Ann of the Lane", "her birthday")
FIRST, THEN, NOW, NAME, SECRET = PERSONAL
OPENING = OpenAccount(1, FIRST, "USD", Decimal(0), None, {"name": NAME}, "opened")
CHANGED = ChangeAccount(1, 1, NOW, min_balance=Decimal(-5), metadata_patch={"more": SECRET}, key="change 4")
STALE = ChangeAccount(1, 1, NOW, metadata={"name": NAME}, expected=((9, 9),), key="no version")
CHANGES: list[Command] = [
    ChangeAccount(1, 1, THEN, key="change 1"),
    ChangeAccount(1, 1, metadata={"name": NAME, "note": SECRET}, key="change 2"),
    ChangeAccount(1, 1, metadata_patch={"note": None, "name": NAME}, key="change 3"),
    CHANGED,
]
REFUSED: list[Command] = [
    OpenAccount(1, NOW, "GOLD", metadata={"name": NAME}, key="no currency"),
    OpenAccount(1, THEN, "GOLD", metadata={"note": SECRET}, key="no currency then"),
    OpenAccount(1, FIRST, "GOLD", metadata={"name": NAME}, key="no currency at first"),
    STALE,
    ChangeAccount(1, 1, metadata_patch={"note": SECRET}, expected=((9, 9),), key="no version either"),
]
CLOSING = ChangeAccount(1, 1, status=Status.CLOSED, key="closed")
KEYED: list[Command] = [OPENING, *CHANGES, *REFUSED, CLOSING]


async def done(store: Store, *commands: Command) -> Sequence[Outcome]:
    """What became of each, one after the other."""
    return [(await settle(store, [command]))[0] for command in commands]


async def erase(store: Store, account_id: int, ledger_id: int = 1) -> Status | None:
    erased = await store.transact(
        [ledger_id], lambda connection, q: erasure.erase(connection, q, ledger_id, account_id)
    )
    return None if erased is None else erased.status


def everything(database: Database) -> str:
    """All rows of all tables, as text."""
    with psycopg.connect(database.owner_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'koshel'").fetchall()
        found = [connection.execute(f"SELECT t::text FROM koshel.{name} AS t").fetchall() for (name,) in tables]
    return str(found)


@pytest.fixture
async def closed(store: Store) -> Store:
    """Account 1 with a history, and closed; account 2 of somebody else with the same history."""
    await done(store, OPENING, OpenAccount(1, "bob@example.com", metadata={"name": "Bob"}, key="another"))
    await done(store, *CHANGES, *REFUSED, payment(1, "5"), withdrawal(1, "5"), CLOSING)
    return store


async def test_nothing_personal_is_left_in_any_table_and_the_books_are_right(closed: Store, database: Database) -> None:
    before = everything(database)
    assert all(text in before for text in PERSONAL)
    assert await erase(closed, 1) is Status.CLOSED
    after = everything(database)
    assert [text for text in PERSONAL if text in after] == []
    assert verify(database.owner_url) == []
    account = await closed.get_account(1, 1)
    assert account is not None
    assert (account.email, account.metadata, account.status, account.version) == (ERASED, {}, Status.CLOSED, 2)
    assert account.revision == len(CHANGES) + 2, "who knows the account by its tag learns that it has changed"
    bob = await closed.get_account(1, 2)
    assert bob is not None
    assert (bob.email, bob.metadata) == ("bob@example.com", {"name": "Bob"})
    assert "bob@example.com" in str(query(database, "SELECT answer FROM receipt WHERE idempotency_key = 'another'"))


async def test_openings_that_were_refused_stay_if_they_named_another_email(closed: Store, database: Database) -> None:
    """Nor is what was erased of others looked at again."""
    answer = "SELECT answer::text, xmin::text FROM receipt WHERE idempotency_key = 'of others'"
    carol = {"name": "Carol"}
    await done(closed, OpenAccount(1, "carol@example.com", "GOLD", metadata=carol, key="of others"))
    before = query(database, answer)
    await erase(closed, 1)
    assert query(database, answer) == before
    await done(closed, OpenAccount(1, "carol@example.com", metadata=carol), ChangeAccount(1, 3, status=Status.CLOSED))
    assert await erase(closed, 3) is Status.CLOSED
    erased = query(database, answer)
    assert "arol" not in str(erased)
    await erase(closed, 1)
    assert query(database, answer) == erased


async def test_its_keys_go_on_answering_without_what_was_erased(closed: Store) -> None:
    await erase(closed, 1)
    for command in KEYED:
        (outcome,) = await done(closed, command)
        assert isinstance(outcome, Replayed), command
        first = outcome.first
        if isinstance(first, Opened | Changed):
            assert (first.account.id, first.account.email, first.account.metadata) == (1, ERASED, {})
        assert NAME not in str(first)


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (replace(OPENING, currency="EUR"), "currency"),
        (replace(CHANGED, min_balance=Decimal(-6)), "min_balance"),
        (replace(CLOSING, status=Status.FROZEN), "status"),
        (replace(STALE, expected=((8, 8),)), "expected"),
    ],
)
async def test_a_key_with_another_request_is_refused_as_before(closed: Store, command: Command, field: str) -> None:
    await erase(closed, 1)
    (outcome,) = await done(closed, command)
    assert isinstance(outcome, Declined)
    assert (outcome.refusal, outcome.facts) == (Refusal.IDEMPOTENCY_KEY_REUSED, {"field": field})


async def test_what_is_sent_after_it_is_erased_by_doing_it_again(closed: Store, database: Database) -> None:
    await erase(closed, 1)
    once = query(database, "SELECT a::text FROM account AS a ORDER BY id")
    await done(closed, ChangeAccount(1, 1, NOW, key="too late"))
    assert NOW in everything(database)
    assert await erase(closed, 1) is Status.CLOSED
    assert NOW not in everything(database)
    assert query(database, "SELECT a::text FROM account AS a ORDER BY id") == once, "the account itself as it was"
    assert verify(database.owner_url) == []


@pytest.mark.parametrize("status", [Status.OPEN, Status.FROZEN])
async def test_of_an_account_that_is_not_closed_nothing_is_erased(
    store: Store, database: Database, status: Status
) -> None:
    await done(store, OPENING, ChangeAccount(1, 1, status=status))
    before = everything(database)
    assert await erase(store, 1) is status
    execute(database.service_url, "SELECT koshel.erase_account(1, 1)")  # not by the function itself either
    assert everything(database) == before


async def test_another_ledgers_account_does_not_exist(closed: Store, database: Database) -> None:
    execute(database.owner_url, "INSERT INTO ledger (id, name) VALUES (2, 'two')")
    before = everything(database)
    assert await erase(closed, 1, ledger_id=2) is None
    execute(database.service_url, "SELECT koshel.erase_account(2, 1)")
    assert await erase(closed, 404) is None
    assert everything(database) == before


def test_the_answers_of_a_person_are_found_by_index(database: Database) -> None:
    function = "SELECT prosrc, pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'erase_account'"
    ((_, text),) = query(database, function)
    assert text.count(ERASED) == 7, "the function and the core mean the same"
    whose = "coalesce(answer #>> '{account,id}', answer #>> '{command,account_id}', answer #>> '{command,email}')"
    with psycopg.connect(database.owner_url, options="-c enable_seqscan=off") as connection:
        ((plan,),) = connection.execute(
            f"EXPLAIN (FORMAT json) SELECT FROM koshel.receipt WHERE ledger_id = 1 AND {whose} = ANY (ARRAY("
            "SELECT '1' UNION SELECT email FROM koshel.account_change WHERE ledger_id = 1 AND account_id = 1))"
        ).fetchall()
    assert "receipt_person" in json.dumps(plan)
