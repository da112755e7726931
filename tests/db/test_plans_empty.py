"""Plans that were made while the tables were empty, and are kept, find rows by ids and read no whole ledger."""

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from koshel.db import queries
from koshel.db.pools import PLANNING
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.partitioned import nodes

CASES = {
    "find_originals": ("{1,1}", "{70,80}"),
    "find_holds": ("{1,1}", "{70,80}"),
    "find_refunded": ("{1,1}", "{70,80}"),
    "find_members": ("{1,1}", "{70,80}"),
    "find_receipts": ("{1,1}", "{a,b}"),
    "find_candidates": ("1", "{70,80}"),
    "get_transaction": ("1", "70"),
}


@pytest.fixture(scope="module")
def empty(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    with (
        cloned(cluster, "test_plans_empty") as database,
        psycopg.connect(database.owner_url, autocommit=True) as connection,
    ):
        for setting, value in {"plan_cache_mode": "force_generic_plan", **PLANNING}.items():
            connection.execute(f"SET {setting} = {value}".encode())
        yield connection


@pytest.mark.parametrize("name", CASES)
def test_rows_are_found_by_their_ids(empty: psycopg.Connection[Any], name: str) -> None:
    arguments = ", ".join(map(repr, CASES[name]))
    empty.execute(f"PREPARE it AS {getattr(queries.load(), name)}".encode())
    row = empty.execute(f"EXPLAIN (FORMAT JSON) EXECUTE it({arguments})".encode()).fetchone()
    empty.execute("DEALLOCATE it")
    assert row is not None
    scans = [node for node in nodes(row[0][0]["Plan"]) if node.get("Relation Name", "").startswith("transaction_p")]
    assert scans
    for node in scans:
        assert re.search(r"\(ledger_id = .*\b(id|parent_id) = ", node["Index Cond"]), node["Index Cond"]
