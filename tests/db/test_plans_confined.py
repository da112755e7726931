"""Row-level security changes no plan: the service finds its rows by the same indexes, and each policy is asked once."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.db.starting import policies
from tests.db.test_plans import EITHER, FILL, HOT, LARGE, plan_of
from tests.support.clone import cloned
from tests.support.confined import confined
from tests.support.database import Database

READER = "test_plans_reader"


@pytest.fixture(scope="module", params=[confined, cloned], ids=["confined", "with a reader"])
def filled(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """The service's URL of a database as large as that of the other plans."""
    made: AbstractContextManager[Database] = request.param(cluster, "test_plans_confined")
    with psycopg.connect(cluster.url(), autocommit=True) as roles:
        roles.execute(f"CREATE ROLE {READER}".encode())
        with made as database:
            policies.grant(database.owner_url, None, READER, 1)
            with psycopg.connect(database.owner_url, autocommit=True) as filling:
                filling.execute(FILL.encode())
                filling.execute("VACUUM ANALYZE")
            yield database.service_url
        roles.execute(f"DROP ROLE {READER}".encode())


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("case", HOT)
def test_a_hot_statement_uses_its_index(filled: str, case: str, mode: str) -> None:
    name, arguments, wanted = HOT[case]
    plan = plan_of(filled, name, arguments, mode)
    used = {node["Index Name"] for node in plan if "Index Name" in node}
    assert {EITHER.get(index, index) for index in used} >= wanted
    assert not {node.get("Relation Name") for node in plan if node["Node Type"] == "Seq Scan"} & LARGE
    # A plan for a single call may read an empty partition from one end to the other.
    kept = [node for node in plan if mode == "force_generic_plan" or node.get("Index Name") != "transaction_pkey"]
    unbound = [node for node in kept if node["Node Type"] == "Index Scan" and "Index Cond" not in node]
    assert not unbound, "an index that is read from one end to the other"
    asked_of_each_row = [node for node in plan if "koshel.ledgers" in str(node.get("Filter", ""))]
    assert not asked_of_each_row
