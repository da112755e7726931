"""The service's role may do what the service does, and nothing that would rewrite the past."""

import psycopg
import pytest

from koshel.core.model import Posted
from koshel.db.server import embedded
from koshel.db.starting import migrate
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import keep_books, move
from tests.support.database import Database

FORBIDDEN = [
    "UPDATE transaction SET amount = 1",
    "DELETE FROM transaction",
    "TRUNCATE transaction",
    "UPDATE receipt SET transaction_id = 1",
    "DELETE FROM receipt",
    "UPDATE batch SET transaction_ids = NULL",
    "DELETE FROM batch",
    "DELETE FROM account",
    "TRUNCATE account",
    "UPDATE account SET currency = 'EUR'",
    "UPDATE account SET scale = 3",
    "UPDATE account SET id = 9",
    "UPDATE account SET ledger_id = 2",
    "UPDATE account SET ctime = now()",
    "UPDATE account SET idempotency_key = NULL",
    "UPDATE transaction SET group_id = NULL",
    "UPDATE receipt SET answer = NULL",
    "UPDATE receipt SET request = NULL",
    "CREATE OR REPLACE FUNCTION erase_account(bigint, bigint) RETURNS void LANGUAGE sql AS ''",
    "TRUNCATE hold",
    "UPDATE hold SET expires_at = now()",
    "UPDATE hold SET id = 9",
    "TRUNCATE queued",
    "UPDATE queued SET promise = '{}'",
    "UPDATE queued SET id = 9",
    "UPDATE queued SET ctime = now()",
    "UPDATE declined SET answer = '{}'",
    "DELETE FROM declined",
    "TRUNCATE declined",
    "UPDATE split SET amount = 1",
    "DELETE FROM split",
    "UPDATE transaction_change SET description = NULL",
    "DELETE FROM transaction_change",
    "UPDATE account_change SET status = 'open'",
    "DELETE FROM account_change",
    "UPDATE currency SET scale = 3",
    "DELETE FROM currency",
    "UPDATE ledger SET id = 9",
    "DELETE FROM ledger",
    "UPDATE api_key SET scope = 'admin'",
    "UPDATE api_key SET digest = ''",
    "UPDATE api_key SET ledger_id = 1",
    "DELETE FROM api_key",
    "SELECT setval('api_key_id', 1)",
    "DELETE FROM _yoyo_migration",
    "ALTER TABLE account DROP CONSTRAINT account_pkey",
    "DROP TABLE batch",
    "CREATE TABLE mine (id bigint)",
    "SELECT setval('transaction_id', 1)",
    "SELECT setval('group_id', 1)",
    "SELECT FROM transaction_p000000",
    "INSERT INTO transaction_p000000 TABLE transaction_p000001",
    "ALTER TABLE transaction DETACH PARTITION transaction_p000001",
    "DROP TABLE transaction_p000001",
]
ALLOWED = [
    "UPDATE account SET balance = 0, held = 0, version = 1, revision = 1, status = 'frozen'",
    "UPDATE account SET min_balance = -1, max_balance = NULL, email = '', metadata = '{}'",
    "UPDATE hold SET amount = 1",
    "DELETE FROM hold",
    "UPDATE queued SET due = now(), attempts = 1, error = ''",
    "DELETE FROM queued",
    "INSERT INTO ledger (name) VALUES ('shop')",
    "UPDATE ledger SET name = 'store' WHERE name = 'shop'",
    "INSERT INTO api_key VALUES (1, nextval('api_key_id'), '', 'read', sha256('key'), now())",
    "UPDATE api_key SET expires_at = now(), revoked_at = now(), last_used_at = now()",
    "SELECT erase_account(1, 1)",
    "SELECT make_partitions()",
    "SELECT nextval('account_id'), nextval('transaction_id'), nextval('group_id')",
]


def test_the_service_may_not_rewrite_the_past(database: Database) -> None:
    with psycopg.connect(database.service_url, autocommit=True, options="-c search_path=koshel") as connection:
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_the_service_may_change_what_changes(database: Database) -> None:
    with psycopg.connect(database.service_url, autocommit=True, options="-c search_path=koshel") as connection:
        for statement in ALLOWED:
            connection.execute(statement.encode())


async def test_the_service_works_with_what_it_may(store: Store, database: Database) -> None:
    await keep_books(store)
    account = await store.get_account(1, 1)
    assert account is not None
    assert account.version == 3
    assert await store.get_transaction(1, 1) is not None
    assert await store.applied_migrations() == set(migrate.known())
    assert verify(database.service_url) == []
    (outcome,) = await settle(store, [move(None, 1, "1", key="again")])
    assert isinstance(outcome, Posted)


def test_a_role_may_be_granted_what_it_needs_more_than_once(database: Database) -> None:
    assert migrate.migrate(database.owner_url, service_role=embedded.SERVICE) == []


def test_a_role_that_does_not_exist_is_named(database: Database) -> None:
    with pytest.raises(migrate.MigrationError, match='make it first, as a superuser: CREATE ROLE "nobody; here" LOGIN'):
        migrate.migrate(database.owner_url, service_role="nobody; here")
