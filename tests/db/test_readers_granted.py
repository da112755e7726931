"""Who may be a reader of a ledger, and how one becomes it, while the service goes on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from koshel.db.errors import Unfit
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import policies
from koshel.db.starting.migrate import migrate
from koshel.db.store import StoreConfig, open_store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.confined import SHOP, as_role
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.wallets import payment

READER, NOBODY = "test_granted", "test_other_granted"


@pytest.fixture(scope="module", autouse=True)
def _roles(cluster: Cluster) -> Iterator[None]:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for role in (READER, NOBODY):
            connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        yield
        connection.execute(f"DROP ROLE {READER}, {NOBODY}".encode())


async def test_the_service_goes_on_while_readers_come_and_go(cluster: Cluster) -> None:
    with cloned(cluster, "test_readers_come") as database:
        async with open_store(StoreConfig(database.service_url)) as store:
            (account,) = await open_accounts(store, opening())
            for _ in range(2):
                policies.grant(database.owner_url, None, READER, 1)
                assert refusals(await settle(store, [payment(account, "1")])) == [None]
                assert policies.revoke(database.owner_url, None, READER, 1)
                assert refusals(await settle(store, [payment(account, "1")])) == [None]
                assert not store.namespace.is_confined
        assert query(database, "SELECT polname FROM pg_policy") == []
        assert query(database, "SELECT relname FROM pg_class WHERE relrowsecurity") == []


async def test_who_reads_for_long_stops_a_grant_and_nobody_else(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloned(cluster, "test_readers_wait") as database:
        async with open_store(StoreConfig(database.service_url)) as store:
            (account,) = await open_accounts(store, opening())
            with psycopg.connect(database.owner_url) as report:
                report.execute("SELECT FROM koshel.account")
                granting = asyncio.create_task(asyncio.to_thread(policies.grant, database.owner_url, None, READER, 1))
                for _ in range(20):
                    await asyncio.sleep(0.05)
                    assert refusals(await settle(store, [payment(account, "1")])) == [None]
                assert not granting.done()
                monkeypatch.setattr(policies, "ATTEMPTS", 1)
                with pytest.raises(Unfit, match=r"used the tables for more than 0\.5 s, so nothing was done"):
                    await asyncio.to_thread(policies.revoke, database.owner_url, None, READER, 1)
            await granting
        with as_role(database, READER) as connection:
            assert connection.execute("SELECT count(*) FROM account").fetchone() == (1,)


def test_who_reads_two_ledgers_and_whom_two_read(cluster: Cluster) -> None:
    def seen(role: str) -> list[Any] | None:
        with as_role(database, role) as connection:
            try:
                return [id_ for (id_,) in connection.execute("SELECT id FROM koshel.ledger ORDER BY id").fetchall()]
            except psycopg.errors.InsufficientPrivilege:
                return None

    with cloned(cluster, "test_readers_of_two") as database:
        execute(database.owner_url, f"INSERT INTO ledger (id, name) VALUES ({SHOP}, 'shop')")
        for role, ledger_id in ((READER, 1), (NOBODY, 1), (READER, SHOP), (READER, SHOP)):
            policies.grant(database.owner_url, None, role, ledger_id)
        assert (seen(READER), seen(NOBODY)) == ([1, SHOP], [1])
        assert policies.revoke(database.owner_url, None, READER, 1)
        assert not policies.revoke(database.owner_url, None, READER, 1)
        assert (seen(READER), seen(NOBODY)) == ([SHOP], [1])
        assert policies.revoke(database.owner_url, None, READER, SHOP)
        assert (seen(READER), seen(NOBODY)) == (None, [1])


def test_a_table_that_a_later_migration_makes_is_covered(cluster: Cluster) -> None:
    with cloned(cluster, "test_readers_later") as database:
        policies.grant(database.owner_url, None, READER, 1)
        execute(
            database.owner_url,
            "CREATE TABLE koshel.later AS SELECT generate_series(1, 2)::bigint AS ledger_id",
            f"GRANT SELECT ON koshel.later TO {embedded.SERVICE}",
        )
        migrate(database.owner_url, service_role=embedded.SERVICE)
        execute(database.owner_url, f"GRANT SELECT ON koshel.later TO {READER}")
        with as_role(database, READER) as connection:
            assert connection.execute("SELECT ledger_id FROM later").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("nobody; here", "there is no database role 'nobody; here'; make it first"),
        (embedded.OWNER, "is a superuser, so"),
        (embedded.SERVICE, "is a role of the service, so"),
        ("test_strong", "has BYPASSRLS, so"),
        ("test_heir", "is a member of a role that sees all, so"),
        ("test_double", "is a role of the service, so"),
    ],
)
def test_a_role_that_sees_or_does_more_is_no_reader(
    cluster: Cluster, database: Database, role: str, reason: str
) -> None:
    execute(
        cluster.url(),
        "CREATE ROLE test_strong BYPASSRLS",
        "CREATE ROLE test_heir NOINHERIT IN ROLE test_strong",
        f"CREATE ROLE test_double NOINHERIT IN ROLE {embedded.SERVICE}",
    )
    try:
        with pytest.raises(Unfit) as refused:
            policies.grant(database.owner_url, None, role, 1)
    finally:
        execute(cluster.url(), "DROP ROLE test_double, test_heir, test_strong")
    assert reason in str(refused.value)
    assert query(database, "SELECT polname FROM pg_policy") == []
