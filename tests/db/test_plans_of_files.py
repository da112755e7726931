"""What files need is found by index, whatever size the ledger has."""

from collections.abc import Iterator

import psycopg
import pytest

from koshel.db import queries
from koshel.db.server.embedded import Cluster
from tests.db.test_plans import EITHER, FEW_IDS, FILL, KEYS, LARGE, NAMES, plan_of
from tests.support.clone import cloned
from tests.support.partitioned import named_as_one

LOOK_UPS = {
    "find_accounts_to_import_to": (["1", FEW_IDS, NAMES], {"account", "account_by_name"}),
    "find_keys": (["1", KEYS], {"receipt_pkey"}),
    "read_first_and_last": (["1"], {"account", "transaction_pkey"}),
}


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[str]:
    """The URL of a database as large as that of the other plans."""
    with cloned(cluster, "test_plans_of_files") as database:
        with psycopg.connect(database.owner_url, autocommit=True) as filling:
            filling.execute(FILL.encode())
            filling.execute("VACUUM ANALYZE")
        yield database.owner_url


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_look_up_uses_its_index(filled: str, name: str, mode: str) -> None:
    arguments, wanted = LOOK_UPS[name]
    plan = plan_of(filled, name, arguments, mode)
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    assert {EITHER.get(index, index) for index in used} >= wanted
    assert not {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"} & LARGE


@pytest.mark.parametrize("name", ["export_accounts", "export_transactions", "export_lines"])
def test_an_export_sorts_no_table_and_keeps_none_in_memory(filled: str, name: str) -> None:
    """Its rows come in the order of an index, and accounts are looked up."""
    with psycopg.connect(filled) as connection:
        connection.execute(queries.load().plan_for_export.encode())
        statement = getattr(queries.load(), name).replace("$1", "1")
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}".encode()).fetchone()
        assert row is not None
        plan = named_as_one(connection, row[0][0]["Plan"])
    kinds = {node["Node Type"] for node in plan}
    assert not kinds & {"Sort", "Hash", "Hash Join", "Merge Join", "Materialize", "Bitmap Heap Scan"}
    assert not {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"} & LARGE
