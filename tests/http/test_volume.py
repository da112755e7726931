"""How much has moved in the ledger of the key."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from koshel.db.reading.volume import TRANSACTIONS_MAX, VOLUMES_MAX
from koshel.db.server.embedded import Cluster
from koshel.http.limits import SUMS_MAX
from tests.http.test_refusals import assert_problem
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.service import Running, serving
from tests.support.till import Till
from tests.support.waiting import wait_until

CROWD = f"""
INSERT INTO koshel.transaction (
    ledger_id, id, kind, target_account_id, amount, target_balance, target_version, metadata, ctime
)
SELECT 1, 1000000 + n, 'payment', 1, 1.00, 1.00, 1000000 + n, '{{}}', timestamptz '2001-01-01Z' + n * interval '1 ms'
FROM generate_series(0, {TRANSACTIONS_MAX}) AS n
"""


@pytest.fixture(scope="module")
def database(cluster: Cluster) -> Iterator[Database]:
    with cloned(cluster, "ledger_volume_tests") as database:
        yield database


@pytest.fixture(scope="module")
def alone(database: Database) -> Iterator[Running]:
    """A service with a ledger of its own, in which something has moved."""
    with serving(database.service_url, workers="1", auth="off") as service:
        till = Till(service)
        ann = till.open("100", name="users:ann:main")
        bob = till.open(name="users:bob")
        jan = till.open("500", currency="JPY")
        till.transfer(ann, bob, "30")
        till.capture(till.hold(ann, bob, "20").body["id"], "5")
        till.refund(till.withdraw(bob, "12.50").body["id"], "2.50")
        till.withdraw(jan, "7")
        yield service


def volumes(service: Running, query: str = "") -> list[dict[str, Any]]:
    answer = service.call("GET", f"/ledger/volume?{query}")
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.body["volumes"]
    return found


def test_amounts_are_added_up_by_currency_always(alone: Running) -> None:
    wanted = [
        {"currency": "JPY", "transactions": 2, "total": "507"},
        {"currency": "USD", "transactions": 5, "total": "150.00"},
    ]
    assert volumes(alone) == volumes(alone, "group_by=currency") == wanted


def test_volumes_are_of_kinds_days_and_the_beginnings_of_names(alone: Running) -> None:
    today = datetime.now(UTC).date().isoformat()
    found = volumes(alone, "group_by=day,kind")
    assert [(one["currency"], one["kind"], one["total"]) for one in found] == [
        ("JPY", "payment", "500"),
        ("JPY", "withdrawal", "7"),
        ("USD", "capture", "5.00"),
        ("USD", "payment", "100.00"),
        ("USD", "refund", "2.50"),
        ("USD", "transfer", "30.00"),
        ("USD", "withdrawal", "12.50"),
    ]
    assert {one["day"] for one in found} <= {today, datetime.now(UTC).date().isoformat()}
    users, nobody = volumes(alone, "group_by=name_prefix:1")
    assert users == {
        "name_prefix": "users",
        "currency": "USD",
        "transactions": 5,
        "total": "150.00",
        "total_in": "137.50",
        "total_out": "47.50",
    }
    assert (nobody["name_prefix"], nobody["total_in"], nobody["total_out"]) == (None, "500", "7")
    assert [one["name_prefix"] for one in volumes(alone, "group_by=name_prefix:2")] == ["users:ann", "users:bob", None]


@pytest.mark.parametrize(
    ("query", "parameter", "says"),
    [
        ("group_by=weather", "group_by", "name_prefix:N, currency, kind and day"),
        ("group_by=", "group_by", "name_prefix:N"),
        ("group_by=kind,,day", "group_by", "name_prefix:N"),
        ("group_by=kind,kind", "group_by", "once"),
        ("group_by=name_prefix:1,name_prefix:2", "group_by", "once"),
        ("group_by=kind&group_by=day", "group_by", "once"),
        ("group_by=name_prefix", "group_by", "name_prefix:N"),
        ("group_by=name_prefix:0", "group_by", "1 to 99"),
        ("group_by=name_prefix:-1", "group_by", "1 to 99"),
        ("group_by=name_prefix:1000", "group_by", "1 to 99"),
        ("group_by=name_prefix:01", "group_by", "1 to 99"),
        ("group_by=name_prefix:%D9%A3", "group_by", "1 to 99"),  # a three, in Arabic
        ("group_by=kind%0A", "group_by", "name_prefix:N"),
        ("group_by=kind%00", "group_by", "name_prefix:N"),
        ("group_by=" + "kind," * 1000 + "day", "group_by", "name_prefix:N"),
        ("since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", "since", "after until"),
        ("since=2026-02-30T00:00:00Z", "since", "must be a time"),
        ("until=0000-01-01T00:00:00Z", "until", "must be a time"),
        ("until=10000-01-01T00:00:00Z", "until", "must be a time"),
        ("since=0001-01-01T00:00:00%2B01:00", "since", "years 1 to 9999"),
        ("since=2026-01-01", "since", "must be a time"),
        ("groupby=kind", "groupby", "not known"),
        ("limit=10", "limit", "not known"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_parameter(
    alone: Running, query: str, parameter: str, says: str
) -> None:
    answer = alone.call("GET", f"/ledger/volume?{query}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == parameter
    assert says in answer.body["detail"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59.999999Z", 2),
        ("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", 0),
        ("until=0001-01-01T00:00:00Z", 0),
        ("since=9999-12-31T23:59:59.999999Z", 0),
        ("group_by=name_prefix:99,currency,kind,day&until=2000-01-01T00:00:00Z", 0),
    ],
)
def test_what_is_strange_is_no_error(alone: Running, query: str, count: int) -> None:
    assert len(volumes(alone, query)) == count


def test_more_than_may_be_read_is_refused_and_fits_in_the_time_that_is_named(
    alone: Running, database: Database
) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(CROWD.encode())
        try:
            answer = alone.call("GET", "/ledger/volume?group_by=kind")
            assert_problem(answer, "volume-too-large")
            assert answer.body["transactions_max"] == TRANSACTIONS_MAX
            assert answer.body["fits_until"] == "2001-01-01T00:01:40.000000Z"
            (fits,) = volumes(alone, f"group_by=kind&until={answer.body['fits_until']}")
            assert (fits["transactions"], fits["total"]) == (TRANSACTIONS_MAX, f"{TRANSACTIONS_MAX}.00")
        finally:
            connection.execute("DELETE FROM koshel.transaction WHERE ctime < '2002-01-01'")


def test_more_volumes_than_are_answered_are_refused(alone: Running, database: Database) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(CROWD.replace("1 ms", "1 day").replace(str(TRANSACTIONS_MAX), str(VOLUMES_MAX)).encode())
        try:
            answer = alone.call("GET", "/ledger/volume?group_by=day&until=2026-01-01T00:00:00Z")
            assert_problem(answer, "volume-too-large")
            assert "fits_until" not in answer.body
            assert str(VOLUMES_MAX) in answer.body["detail"]
            assert len(volumes(alone, "group_by=day&until=2001-01-31T00:00:00Z")) == 30
        finally:
            connection.execute("DELETE FROM koshel.transaction WHERE ctime < '2026-01-01'")


def test_a_worker_adds_up_two_ledgers_at_once_and_refuses_more(alone: Running, database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection, ThreadPoolExecutor(SUMS_MAX) as callers:
        connection.execute("LOCK TABLE koshel.transaction IN ACCESS EXCLUSIVE MODE")
        waiting = [callers.submit(alone.call, "GET", f"/ledger{what}") for what in ("/volume", "")]
        wait_until(lambda: stuck(connection) == SUMS_MAX, "two that wait for the table")
        for what in ("/volume", ""):
            assert_problem(alone.call("GET", f"/ledger{what}"), "overloaded")
        connection.rollback()
        assert [one.result().status for one in waiting] == [200, 200]
    assert alone.call("GET", "/ledger/volume").status == 200


def stuck(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """How many wait for a lock on a table."""
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'").fetchone()
    assert row is not None
    return int(row[0])
