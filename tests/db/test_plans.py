"""Hot statements find their rows by index, in tables of a realistic size, whatever plan the server settles on."""

import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from koshel.db import queries
from koshel.db.embedded import Cluster
from tests.support.clone import cloned

ACCOUNTS = 20_000  # the first half in ledger 1, the others in 1,000 small ledgers
TRANSACTIONS = 50_000  # every second one with a key

FILL = f"""
INSERT INTO account
SELECT CASE WHEN n <= {ACCOUNTS // 2} THEN 1 ELSE 2 + n % 1000 END, n, 'ann@example.com', 'USD', 2, 1.00, 0.00,
    1, 0.00, NULL, 'open', '{{}}', NULL, now()
FROM generate_series(1, {ACCOUNTS}) AS n;
INSERT INTO transaction
SELECT 1, n, 'payment', NULL, 1 + n % {ACCOUNTS // 2}, 1.00, NULL, n, NULL, n, NULL, NULL,
    CASE WHEN n % 2 = 0 THEN 'key-' || n END, '{{}}', now()
FROM generate_series(1, {TRANSACTIONS}) AS n;
INSERT INTO receipt
SELECT ledger_id, idempotency_key, id FROM transaction WHERE idempotency_key IS NOT NULL;
INSERT INTO batch SELECT 1, gen_random_uuid(), ARRAY[n] FROM generate_series(1, 5000) AS n;
"""

MANY_IDS = "{" + ",".join(str(n) for n in range(ACCOUNTS // 2 + 1, ACCOUNTS // 2 + 501)) + "}"
MANY_LEDGERS = "{" + ",".join(str(2 + n % 1000) for n in range(ACCOUNTS // 2 + 1, ACCOUNTS // 2 + 501)) + "}"
FEW_IDS = "{" + ",".join(str(n * 17) for n in range(1, 501)) + "}"
KEYS = "{" + ",".join(f"key-{n}" for n in range(2, 502)) + "}"
ONES = "{" + ",".join("1" for _ in range(500)) + "}"
# What `post` is told, for 500 payments into accounts of one ledger.
POST = [ONES, *["{}"] * 10, "2026-01-01", "00000000-0000-4000-8000-000000000000", ONES, FEW_IDS, ONES, ONES]

# statement, arguments, the indexes it must use
HOT = {
    "lock_accounts of one ledger": ("lock_accounts", ["{1}", FEW_IDS, "8500"], {"account"}),
    "lock_accounts of 500 ledgers": ("lock_accounts", [MANY_LEDGERS, MANY_IDS, "10500"], {"account"}),
    "lock_accounts of a lone caller": ("lock_accounts", ["{1}", "{7,8}", "8"], {"account"}),
    "find_receipts": ("find_receipts", [ONES, KEYS], {"receipt_pkey", "transaction_pkey", "account"}),
    "post": ("post", POST, {"account"}),
    "get_account": ("get_account", ["1", "7"], {"account"}),
    "get_transaction": ("get_transaction", ["1", "7"], {"transaction_pkey", "account"}),
    "find_batch": ("find_batch", ["1", "00000000-0000-4000-8000-000000000000"], {"batch_pkey"}),
}
# An account is found by id alone as well as by its key, and the planner may take either.
EITHER = {"account_pkey": "account", "account_by_id": "account"}
LARGE = {"account", "transaction", "receipt", "batch"}


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[str]:
    """The URL of a database with as many rows as a small business has."""
    with cloned(cluster, "test_plans") as database:
        with psycopg.connect(database.owner_url, autocommit=True) as filling:
            filling.execute(FILL.encode())
            filling.execute("VACUUM ANALYZE")
        yield database.owner_url


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def plan_of(url: str, name: str, arguments: list[str], mode: str) -> list[dict[str, Any]]:
    """The nodes of the plan of a prepared statement; nothing is executed."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET plan_cache_mode = {mode}")
        connection.execute(f"PREPARE hot AS {getattr(queries.load(), name)}".encode())
        values = ", ".join(f"'{argument}'" for argument in arguments)
        row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE hot({values})".encode()).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("case", HOT)
def test_a_hot_statement_uses_its_index(filled: str, case: str, mode: str) -> None:
    name, arguments, wanted = HOT[case]
    plan = plan_of(filled, name, arguments, mode)
    scanned = {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"}
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    assert {EITHER.get(index, index) for index in used} >= wanted, json.dumps(plan[0], indent=1)
    assert not scanned & LARGE


def test_the_lock_takes_rows_in_ascending_order_of_their_ids(filled: str) -> None:
    top, *below = plan_of(filled, "lock_accounts", ["{1}", FEW_IDS, "8500"], "force_generic_plan")
    assert top["Node Type"] == "LockRows"
    sorts = [node["Sort Key"] for node in below if "Sort Key" in node]
    by_id = [node["Scan Direction"] for node in below if node.get("Index Name") == "account_by_id"]
    assert sorts == [["id"]] or by_id == ["Forward"]


def test_an_update_of_a_balance_touches_no_index(filled: str) -> None:
    """No index is on a column that a transfer changes, and the page has room: every update is a HOT one."""
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_reset()")
        connection.execute("UPDATE account SET balance = balance + 1, version = version + 1 WHERE id % 10 = 0")
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'account'"
        ).fetchone()
    assert row == (ACCOUNTS // 10, ACCOUNTS // 10)


def test_each_argument_of_a_statement_has_a_value_in_these_tests() -> None:
    for name, arguments, _ in HOT.values():
        numbers = {int(n) for n in re.findall(r"\$(\d+)", getattr(queries.load(), name))}
        assert numbers == set(range(1, len(arguments) + 1)), name
