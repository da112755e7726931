"""A database that takes no connections, or lacks rights for the role: a program is told by the documented class."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from koshel import Ledger, Misuse, SchemaNotCurrent, Unavailable
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.service import serving
from tests.support.waiting import wait_until

RIGHTS = "INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA koshel"
CLOSING = {
    "it takes none": ("ALTER DATABASE {0} ALLOW_CONNECTIONS false", "ALTER DATABASE {0} ALLOW_CONNECTIONS true"),
    "it is renamed": ("ALTER DATABASE {0} RENAME TO {0}_away", "ALTER DATABASE {0}_away RENAME TO {0}"),
    "it is full": ("ALTER DATABASE {0} CONNECTION LIMIT 0", "ALTER DATABASE {0} CONNECTION LIMIT -1"),
}
CALLS: dict[str, Callable[[Ledger], Coroutine[Any, Any, Any]]] = {
    "a payment": lambda ledger: ledger.pay(1, amount=1),
    "a queued one": lambda ledger: ledger.enqueue(ledger.requests.payment(1, amount=1)),
    "a new account": lambda ledger: ledger.open_account("bob@example.com"),
    "a change": lambda ledger: ledger.change_account(1, status="frozen"),
    "a batch": lambda ledger: ledger.batch([ledger.requests.payment(1, amount=1)] * 2),
}


@contextmanager
def closed(cluster: Cluster, database: Database, how: tuple[str, str]) -> Iterator[None]:
    """No connection can be made to the database, and those that were there are gone."""
    name = urlsplit(database.owner_url).path.removeprefix("/")
    close, reopen = (one.format(name) for one in how)
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        if "RENAME" in close:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        else:
            connection.execute(close)
        connection.execute(ending, [name])
        if "RENAME" in close:
            left = "SELECT FROM pg_stat_activity WHERE datname = %s"
            wait_until(lambda: not connection.execute(left, [name]).fetchall(), "nobody is left")
            connection.execute(close)
            connection.execute(f"ALTER DATABASE {name}_away ALLOW_CONNECTIONS true")
        try:
            yield
        finally:
            connection.execute(reopen)


@pytest.mark.parametrize("how", CLOSING.values(), ids=CLOSING)
async def test_a_database_that_takes_no_connections_is_unavailable_until_it_does(
    cluster: Cluster, database: Database, how: tuple[str, str]
) -> None:
    async with Ledger.open(database.service_url) as ledger:
        await ledger.open_account("ann@example.com")
        with closed(cluster, database, how):
            for call in (ledger.account(1), ledger.pay(1, amount=1), ledger.rehearsal().pay(1, amount=1)):
                with pytest.raises(Unavailable):
                    await call
        paid = await ledger.pay(1, amount=2)
        assert str(paid.target_balance) == "2.00"


def test_the_service_says_that_the_database_is_unavailable_and_goes_on_when_it_is_back(
    cluster: Cluster, database: Database
) -> None:
    with serving(database.service_url, auth="off") as service:
        assert service.call("POST", "/account", {"email": "ann@example.com"}).status == 201
        with closed(cluster, database, CLOSING["it takes none"]):
            for method, path, body in (("GET", "/account/1", None), ("POST", "/account/1/payment", {"amount": "1"})):
                answer = service.call(method, path, body)
                assert (answer.status, answer.body["code"]) == (503, "database-unavailable")
                assert answer.body["retryable"]
        assert service.call("POST", "/account/1/payment", {"amount": "1"}).status == 201


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_role_that_may_only_read_is_told_what_to_do(
    database: Database, call: Callable[[Ledger], Coroutine[Any, Any, Any]]
) -> None:
    async with Ledger.open(database.service_url) as ledger:
        await ledger.open_account("ann@example.com")
        execute(database.owner_url, f"REVOKE {RIGHTS} FROM {embedded.SERVICE}")
        with pytest.raises(Misuse, match=r"run `koshel migrate --service-role`.*permission denied"):
            await call(ledger)
        assert await ledger.account(1) is not None


async def test_a_cancellation_without_a_right_is_told_so(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        await ledger.open_account("ann@example.com")
        queued = await ledger.enqueue(ledger.requests.payment(1, amount=1))
        execute(database.owner_url, f"REVOKE {RIGHTS} FROM {embedded.SERVICE}")
        with pytest.raises(Misuse, match="koshel migrate --service-role"):
            await ledger.cancel(queued.id)  # type: ignore[union-attr]


def test_over_http_a_right_that_is_missing_is_503_until_it_is_granted(database: Database) -> None:
    with serving(database.service_url, auth="off") as service:
        assert service.call("POST", "/account", {"email": "ann@example.com"}).status == 201
        execute(database.owner_url, f"REVOKE {RIGHTS} FROM {embedded.SERVICE}")
        answer = service.call("POST", "/account/1/payment", {"amount": "1"})
        assert (answer.status, answer.body["code"]) == (503, "database-unavailable")
        assert service.call("GET", "/account/1").status == 200
        execute(database.owner_url, f"GRANT {RIGHTS} TO {embedded.SERVICE}")
        assert service.call("POST", "/account/1/payment", {"amount": "1"}).status == 201


async def test_tables_that_are_not_there_any_more_are_said(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        execute(database.owner_url, "ALTER SCHEMA koshel RENAME TO elsewhere")
        with pytest.raises(SchemaNotCurrent, match="run `koshel migrate`"):
            await ledger.account(1)


async def test_no_ledger_is_made_in_a_database_without_the_schema(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_of_ledgers")
    with pytest.raises(SchemaNotCurrent, match=r"lacks .*; run `koshel migrate`"):
        await Ledger.create(cluster.url(database="empty_of_ledgers"), "shop")
