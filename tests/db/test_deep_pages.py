"""A page in the middle of a long list reads as little as the first: in pages of the database, not by a clock."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from koshel.db.pools import PLANNING
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.listed import KINDS, OLDEST_FIRST, TOP, statement

COUNT = 60_000
MIDDLE = COUNT // 2
LISTS = ("list_transactions", "list_transactions_of_reference", "list_transactions_of_account")
BUFFERS_MAX = 80  # of eight kilobytes, some for each partition; a scan of half of the list has thousands
FILL = f"""
INSERT INTO account
SELECT 1, n, 'ann@example.com', 'USD', 2, 1.00, 0.00, 1, 0.00, NULL, 'open', '{{}}', NULL, now(), 0, 'users:' || n
FROM generate_series(1, {COUNT}) AS n;
INSERT INTO transaction (ledger_id, id, kind, target_account_id, amount, target_balance, target_version, metadata,
    ctime, reference)
SELECT 1, n, 'payment', 1, 1.00, 1.00, n, '{{}}', '2026-01-01'::timestamptz + n / 100 * interval '1 second', 'order 17'
FROM generate_series(1, {COUNT}) AS n;
"""


@pytest.fixture(scope="module")
def long(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """The URL of a database with long lists, and the time of the transaction in the middle."""
    with cloned(cluster, "test_deep_pages") as database:
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            connection.execute(FILL.encode())
            connection.execute("VACUUM ANALYZE")
            row = connection.execute("SELECT ctime::text FROM transaction WHERE id = %s", [MIDDLE]).fetchone()
        assert row is not None
        yield database.owner_url, row[0]


def read(url: str, name: str, arguments: Sequence[str], mode: str) -> dict[str, Any]:
    """What a statement that is executed has read."""
    with psycopg.connect(url) as connection:
        for setting, value in {"plan_cache_mode": mode, **PLANNING}.items():
            connection.execute(f"SET {setting} = {value}".encode())
        connection.execute(f"PREPARE deep AS {statement(name)}".encode())
        call = f"EXPLAIN (FORMAT JSON, ANALYZE, BUFFERS) EXECUTE deep({', '.join(map(repr, arguments))})"
        connection.execute(call.encode())  # the first time it reads the catalogue too
        row = connection.execute(call.encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("order", ["", OLDEST_FIRST])
@pytest.mark.parametrize(
    "name", ["list_transactions", "list_transactions_of_reference", "list_transactions_of_account"]
)
def test_a_page_in_the_middle_reads_little(long: tuple[str, str], name: str, order: str, mode: str) -> None:
    url, moment = long
    page = ["2100-01-01" if order else "2020-01-01", moment, str(MIDDLE), "51"]
    arguments = {
        "list_transactions": ["1", KINDS, *page, "{posted}"],
        "list_transactions_of_reference": ["1", "order 17", *page, "{posted}"],
        "list_transactions_of_account": ["1", "1", *page, "{posted}", "1", TOP, str(MIDDLE)],
    }[name]
    plan = read(url, name + order, arguments, mode)
    assert plan["Actual Rows"] == 51
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= BUFFERS_MAX


@pytest.mark.parametrize("order", ["", OLDEST_FIRST])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("list_accounts", ["1", str(MIDDLE), "51"]),
        ("list_accounts_of_currency", ["1", str(MIDDLE), "51", "USD"]),
        ("list_accounts_of_status", ["1", str(MIDDLE), "51", "open"]),
        ("list_accounts_of_email", ["1", str(MIDDLE), "51", "ann@example.com"]),
        ("list_accounts_of_name", ["1", "users:5", "51", "users:", "users;"]),
    ],
)
def test_a_page_of_accounts_in_the_middle_reads_little(
    long: tuple[str, str], name: str, arguments: Sequence[str], order: str
) -> None:
    plan = read(long[0], name + order, arguments, "force_generic_plan")
    assert plan["Actual Rows"] == 51
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= BUFFERS_MAX


def test_the_version_at_a_moment_is_found_by_halving(long: tuple[str, str]) -> None:
    url, moment = long
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE account SET version = %s WHERE id = 1", [COUNT])
        connection.commit()
    plan = read(url, "find_states_before", ["1", "1", f"{{{moment}}}"], "force_generic_plan")
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 16 * 4 * 5, (
        "steps, look-ups a step, height of an index"
    )
