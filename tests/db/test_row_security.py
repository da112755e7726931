"""With row-level security, a statement that forgets its ledger sees and writes nothing of another one."""

import asyncio
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest

from koshel.db import queries
from koshel.db.queries import Queries
from koshel.db.server.embedded import Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support import confined as support
from tests.support.bookkeeping import execute
from tests.support.confined import SHOP, TABLES, count_of, two_ledgers
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, refusals
from tests.support.wallets import payment, transfer

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

Service = psycopg.Connection[Any]

HIDDEN = (psycopg.errors.UndefinedObject, psycopg.errors.InvalidTextRepresentation)  # no ledger was said
SOME = {  # a change that the service may make, of every row that it sees
    "account": "UPDATE account SET status = status",
    "api_key": "UPDATE api_key SET last_used_at = now()",
    "hold": "UPDATE hold SET amount = amount",
    "queued": "UPDATE queued SET attempts = attempts",
    "turnover": "UPDATE turnover SET counted_at = counted_at",
}
ROW = {  # a row of the other ledger
    "account": "INSERT INTO account VALUES (1, 1000, 'ann@example.com', 'USD', 2, 0.00, 0.00, 0, 0.00, NULL, 'open',"
    " '{}', NULL, now())",
    "batch": "INSERT INTO batch VALUES (1, gen_random_uuid(), '{}', 2)",
    "cancelled": "INSERT INTO cancelled VALUES (1, 1000, '{}', NULL, now())",
    "declined": "INSERT INTO declined VALUES (1, 1000, '{}', '{}', now())",
    "exchange": "INSERT INTO exchange VALUES (1, 1000, 1001, 1)",
    "split": "INSERT INTO split VALUES (1, 1000, 1, '{1}')",
    "hold": "INSERT INTO hold VALUES (1, 1000, 1, now())",
    "queued": "INSERT INTO queued VALUES (1, 1000, '{}', now(), 0, NULL, now())",
    "receipt": "INSERT INTO receipt VALUES (1, 'mine', 1)",
    "api_key": "INSERT INTO api_key VALUES (1, 1000, '', 'read', sha256('mine'), now())",
    "turnover": "INSERT INTO turnover VALUES (1, 1000, 0, now(), '[{}]')",
    "account_change": "INSERT INTO account_change VALUES (1, 1000, 0, 'ann@example.com', 0, NULL, 'open', '{}',"
    " NULL, NULL, false, now())",
    "transaction_change": "INSERT INTO transaction_change VALUES (1, 1000, 1, '{}', NULL, NULL, now())",
    "transaction": "INSERT INTO transaction (ledger_id, id, kind, target_account_id, target_balance, target_version,"
    " amount, metadata, ctime) VALUES (1, 1000, 'payment', 1, 1, 1000, 1, '{}', now())",
}
IDS = range(1, 60)
# Statements that keep to a ledger, and what to ask them.
FORGETFUL: dict[str, list[list[Any]]] = {
    "get_account": [[SHOP, id_] for id_ in IDS],
    "get_transaction": [[SHOP, id_] for id_ in IDS],
    "get_queued": [[SHOP, id_] for id_ in IDS],
    "get_split": [[SHOP, id_] for id_ in IDS],
    "get_split_ids": [[SHOP, id_] for id_ in IDS],
    "read_accounts": [[[SHOP], [*IDS], 0]],
    "find_accounts": [[[SHOP], [*IDS]]],
    "lock_accounts": [[[SHOP], [*IDS], 0, None]],
    "lock_free_accounts": [[[SHOP], "{" + ",".join(map(str, IDS)) + "}", 0, None]],
    "find_turnovers": [[[SHOP], [*IDS]]],
    "list_account_changes": [[SHOP, id_, 100, 100] for id_ in IDS],
    "list_transaction_changes": [[SHOP, id_, 100, 100] for id_ in IDS],
    "claim_queued": [[SHOP, 100, []]],
    "list_api_keys": [[SHOP, 1_000_000, 100]],
}
LEDGER = re.compile(r"(?:\w+\.)?ledger_id = (?:ANY\()?(\$1(?:::bigint \[\])?)\)?")


@pytest.fixture(scope="module")
def kept(cluster: Cluster) -> Iterator[Database]:
    """Two ledgers with rows in every table."""

    async def keep(database: Database) -> None:
        async with two_ledgers(database):
            pass

    with support.confined(cluster, "test_row_security") as database:
        asyncio.run(keep(database))
        yield database


@pytest.fixture
def service(kept: Database) -> Iterator[Service]:
    """A database transaction of the service's, which nobody commits."""
    with psycopg.connect(kept.service_url, options="-c search_path=koshel") as connection:
        yield connection
        connection.rollback()


def say(service: Service, ledgers: str) -> None:
    psycopg.RawCursor(service).execute(queries.load().see_ledgers, (ledgers,))


