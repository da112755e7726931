"""Who has an id reads the partition that it is in, and no older one for what follows it, by a plan for all calls."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from koshel.core.commands import Kind
from koshel.db import queries
from koshel.db.pools import PLANNING
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.listed import TOP
from tests.support.partitioned import nodes, statements

TENS = [*range(0, 110, 10)]
FILL = """
INSERT INTO account
SELECT 1, n, 'ann@example.com', 'USD', 2, 1.00, 0.00, 1, 0.00, NULL, 'open', '{}', NULL, now(), 0, 'users:' || n
FROM generate_series(1, 100) AS n;
INSERT INTO transaction (
    ledger_id, id, kind, target_account_id, amount, target_balance, target_version, metadata, ctime
)
SELECT 1, n, 'payment', n, 1.00, 1.00, 1, '{}', now() FROM generate_series(1, 99) AS n;
"""
PAGE = ["2020-01-01", "2090-01-01", TOP, "51"]
# The statement, its arguments, the partitions that may be read. What follows a transaction may be in any.
ALL = [*range(10)]
CASES: dict[str, tuple[Sequence[str | None], Sequence[int]]] = {
    "get_transaction": (["1", "35"], ALL),
    "find_listed": (["1", "{35,47}", *9 * [None], "2020-01-01", "2100-01-01"], ALL),
    "find_candidates": (["1", "{35,47}"], [3, 4]),
    "find_originals": (["{1,1}", "{35,47}"], [3, 4]),
    "find_members": (["{1,1}", "{35,47}"], [3, 4]),
    "find_holds": (["{1,1}", "{35,47}"], ALL),
    "find_refunded": (["{1,1}", "{35,47}"], ALL),
    "list_transactions_of_parent": (["1", "35", *PAGE, "{posted}"], ALL),
    "list_transactions_of_account": (["1", "35", *PAGE, "{posted}", "1", TOP, TOP], ALL),
}


@pytest.fixture(scope="module")
def tens(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A connection that plans as the service does, to a database with ten transactions in each of ten partitions."""
    with (
        cloned(cluster, "test_partitions_pruned") as database,
        psycopg.connect(database.owner_url, autocommit=True) as connection,
    ):
        for statement in statements(TENS):
            connection.execute(statement.encode())
        connection.execute(FILL.encode())
        connection.execute("ANALYZE")
        for setting, value in {"plan_cache_mode": "force_generic_plan", **PLANNING}.items():
            connection.execute(f"SET {setting} = {value}".encode())
        yield connection


def scans(connection: psycopg.Connection[Any], name: str, arguments: Sequence[str | None]) -> list[dict[str, Any]]:
    """Each scan of a partition that a statement has opened."""
    connection.execute(f"PREPARE it AS {getattr(queries.load(), name)}".encode())
    values = ", ".join("NULL" if one is None else repr(one) for one in arguments)
    row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE it({values})".encode()).fetchone()
    connection.execute("DEALLOCATE it")
    assert row is not None
    found = nodes(row[0][0]["Plan"])
    return [node for node in found if node.get("Relation Name", "").startswith("transaction_p")]


@pytest.mark.parametrize("name", CASES)
def test_no_other_partition_is_read(tens: psycopg.Connection[Any], name: str) -> None:
    arguments, wanted = CASES[name]
    found = [node for node in scans(tens, name, arguments) if node["Actual Loops"]]
    read = {int(re.sub(r"\D", "", node["Relation Name"])) - 900_000 for node in found}
    assert read <= set(wanted)
    assert min(read) == min(wanted)


@pytest.mark.parametrize("kinds", [[], ["payment"], ["payment", "refund"], [*Kind]], ids=len)
def test_a_list_opens_each_partition_once_whatever_the_kinds(
    tens: psycopg.Connection[Any], kinds: Sequence[str]
) -> None:
    found = scans(tens, "list_transactions", ["1", f"{{{','.join(kinds)}}}", *PAGE, "{posted}"])
    assert len(found) == len(ALL)
    assert all(node["Actual Loops"] == len(kinds) for node in found)
    wanted = "((ledger_id = $1) AND (kind = k.kind) AND (ctime >= $3) AND (ROW(ctime, id) < ROW($4, $5)))"
    assert {node["Index Cond"] for node in found} == {wanted}


def test_a_balance_at_a_time_asks_fewer_partitions_at_each_step(tens: psycopg.Connection[Any]) -> None:
    """Account 100 has a line in each partition, so the ids of its versions narrow what is asked."""
    with tens.transaction(force_rollback=True):
        tens.execute(
            """UPDATE transaction SET target_account_id = 100, target_version = id,
            ctime = '2026-01-01'::timestamptz + id * interval '1 day'"""
        )
        tens.execute("UPDATE account SET version = 99 WHERE id = 100")
        found = scans(tens, "find_states_before", ["1", "100", "{2026-02-05}"])
    asked = sum(node["Actual Loops"] for node in found)
    steps = 7  # of 99 versions
    assert len(ALL) * 2 < asked < len(ALL) * 2 * steps / 2
