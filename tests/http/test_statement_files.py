"""A statement in a file has the lines of the one that HTTP answers with, whatever the file is written in."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from koshel.db.server.embedded import SERVICE, Cluster
from koshel.db.store import StoreConfig, open_store
from koshel.files import statements
from koshel.files.statements import Between, export_statement
from koshel.http.bodies.csv_lines import COLUMNS
from koshel.inputs.moments import moment
from tests.http.conftest import DATABASE, Send
from tests.support.service import Running
from tests.support.till import Till

ALWAYS: Between = (None, None)


@pytest.fixture(scope="module")
def account(till: Till, service: Running) -> int:
    """An account with a name, lines of several kinds, and texts that a spreadsheet would run."""
    terms = {"email": "s@example.com", "name": "statement-files"}
    opened: int = service.call("POST", "/account", terms).body["id"]
    labels = {"reference": "=cmd|' /C calc'!A1", "description": "-1", "metadata": {"a": "b"}}
    for kind, body in (
        ("payment", {"amount": "100", "effective_on": "2026-01-31", **labels}),
        ("withdrawal", {"amount": "1.50", "reference": "@x"}),
    ):
        assert service.call("POST", f"/account/{opened}/{kind}", body).status == 201
    for amount in ("1", "2", "3"):
        till.pay(opened, amount)
    return opened


def export(cluster: Cluster, account: int, path: Path, between: Between = ALWAYS) -> int:
    async def write() -> int:
        async with open_store(StoreConfig(cluster.url(SERVICE, DATABASE))) as store:
            details = await store.get_account(1, account)
            assert details is not None
            return await export_statement(str(path), path.suffix[1:], store, details, between)

    return asyncio.run(write())


def answered(service: Running, account: int, query: str = "") -> list[Any]:
    found: list[Any] = service.call("GET", f"/account/{account}/statement{query}").body["lines"]
    return found


def test_json_lines_are_those_of_the_answer(
    service: Running, cluster: Cluster, account: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "LINES_AT_ONCE", 2)
    path = tmp_path / "s.jsonl"
    assert export(cluster, account, path) == 5
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == answered(service, account)


def test_csv_is_that_of_the_answer(send: Send, cluster: Cluster, account: int, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    assert export(cluster, account, path) == 5
    assert path.read_bytes() == send("GET", f"/account/{account}/statement", headers={"Accept": "text/csv"}).body
    assert b"'=cmd|' /C calc'!A1" in path.read_bytes()


def test_parquet_has_the_same_columns_as_csv(service: Running, cluster: Cluster, account: int, tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    assert export(cluster, account, path) == 5
    table = parquet.read_table(path)
    assert table.column_names == list(COLUMNS)
    for row, line in zip(table.to_pylist(), answered(service, account), strict=True):
        one = line["transaction"]
        assert (row["version"], row["transaction_id"]) == (line["version"], one["id"])
        assert [f"{row[name]:.2f}" for name in ("change", "balance", "held")] == [
            line[name] for name in ("change", "balance", "held")
        ]
        assert row["ctime"] == datetime.fromisoformat(one["ctime"])
        assert [row[name] for name in ("reference", "description")] == [
            one.get(name) for name in ("reference", "description")
        ]
        assert json.loads(row["metadata"]) == one["metadata"]
        assert str(row["effective_on"]) == one["effective_on"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_stretch_begins_and_ends_as_in_the_answer(
    service: Running, cluster: Cluster, account: int, tmp_path: Path, count: int
) -> None:
    times = [line["transaction"]["ctime"] for line in answered(service, account)]
    since, until = times[1], times[1 + count]
    path = tmp_path / "s.jsonl"
    assert export(cluster, account, path, (moment(since, "since"), moment(until, "until"))) == count
    wanted = answered(service, account, f"?since={since}&until={until}".replace("+", "%2B"))
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == wanted
