"""Proof of the books from the rows alone: nothing here trusts what wrote them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import dict_row

from koshel.db import queries

Row: TypeAlias = Mapping[str, Any]


def verify(url: str) -> list[str]:
    """What is wrong, a sentence each, from one snapshot; empty if the books are right."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return [sentence for statement, say in _checks() for sentence in _findings(connection, statement, say)]


def _findings(connection: "psycopg.Connection[Row]", statement: str, say: Callable[[Row], str]) -> Iterator[str]:
    for row in connection.execute(statement):
        yield f"ledger {row['ledger_id']}: {say(row)}"


def _checks() -> list[tuple[str, Callable[[Row], str]]]:
    q = queries.load()
    return [
        (q.verify_currencies, _currency),
        (q.verify_accounts, _account),
        (q.verify_lines, _line),
        (q.verify_references, _reference),
        (q.verify_receipts, _receipt),
        (q.verify_batches, _batch),
    ]


def _currency(row: Row) -> str:
    return (
        f"{row['currency']}: the balances add up to {row['balance']}, "
        f"but {row['paid_in']} came in and {row['paid_out']} went out"
    )


def _account(row: Row) -> str:
    return (
        f"account {row['id']} has balance {row['balance']} at version {row['version']}, "
        f"but its transactions say {row['told_balance']} at version {row['told_version']}"
    )


def _line(row: Row) -> str:
    return (
        f"transaction {row['id']} leaves account {row['account_id']} with {row['balance']} "
        f"at version {row['version']}, "
        f"but those before it say {row['told_balance']} at version {row['told_version']}"
    )


def _reference(row: Row) -> str:
    return f"transaction {row['id']} names account {row['account_id']}, which does not exist"


def _receipt(row: Row) -> str:
    key = row["idempotency_key"]
    if row["id"] is None:
        return f"the receipt of key {key!r} names transaction {row['transaction_id']}, which does not have that key"
    return f"transaction {row['id']} has key {key!r}, but there is no receipt for it"


def _batch(row: Row) -> str:
    if row["times"] is None:
        return f"transaction {row['id']} is in no batch"
    if row["times"] > 1:
        return f"transaction {row['id']} is in {row['times']} batches"
    return f"a batch names transaction {row['id']}, which does not exist"
