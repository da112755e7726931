"""Hot statements find their rows by index, in tables of a realistic size, whatever plan the server settles on."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from koshel.db.mapping.posting_columns import DERIVED
from koshel.db.mapping.tables import TRANSACTION, Mostly
from koshel.db.pools import PLANNING
from koshel.db.server.embedded import Cluster
from tests.db.test_routing import TABLE
from tests.support import listed
from tests.support.clone import cloned
from tests.support.partitioned import named_as_one

ACCOUNTS = 20_000  # the first half in ledger 1, the others in 1,000 small ledgers
TRANSACTIONS = 50_000  # payments, every second one with a key
HOLDS = 20_000  # half of them captured, the others open, a tenth of these expired
REFUNDS = 10_000  # of the first payments
QUEUED = 20_000  # a tenth of them due

FILL = f"""
INSERT INTO account
SELECT CASE WHEN n <= {ACCOUNTS // 2} THEN 1 ELSE 2 + n % 1000 END, n, 'ann@example.com', 'USD', 2, 1.00, 0.00,
    1, 0.00, NULL, 'open', '{{}}', NULL, now(), 0, 'users:' || n
FROM generate_series(1, {ACCOUNTS}) AS n;
INSERT INTO transaction
SELECT 1, n, 'payment', NULL, 1 + n % {ACCOUNTS // 2}, 1.00, NULL, n, NULL, n, NULL, NULL,
    CASE WHEN n % 2 = 0 THEN 'key-' || n END, '{{}}', now()
FROM generate_series(1, {TRANSACTIONS}) AS n;
INSERT INTO transaction
SELECT 1, {HOLDS} + n, 'hold', 1 + n % {ACCOUNTS // 2}, NULL, 1.00, 1, NULL, n, NULL, NULL, NULL, NULL, '{{}}', now(),
    1.00, NULL, now()
FROM generate_series({TRANSACTIONS} - {HOLDS} + 1, {TRANSACTIONS}) AS n;
INSERT INTO transaction
SELECT 1, 2 * {HOLDS} + n, 'capture', 1 + n % {ACCOUNTS // 2}, NULL, 1.00, 1, NULL, {TRANSACTIONS} + n, NULL,
    {HOLDS} + n, NULL, NULL, '{{}}', now()
FROM generate_series({TRANSACTIONS} - {HOLDS} + 1, {TRANSACTIONS} - {HOLDS // 2}) AS n;
INSERT INTO transaction
SELECT 1, 3 * {HOLDS} + {TRANSACTIONS} + n, 'refund', 1 + n % {ACCOUNTS // 2}, NULL, 1.00, 1, NULL,
    2 * {TRANSACTIONS} + n, NULL, n, NULL, NULL, '{{}}', now()
FROM generate_series(1, {REFUNDS}) AS n;
INSERT INTO hold
SELECT 1, id, 1.00, now() + interval '1 minute' * (id % 10 * 1000 - 1),
    CASE WHEN id % 3 = 0 THEN now() + interval '1 minute' * (id % 10 * 100 - 1) END
FROM transaction
WHERE kind = 'hold' AND id > {TRANSACTIONS + HOLDS // 2};
INSERT INTO queued
SELECT CASE WHEN n % 2 = 0 THEN 1 ELSE 2 + n % 1000 END, n, '{{}}', now() + interval '1 minute' * (n % 10 * 1000 - 1),
    CASE WHEN n % 1000 = 0 THEN 1 ELSE 0 END, NULL, now()
FROM generate_series(10 * {TRANSACTIONS}, 10 * {TRANSACTIONS} + {QUEUED}) AS n;
INSERT INTO declined
SELECT 1, n, '{{}}', '{{}}', now() FROM generate_series(20 * {TRANSACTIONS}, 20 * {TRANSACTIONS} + {QUEUED}) AS n;
INSERT INTO cancelled
SELECT 1, n, '{{}}', NULL, now() FROM generate_series(30 * {TRANSACTIONS}, 30 * {TRANSACTIONS} + {QUEUED}) AS n;
INSERT INTO receipt
SELECT ledger_id, idempotency_key, id FROM transaction WHERE idempotency_key IS NOT NULL;
INSERT INTO account_change SELECT ledger_id, id, r, email, 0, NULL, 'open', '{{}}', NULL, NULL, false, now()
FROM account, generate_series(0, 3) AS r;
INSERT INTO transaction_change SELECT 1, n, r, '{{}}', NULL, NULL, now()
FROM generate_series(1, {TRANSACTIONS}, 5) AS n, generate_series(1, 3) AS r;
INSERT INTO turnover SELECT ledger_id, id, 0, now(), '[{{}}]' FROM account;
INSERT INTO split SELECT 1, n, 1.00, ARRAY[n] FROM generate_series(1, 5000) AS n;
INSERT INTO batch SELECT 1, gen_random_uuid(), ARRAY[n], 2 FROM generate_series(1, 5000) AS n;
"""

MANY_IDS = "{" + ",".join(str(n) for n in range(ACCOUNTS // 2 + 1, ACCOUNTS // 2 + 501)) + "}"
MANY_LEDGERS = "{" + ",".join(str(2 + n % 1000) for n in range(ACCOUNTS // 2 + 1, ACCOUNTS // 2 + 501)) + "}"
OF_LEDGERS = [MANY_LEDGERS, MANY_IDS, "10500", "100"]
FEW_IDS = "{" + ",".join(str(n * 17) for n in range(1, 501)) + "}"
KEYS = "{" + ",".join(f"key-{n}" for n in range(2, 502)) + "}"
NAMES = "{" + ",".join(f"users:{n * 17}" for n in range(1, 501)) + "}"
ONES = "{" + ",".join("1" for _ in range(500)) + "}"
# What `post` is told, for 500 payments into accounts of one ledger.
BATCH_ID = "00000000-0000-4000-8000-000000000000"
NO, YES = ("{" + ",".join(500 * [word]) + "}" for word in ("false", "true"))
_PAYMENTS = {"ledger_id": ONES, "target_account_id": FEW_IDS, "is_sources_last": NO, "is_targets_last": YES}
_ARRAYS = [column.name for column in (*TRANSACTION, *DERIVED) if column.mostly is not Mostly.ONE]
POST = [*(_PAYMENTS.get(name, "{}") for name in _ARRAYS), "2026-01-01", BATCH_ID]
_OF_PLAIN = {Mostly.SAME, Mostly.DIFFERENT}
_PLAIN = [column.name for column in (*TRANSACTION, *DERIVED) if column.mostly in _OF_PLAIN or column.is_plain]
POST_PLAIN = [*(_PAYMENTS.get(name, "{}") for name in _PLAIN), "2026-01-01", BATCH_ID]
FEW_HOLDS = "{" + ",".join(str(TRANSACTIONS + n * 7) for n in range(1, 501)) + "}"
FEW_QUEUED = "{" + ",".join(str(10 * TRANSACTIONS + n * 2) for n in range(1, 501)) + "}"

# statement, arguments, the indexes it must use
HOT: dict[str, tuple[str, Sequence[str | None], set[str]]] = {
    "lock_accounts of one ledger": ("lock_accounts", ["{1}", FEW_IDS, "8500", "100"], {"account"}),
    "lock_accounts of 500 ledgers": ("lock_accounts", OF_LEDGERS, {"account"}),
    "lock_accounts_of_ledgers": ("lock_accounts_of_ledgers", OF_LEDGERS, {"account"}),
    "lock_accounts of a lone caller": ("lock_accounts", ["{1}", "{7,8}", "8", "100"], {"account"}),
    "lock_free_accounts": ("lock_free_accounts", ["{1}", FEW_IDS, "8500", "100"], {"account"}),
    "lock_free_accounts_of_ledgers": ("lock_free_accounts_of_ledgers", OF_LEDGERS, {"account"}),
    "find_accounts": ("find_accounts", ["{1}", FEW_IDS], {"account"}),
    "find_names": ("find_names", [ONES, NAMES], {"account_by_name"}),
    "find_held": ("find_held", ["{1}", FEW_IDS], {"account"}),
    "find_receipts": ("find_receipts", [ONES, KEYS], {"receipt_pkey", "transaction_pkey", "account"}),
    "post": ("post", POST, {"account", "hold_pkey"}),
    "post_plain": ("post_plain", POST_PLAIN, {"account"}),
    "move_accounts": ("move_accounts", [ONES, FEW_IDS, *["{}"] * 3], {"account"}),
    "read_accounts": ("read_accounts", ["{1}", FEW_IDS, "8500"], {"account"}),
    "find_originals": ("find_originals", [ONES, FEW_HOLDS], {"transaction_pkey", "account"}),
    "find_originals of a lone caller": ("find_originals", ["{1}", "{70}"], {"transaction_pkey", "account"}),
    "find_members": ("find_members", [ONES, FEW_HOLDS], {"transaction_pkey", "account"}),
    "find_pending": ("find_pending", [ONES, FEW_QUEUED], {"queued_pkey", "declined_pkey", "cancelled_pkey"}),
    "find_holds": ("find_holds", [ONES, FEW_HOLDS], {"hold_pkey", "transaction_parent"}),
    "find_holds of a lone caller": ("find_holds", ["{1}", "{70}"], {"hold_pkey", "transaction_parent"}),
    "find_refunded": ("find_refunded", [ONES, FEW_IDS], {"transaction_parent"}),
    "find_details": ("find_details", [ONES, FEW_IDS], {"account"}),
    "find_shown": ("find_shown", [ONES, FEW_IDS], {"account"}),
    "find_turnovers": ("find_turnovers", ["{1}", FEW_IDS], {"turnover_pkey"}),
    "find_history": (
        "find_history",
        ["{1}", "{7}", "10000"],
        {"account", "transaction_source_version", "transaction_target_version"},
    ),
    "count_turnovers": ("count_turnovers", ["{1}", "{7}", "{1}", "{NULL}", "2026-01-01"], {"turnover_pkey"}),
    "keep_turnovers": ("keep_turnovers", ["{1}", "{7}", "{1}", "{NULL}", "2026-01-01"], {"turnover_pkey"}),
    "list_account_changes": ("list_account_changes", ["1", "7", "500", "500"], {"account_change_pkey"}),
    "find_notes": ("find_notes", [ONES, FEW_IDS], {"transaction_change_pkey"}),
    "list_transaction_changes": (
        "list_transaction_changes",
        ["1", "6", "500", "500"],
        {"transaction_change_pkey", "transaction_pkey"},
    ),
    "change_accounts": ("change_accounts", [ONES, FEW_IDS, *["{}"] * 10], {"account"}),
    "settle_queued": ("settle_queued", [ONES, FEW_QUEUED, "{}"], {"queued_pkey"}),
    "get_queued": ("get_queued", ["1", "7"], {"queued_pkey", "declined_pkey", "cancelled_pkey"}),
    "postpone_captures": ("postpone_captures", [ONES, FEW_HOLDS, "60"], {"hold_pkey"}),
    "cancel_queued": ("cancel_queued", ["1", "7", "till-3"], {"queued_pkey"}),
    "find_due": ("find_due", [], {"queued_due", "hold_expires", "hold_capture"}),
    "claim_queued": ("claim_queued", ["1", "250", "{}"], {"queued_due"}),
    "claim_one_queued": ("claim_one_queued", ["1", "7"], {"queued_pkey"}),
    "note_blocked": ("note_blocked", ["1", FEW_QUEUED, "locked"], {"queued_pkey"}),
    "postpone": ("postpone", ["1", "7", "deadlock", "1", "300"], {"queued_pkey"}),
    "claim_holds": ("claim_holds", ["1", "250", "{7}"], {"hold_expires", "hold_capture"}),
    "claim_one_hold": ("claim_one_hold", ["1", "7"], {"hold_pkey"}),
    "measure_queue": ("measure_queue", ["1"], {"queued_due", "queued_put_off"}),
    "get_account": ("get_account", ["1", "7"], {"account"}),
    "get_account_named": ("get_account_named", ["1", "users:7"], {"account_by_name"}),
    "get_transaction": (
        "get_transaction",
        ["1", "7"],
        {"transaction_pkey", "account", "transaction_parent", "hold_pkey", "transaction_change_pkey"},
    ),
    "get_split": ("get_split", ["1", "7"], {"split_pkey", "transaction_pkey", "account", "hold_pkey"}),
    "get_split_ids": ("get_split_ids", ["1", "7"], {"split_pkey"}),
    "find_batch": ("find_batch", ["1", BATCH_ID], {"batch_pkey"}),
}
HOT |= listed.LISTED
# An account is found by id alone as well as by its key, and the planner may take either.
EITHER = {"account_pkey": "account", "account_by_id": "account"}
LARGE = set(TABLE.split("|"))


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[str]:
    """The URL of a database with as many rows as a small business has."""
    with cloned(cluster, "test_plans") as database:
        with psycopg.connect(database.owner_url, autocommit=True) as filling:
            filling.execute(FILL.encode())
            filling.execute("VACUUM ANALYZE")
        yield database.owner_url


@pytest.fixture(scope="module")
def empty(cluster: Cluster) -> Iterator[str]:
    """The URL of a database in which nothing is yet."""
    with cloned(cluster, "test_plans_empty") as database:
        yield database.owner_url


def plan_of(url: str, name: str, arguments: Sequence[str | None], mode: str) -> list[dict[str, Any]]:
    """The nodes of the plan of a prepared statement, which is not executed; what all partitions have has one name."""
    with psycopg.connect(url) as connection:
        for setting, value in {"plan_cache_mode": mode, **PLANNING}.items():
            connection.execute(f"SET {setting} = {value}".encode())
        connection.execute(f"PREPARE hot AS {listed.statement(name)}".encode())
        values = f"({', '.join('NULL' if one is None else repr(one) for one in arguments)})" if arguments else ""
        row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE hot{values}".encode()).fetchone()
        assert row is not None
        return named_as_one(connection, row[0][0]["Plan"])


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("case", HOT)
def test_a_hot_statement_uses_its_index(filled: str, case: str, mode: str) -> None:
    name, arguments, wanted = HOT[case]
    plan = plan_of(filled, name, arguments, mode)
    scanned = {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"}
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    assert {EITHER.get(index, index) for index in used} >= wanted, json.dumps(plan[0], indent=1)
    assert not scanned & LARGE


def test_holds_that_are_due_are_counted_by_the_index_on_their_time(filled: str) -> None:
    plan = plan_of(filled, "measure_background", [], "force_generic_plan")
    used = {node["Index Name"] for node in plan if node.get("Index Name", "").startswith("hold")}
    assert used == {"hold_capture", "hold_expires"}


@pytest.mark.parametrize("case", HOT)
def test_a_plan_that_was_made_while_the_tables_were_empty_is_of_index_probes_too(empty: str, case: str) -> None:
    name, arguments, _ = HOT[case]
    plan = plan_of(empty, name, arguments, "force_generic_plan")
    kinds = {node["Node Type"] for node in plan}
    assert not {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"} & LARGE
    assert not kinds & {"Hash Join", "Merge Join"}
    unbound = [node for node in plan if node["Node Type"] == "Index Scan" and "Index Cond" not in node]
    assert not unbound, "an index that is read from one end to the other"


@pytest.mark.parametrize("case", [case for case in HOT if case.startswith("lock_")])
def test_the_lock_takes_rows_in_ascending_order_of_their_ids(filled: str, case: str) -> None:
    top, *below = plan_of(filled, *HOT[case][:2], "force_generic_plan")
    assert top["Node Type"] == "LockRows"
    sorts = [node["Sort Key"] for node in below if "Sort Key" in node]
    by_id = [node["Scan Direction"] for node in below if node.get("Index Name") == "account_by_id"]
    assert sorts in ([["id"]], [["a.id"]]) or by_id == ["Forward"]


@pytest.mark.parametrize(
    ("name", "arguments"), [("claim_queued", ["1", "250", "{}"]), ("claim_holds", ["1", "250", "{}"])]
)
def test_a_claim_reads_no_more_of_a_long_queue_than_it_takes(filled: str, name: str, arguments: list[str]) -> None:
    """The index gives the rows in order, so that nothing is sorted, and the limit stops the scan."""
    for mode in ("force_generic_plan", "force_custom_plan"):
        plan = plan_of(filled, name, arguments, mode)
        assert "Limit" in {node["Node Type"] for node in plan}
        assert not [node for node in plan if "Sort" in node["Node Type"]]


def test_an_update_of_a_balance_touches_no_index(filled: str) -> None:
    """No index is on a column that a transfer changes, and the page has room: every update is a HOT one."""
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_reset()")
        connection.execute("UPDATE account SET balance = balance + 1, version = version + 1 WHERE id % 10 = 0")
        connection.execute("SELECT pg_stat_force_next_flush()")
        counted = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'account'"
        assert connection.execute(counted).fetchone() == (ACCOUNTS // 10, ACCOUNTS // 10)


def test_each_argument_of_a_statement_has_a_value_in_these_tests() -> None:
    for name, arguments, _ in HOT.values():
        numbers = {int(n) for n in re.findall(r"\$(\d+)", listed.statement(name))}
        assert numbers == set(range(1, len(arguments) + 1)), name
