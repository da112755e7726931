"""A change of any column is found by `koshel verify` or refused by the schema, or the column says why it cannot be."""

from collections.abc import Iterator, Mapping

import psycopg
import pytest

from koshel.db.tables import ACCOUNT, DECLINED, QUEUED, RECEIPT, TRANSACTION, Column, Columns
from koshel.db.verify import verify
from tests.support.bookkeeping import execute

TABLES: Mapping[str, Columns] = {
    "account": ACCOUNT,
    "declined": DECLINED,
    "queued": QUEUED,
    "receipt": RECEIPT,
    "transaction": TRANSACTION,
}
# Another value, by the type of the column.
ANOTHER = {
    "bigint": "{} + 1",
    "integer": "{} + 1",
    "jsonb": """{} || '{{"another": "note"}}'""",
    "numeric": "coalesce({}, 1000000) + 0.01",
    "smallint": "{} + 1",
    "text": "coalesce({}, '') || 'x'",
    "timestamptz": "{} - interval '1 year'",
}
COLUMNS = [pytest.param(table, one, id=f"{table}.{one.name}") for table, columns in TABLES.items() for one in columns]


def changes(url: str, table: str, column: Column) -> Iterator[str]:
    """A change of the column in each row that has a value there; if none has, in each row."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(f"SELECT ctid::text, {column.name} IS NOT NULL FROM {table}".encode()).fetchall()
    assert rows
    for ctid in [ctid for ctid, has_value in rows if has_value] or [ctid for ctid, _ in rows]:
        value = ANOTHER[column.sql].format(column.name)
        yield f"UPDATE {table} SET {column.name} = {value} WHERE ctid = '{ctid}'"


def is_found(url: str, change: str) -> bool:
    try:
        execute(url, change)
    except psycopg.errors.IntegrityError:
        return True
    return bool(verify(url))


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_change_of_a_column_is_found(books: str, table: str, column: Column) -> None:
    unseen = []
    for change in changes(books, table, column):
        if not is_found(books, change):
            unseen.append(change)
        execute(books, f"TRUNCATE {table}", f"INSERT INTO {table} TABLE right_{table}")
    assert bool(unseen) == bool(column.unproved), unseen or "all is found now, so there is no reason why it is not"