def test_each_table_with_a_ledger_is_known_here(kept: Database) -> None:
    assert [count_of(kept, table, ledger) > 0 for table in TABLES for ledger in (1, SHOP)] == [True] * 2 * len(TABLES)
    with psycopg.connect(kept.owner_url) as connection:
        found = connection.execute(
            "SELECT c.relname FROM pg_class AS c"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'koshel'::regnamespace"
            " AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND attname = 'ledger_id') ORDER BY 1"
        ).fetchall()
    assert [name for (name,) in found] == [*TABLES]
    assert set(ROW) == {*TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_a_statement_without_its_ledger_sees_that_ledger_only(kept: Database, service: Service, table: str) -> None:
    say(service, f"{{{SHOP}}}")
    statement = f"SELECT count(*), min(ledger_id), max(ledger_id) FROM {table}"
    assert service.execute(statement.encode()).fetchall() == [(count_of(kept, table, SHOP), SHOP, SHOP)]


@pytest.mark.parametrize("table", SOME)
def test_a_change_without_its_ledger_changes_that_ledger_only(kept: Database, service: Service, table: str) -> None:
    say(service, f"{{{SHOP}}}")
    assert service.execute(SOME[table].encode()).rowcount == count_of(kept, table, SHOP)


@pytest.mark.parametrize("table", ["hold", "queued", "turnover"])
def test_what_is_deleted_without_its_ledger_is_of_that_ledger_only(
    kept: Database, service: Service, table: str
) -> None:
    say(service, f"{{{SHOP}}}")
    assert service.execute(f"DELETE FROM {table}".encode()).rowcount == count_of(kept, table, SHOP)


@pytest.mark.parametrize("ledgers", [f"{{{SHOP}}}", "{}", "all"])
@pytest.mark.parametrize("table", TABLES)
def test_no_row_of_another_ledger_is_written(service: Service, table: str, ledgers: str) -> None:
    say(service, ledgers)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="new row violates row-level security policy"):
        service.execute(ROW[table].encode())


@pytest.mark.parametrize("table", TABLES)
def test_a_row_of_its_own_ledger_is(service: Service, table: str) -> None:
    say(service, f"{{1,{SHOP}}}")
    assert service.execute(ROW[table].encode()).rowcount == 1


@pytest.mark.parametrize("table", TABLES)
def test_without_a_word_on_ledgers_nothing_is_answered_before_and_after_it_was_said(
    service: Service, table: str
) -> None:
    look = f"SELECT FROM {table}".encode()
    with pytest.raises(HIDDEN):
        service.execute(look)
    service.rollback()
    say(service, f"{{{SHOP}}}")
    assert service.execute(look).rowcount
    service.commit()
    with pytest.raises(HIDDEN):
        service.execute(look)


@pytest.mark.parametrize("table", TABLES)
def test_who_reads_all_ledgers_says_so(kept: Database, service: Service, table: str) -> None:
    say(service, "all")
    counted = count_of(kept, table, 1) + count_of(kept, table, SHOP)
    assert service.execute(f"SELECT FROM {table}".encode()).rowcount == counted


@pytest.mark.parametrize("name", FORGETFUL)
def test_a_statement_of_ours_that_forgets_its_ledger_answers_as_it_would_with_it(service: Service, name: str) -> None:
    """Under `all`, it does find rows of the other ledger: so it is not for want of such rows."""
    right = getattr(queries.load(), name)
    broken = LEDGER.sub(r"\1 IS NOT NULL", right)
    assert broken != right
    cursor = psycopg.RawCursor(service)

    def answers(statement: str) -> list[list[Any]]:
        return [sorted(cursor.execute(statement, arguments).fetchall(), key=repr) for arguments in FORGETFUL[name]]

    say(service, f"{{{SHOP}}}")
    assert answers(broken) == answers(right) != [[] for _ in FORGETFUL[name]]
    say(service, "all")
    assert answers(broken) != answers(right)


def test_books_of_two_ledgers_are_right(kept: Database) -> None:
    assert verify(kept.owner_url) == []


async def test_a_batch_carries_commands_of_two_ledgers(cluster: Cluster) -> None:
    with support.confined(cluster, "test_row_security_batch") as database:
        execute(database.owner_url, f"INSERT INTO ledger (id, name) VALUES ({SHOP}, 'shop')")
        async with open_store(StoreConfig(database.service_url)) as store:
            ours, theirs = await open_accounts(store, opening(), opening(ledger_id=SHOP))
            outcomes = await settle(
                store,
                [
                    payment(ours, "10", key="same"),
                    payment(theirs, "10", key="same", ledger_id=SHOP),
                    transfer(ours, theirs, "1"),
                    payment(ours, "10", key="same"),
                ],
            )
        assert refusals(outcomes)[:2] == [None, None]
        assert refusals(outcomes)[2] == "account-not-found"
        assert verify(database.owner_url) == []


def test_the_proof_refuses_to_look_at_a_part_of_the_books(kept: Database) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, *HIDDEN)):
        verify(kept.service_url)


def test_a_proof_that_would_not_see_all_rows_is_refused_by_the_server(service: Service) -> None:
    say(service, f"{{{SHOP}}}")
    service.execute(queries.load().plan_for_whole_tables.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="would be affected by row-level security"):
        service.execute(queries.load().count_proved.encode())


@pytest.mark.parametrize("ends_with", [ZeroDivisionError, None])
async def test_after_a_look_its_connection_sees_nothing_again(
    kept: Database, ends_with: type[Exception] | None
) -> None:
    async with open_store(StoreConfig(kept.service_url, read_connections=1)) as store:

        async def look(connection: "AnyConnection", _q: Queries) -> int:
            if ends_with is not None:
                raise ends_with
            return len(await connection.fetch("SELECT FROM koshel.account"))

        if ends_with is None:
            assert await store.transact([SHOP], look) == count_of(kept, "account", SHOP)
        else:
            with pytest.raises(ends_with):
                await store.transact([SHOP], look)
        with pytest.raises(asyncpg.PostgresError, match=r"koshel\.ledgers|malformed array literal"):
            await store.lend(lambda connection: connection.fetch("SELECT FROM koshel.account"))
