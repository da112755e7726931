"""Books that an earlier version kept are right after a migration too, and go on."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from koshel.core.commands import Command, Kind, OpenAccount
from koshel.core.model import Opened, Posted, Replayed
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import migrate, schema
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.http import answers
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import refusals
from tests.support.wallets import capture, hold, payment, refund, transfer, withdrawal

# As the first version has left them: accounts 1 and 2, transactions 1 and 2, keys `opened`, `paid` and `refused`.
KEPT = (
    """INSERT INTO account (ledger_id, id, email, currency, scale, balance, held, version, min_balance, max_balance,
    status, metadata, idempotency_key, ctime) VALUES
    (1, nextval('account_id'), 'a@example.com', 'USD', 2, 70.00, 0.00, 2, 0.00, NULL, 'open', '{}', 'opened',
    '2026-01-01Z'),
    (1, nextval('account_id'), 'b@example.com', 'USD', 2, 30.00, 0.00, 1, 0.00, NULL, 'open', '{}', NULL,
    '2026-01-01Z')""",
    """INSERT INTO transaction (ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance,
    target_balance, source_version, target_version, idempotency_key, metadata, ctime) VALUES
    (1, nextval('transaction_id'), 'payment', NULL, 1, 100.00, NULL, 100.00, NULL, 1, 'paid', '{}', '2026-01-02Z'),
    (1, nextval('transaction_id'), 'transfer', 1, 2, 30.00, 70.00, 30.00, 2, 1, NULL, '{}', '2026-01-02Z')""",
    """INSERT INTO receipt (ledger_id, idempotency_key, transaction_id, answer) VALUES
    (1, 'paid', 1, NULL),
    (1, 'opened', NULL, '{"type": "opened", "command": {"type": "open-account", "ledger_id": 1,
    "email": "a@example.com", "min_balance": "0", "max_balance": null, "metadata": {}, "key": "opened",
    "default_currency": "USD", "default_max_balance": "999999.99"}, "account": {"ledger_id": 1, "id": 1,
    "currency": "USD", "scale": 2, "balance": "0.00", "held": "0.00", "version": 0, "min_balance": "0.00",
    "max_balance": null, "status": "open", "email": "a@example.com", "metadata": {},
    "ctime": "2026-01-01T00:00:00Z"}}'),
    (1, 'refused', NULL, '{"type": "declined", "command": {"type": "move", "ledger_id": 1, "kind": "withdrawal",
    "source_account_id": 1, "target_account_id": null, "amount": "900", "metadata": {}, "key": "refused"},
    "refusal": "insufficient-funds", "facts": {"account_id": 1}}')""",
    """INSERT INTO batch VALUES (1, gen_random_uuid(), '{1,2}'), (1, gen_random_uuid(), '{}'),
    (1, gen_random_uuid(), NULL)""",
)


@pytest.fixture
def old(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The books of the first version."""
    name = f"old_{os.getpid()}"
    first = migrate.known()[0]
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        database = Database(cluster.url(database=name), cluster.url(embedded.SERVICE, name))
        shutil.copy(schema.DIRECTORY / f"{first}.sql", tmp_path)
        with monkeypatch.context() as then:
            then.setattr(schema, "DIRECTORY", tmp_path)
            assert migrate.migrate(database.owner_url) == [first]
        execute(database.owner_url, *KEPT)
        yield database
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_old_books_are_right_after_a_migration(old: Database) -> None:
    assert migrate.migrate(old.owner_url) == migrate.known()[1:]
    assert verify(old.owner_url) == []


async def test_old_books_go_on(old: Database) -> None:
    migrate.migrate(old.owner_url, service_role=embedded.SERVICE)
    async with open_store(StoreConfig(old.service_url)) as store:
        (held,) = await settle(store, [hold(1, 2, "50")])
        assert isinstance(held, Posted)
        outcomes = await settle(store, [capture(held.id, "20"), refund(1, "40"), refund(2), refund(2)])
        assert refusals(outcomes) == [None, None, None, "refund-exceeds-original"]
    assert verify(old.owner_url) == []


async def test_old_keys_keep_their_answers(old: Database) -> None:
    migrate.migrate(old.owner_url, service_role=embedded.SERVICE)
    same: list[Command] = [
        payment(1, "100", key="paid"),
        OpenAccount(1, "a@example.com", max_balance=None, key="opened"),
    ]
    async with open_store(StoreConfig(old.service_url)) as store:
        outcomes = await settle(
            store, [*same, withdrawal(1, "900", key="refused"), transfer(1, 2, "900", key="refused")]
        )
    paid, opened, refused = [outcome.first for outcome in outcomes if isinstance(outcome, Replayed)]
    assert isinstance(paid, Posted)
    assert (paid.id, paid.kind, paid.source) == (1, Kind.PAYMENT, None)
    assert isinstance(opened, Opened)
    assert (opened.account.id, opened.account.version, opened.account.revision) == (1, 0, 0)
    assert refusals([refused, outcomes[-1]]) == ["insufficient-funds", "idempotency-key-reused"]


async def test_old_keys_are_answered_to_the_byte_as_they_were(old: Database) -> None:
    """What an answer may say by now, and nobody said then, is not in it."""
    migrate.migrate(old.owner_url, service_role=embedded.SERVICE)
    async with open_store(StoreConfig(old.service_url)) as store:
        (paid,) = await settle(store, [payment(1, "100", key="paid")])
    assert answers.reply(paid).body == (
        b'{"id":1,"kind":"payment","status":"posted","source_account_id":null,"target_account_id":1,"amount":"100.00",'
        b'"currency":"USD","parent_id":null,"group_id":null,"idempotency_key":"paid","metadata":{},'
        b'"ctime":"2026-01-02T00:00:00.000000Z"}\n'
    )
