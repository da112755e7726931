"""A row of each table that breaks no rule, as SQL."""

from collections.abc import Mapping
from typing import TypeAlias

import psycopg

Connection: TypeAlias = "psycopg.Connection[tuple[object, ...]]"
Row: TypeAlias = Mapping[str, str]

ACCOUNT = {
    "ledger_id": "1",
    "id": "1",
    "email": "'ann@example.com'",
    "currency": "'USD'",
    "scale": "2",
    "balance": "10.00",
    "held": "4.00",
    "version": "1",
    "min_balance": "-5.00",
    "max_balance": "100.00",
    "status": "'open'",
    "metadata": "'{}'",
    "ctime": "now()",
}
TRANSFER = {
    "ledger_id": "1",
    "id": "1",
    "kind": "'transfer'",
    "source_account_id": "1",
    "target_account_id": "2",
    "amount": "10.00",
    "source_balance": "0.00",
    "target_balance": "10.00",
    "source_version": "2",
    "target_version": "1",
    "metadata": "'{}'",
    "ctime": "now()",
}
NO_SOURCE = {"source_account_id": "NULL", "source_balance": "NULL", "source_version": "NULL"}
NO_TARGET = {"target_account_id": "NULL", "target_balance": "NULL", "target_version": "NULL"}
RECEIPT = {"ledger_id": "1", "idempotency_key": "'k'", "transaction_id": "1"}
BATCH = {"ledger_id": "1", "id": "'00000000-0000-4000-8000-000000000000'", "transaction_ids": "'{1}'", "rules": "2"}


def insert(connection: Connection, table: str, row: Row) -> None:
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})".encode())
