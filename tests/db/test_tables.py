"""The columns are said once, in tables.py: the schema, queries.sql and the answers agree with it, the library's too."""

import re
from collections.abc import Mapping, Sequence

import msgspec
import psycopg
import pytest

from koshel.core.model import Account, AccountDetails, Posted
from koshel.core.originals import Original
from koshel.core.sides import Side
from koshel.db import queries
from koshel.db.mapping import tables
from koshel.db.mapping.posting_columns import DERIVED
from koshel.db.mapping.tables import (
    ACCOUNT,
    CANCELLED,
    DECLINED,
    QUEUED,
    RECEIPT,
    TRANSACTION,
    Column,
    Columns,
    Mostly,
)
from koshel.http.bodies import wire
from koshel.library import results
from tests.support.database import Database

TABLES: Mapping[str, Columns] = {
    name: getattr(tables, name.upper())
    for name in (
        *("account", "account_change", "cancelled", "declined", "queued", "receipt", "split", "transaction"),
        "transaction_change",
    )
}
# What an answer says, over HTTP and of the library, that is no column of its own or is not shown everywhere.
READ = {"remaining", "refunded"}
NAMED = {"source", "target"}  # the accounts' names
SAID_BESIDES: Mapping[type[msgspec.Struct], set[str]] = {
    wire.Transaction: {
        *("status", "currency", "problem", "execute_at", "cancelled_at", "cancelled_by", "sources", "targets"),
        "exchange",
        *(*NAMED, *READ),
    },
    wire.Account: {"available"},
    results.Hold: {"status", "currency", "source_balance", "target_balance", *NAMED, *READ},
    results.Account: {"available", "revision"},
}


def names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def told(columns: Columns) -> list[Column]:
    """Those that a statement is told in arrays."""
    return [column for column in columns if column.mostly is not Mostly.ONE]


def statement(name: str) -> str:
    """On one line, without comments and without the schema of the tables."""
    text = re.sub(r"--.*", "", getattr(queries.load(), name))
    return " ".join(text.replace(f'"{queries.SCHEMA}".', "").split())


def listed(text: str) -> list[str]:
    """The names in a list of columns: of `t.metadata::text` it is `metadata`, of `nullif(held, 0) AS held` `held`."""
    parts = re.split(r",\s*(?![^()]*\))", text.strip().strip("()"))
    return [re.sub(r"::\w+$", "", part.split(" AS ")[-1].split(".")[-1]).strip().removesuffix("()") for part in parts]


def selected(text: str) -> list[str]:
    """The names that a statement's first SELECT returns."""
    return listed(text.removeprefix("SELECT ").partition(" FROM ")[0])


def arrays(text: str) -> list[tuple[str, str]]:
    """Name and type of each array that an `unnest` takes, as the text $1, $2 and so on."""
    match = re.search(r"unnest\((.*?)\)(?: WITH ORDINALITY)? AS \w+ \((.*?)\)", text)
    assert match is not None, text
    types = re.findall(r"\$(\d+)::text::(\w+) \[\]", match[1])
    assert [number for number, _ in types] == [str(n + 1) for n in range(len(types))]
    assert match[1].count("$") == len(types)
    found = [name for name in listed(match[2]) if name != "place"]
    return list(zip(found, [type_ for _, type_ in types], strict=True))


def inserted(text: str, table: str) -> tuple[list[str], list[str]]:
    """The columns of an INSERT, and what is selected for them."""
    match = re.search(rf"INSERT INTO {table} \((.*?)\) SELECT (.*?) FROM", text)
    assert match is not None, text
    return listed(match[1]), [re.sub(r"^coalesce\((\w+), '{}'\)$", r"\1", part) for part in listed(match[2])]


@pytest.mark.parametrize("table", TABLES)
def test_the_schema_has_these_columns_and_no_others(database: Database, table: str) -> None:
    with psycopg.connect(database.owner_url) as connection:
        found = connection.execute(
            "SELECT attname, format_type(coalesce(nullif(typbasetype, 0), atttypid), atttypmod)"
            " FROM pg_attribute INNER JOIN pg_type ON pg_type.oid = atttypid"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            [table],
        ).fetchall()
    full = {"timestamptz": "timestamp with time zone"}
    assert sorted(found) == sorted((column.name, full.get(column.sql, column.sql)) for column in TABLES[table])


def test_post_is_told_every_column_and_writes_it() -> None:
    text = statement("post")
    expected = [("given_id" if c.name == "id" else c.name, c.sql) for c in (*told(TRANSACTION), *told(DERIVED))]
    assert arrays(text) == expected
    into, what = inserted(text, "transaction")
    assert into == names(TRANSACTION)
    assert what == [
        column.name if column.mostly is not Mostly.ONE else f"${len(expected) + 1}" for column in TRANSACTION
    ]
    assert f"${len(expected) + 2}::uuid" in text


def test_what_is_plain_is_told_and_written_but_for_what_is_mostly_nothing() -> None:
    text = statement("post_plain")
    plain = [column for column in (*TRANSACTION, *DERIVED) if column.mostly is not Mostly.NULL or column.is_plain]
    expected = [("given_id" if column.name == "id" else column.name, column.sql) for column in told(plain)]
    assert arrays(text) == expected
    into, what = inserted(text, "transaction")
    assert set(into) == {column.name for column in TRANSACTION if column in plain} | {"metadata"}
    assert what == [{"metadata": "'{}'", "ctime": f"${len(expected) + 1}"}.get(name, name) for name in into]
    assert f"${len(expected) + 2}::uuid" in text


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("open_accounts", "account", ACCOUNT),
        ("record_receipts", "receipt", RECEIPT),
        ("record_account_changes", "account_change", [one for one in tables.ACCOUNT_CHANGE if one.name != "is_found"]),
        ("record_notes", "transaction_change", tables.TRANSACTION_CHANGE),
        ("record_exchanges", "exchange", tables.EXCHANGE),
        ("enqueue", "queued", [column for column in QUEUED if column.name not in {"attempts", "error"}]),
    ],
)
def test_what_is_inserted_is_every_column(name: str, table: str, columns: Columns) -> None:
    text = statement(name)
    assert arrays(text) == [(column.name, column.sql) for column in told(columns)]
    into, what = inserted(text, table)
    assert into == names(columns)
    assert what == [c.name if c.mostly is not Mostly.ONE else f"${len(told(columns)) + 1}" for c in columns]


def test_a_queued_transaction_that_is_declined_is_kept_with_every_column() -> None:
    text = statement("settle_queued")
    assert arrays(text) == [(c.name, c.sql) for c in told(DECLINED) if c.name != "promise"]
    assert inserted(text, "declined") == (names(DECLINED), [*names(told(DECLINED)), "statement_timestamp"])


def test_a_queued_transaction_that_is_cancelled_is_kept_with_every_column() -> None:
    taken = ["ledger_id", "id", "promise", "$3", "statement_timestamp"]
    assert inserted(statement("cancel_queued"), "cancelled") == (names(CANCELLED), taken)


def test_a_change_sets_every_column_that_changes() -> None:
    text = statement("change_accounts")
    changing = [column for column in ACCOUNT if column.changes]
    assert arrays(text) == [(c.name, c.sql) for c in ACCOUNT if c.changes or c.name in {"ledger_id", "id"}]
    match = re.search(r"UPDATE account SET (.*?) FROM unnest", text)
    assert match is not None
    assert match[1] == ", ".join(f"{column.name} = c.{column.name}" for column in changing)


@pytest.mark.parametrize(("table", "columns"), [("account", ACCOUNT), ("queued", QUEUED)])
def test_the_service_may_change_what_changes_and_nothing_else(table: str, columns: Columns) -> None:
    changing = {column.name for column in columns if column.changes}
    granted = re.search(rf"GRANT UPDATE \(([^)]*)\)(?:, DELETE)?'? ?'? ON {table} ", statement("grant_service"))
    assert granted is not None
    assert set(listed(granted[1])) == changing
    wanted = re.search(rf"\('{table}', 'UPDATE', ARRAY\[(.*?)\]\)", statement("missing_rights"))
    assert wanted is not None
    assert set(listed(wanted[1].replace("'", ""))) == changing


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("find_members", []),
        ("find_receipts", ["receipt_ledger_id", "receipt_key", "answer", "request"]),
        ("get_transaction", ["status", "remaining", "refunded"]),
        ("get_split", ["status", "remaining", "refunded"]),
    ],
)
def test_a_transaction_is_read_with_every_column(name: str, before: list[str]) -> None:
    text = statement(name)
    start = text.index("t.ledger_id, t.id, t.kind")
    said = [*names(TRANSACTION), "currency", "source_name", "target_name"]
    assert listed(text[start:].partition(" FROM ")[0]) == said
    assert all(f"AS {one}" in text or f".{one}::text" in text for one in before)


@pytest.mark.parametrize("name", ["get_account", "get_account_named", "find_details"])
def test_an_account_is_read_with_every_column_that_it_has_in_the_core(name: str) -> None:
    assert selected(statement(name)) == list(AccountDetails.__struct_fields__)


@pytest.mark.parametrize(
    "name",
    [
        *("lock_accounts", "lock_accounts_of_ledgers", "read_accounts"),
        *("lock_free_accounts", "lock_free_accounts_of_ledgers"),
    ],
)
def test_accounts_are_locked_with_their_columns_in_the_order_in_which_they_are_read(name: str) -> None:
    text = statement(name).replace("SELECT a.ledger_id", "SELECT ledger_id")
    assert selected(text[text.index("SELECT ledger_id") :]) == [*Account.__struct_fields__, "now", "limits"]


def test_what_is_followed_is_read_with_every_field() -> None:
    _, _, text = statement("find_originals").partition(" ) ")
    assert set(selected(text)) == set(Original.__struct_fields__)


def test_every_field_of_an_outcome_is_a_column_or_says_where_else_it_is() -> None:
    own = {column.at for column in TRANSACTION if not column.side}
    elsewhere = {
        "source": "its columns",
        "target": "its columns",
        "currency": "the accounts'",
        "request": "the receipt",
        "rest": "the row of the hold",
    }
    assert own | elsewhere.keys() == set(Posted.__struct_fields__)
    for side in ("source", "target"):
        assert {c.attribute for c in TRANSACTION if c.side == side} | {"name"} == set(Side.__struct_fields__)
    assert {c.attribute for c in ACCOUNT if c.at.startswith("account.")} == set(AccountDetails.__struct_fields__)


@pytest.mark.parametrize(
    ("answer", "columns"),
    [
        (wire.Transaction, TRANSACTION),
        (wire.Account, ACCOUNT),
        (results.Hold, TRANSACTION),
        (results.Account, ACCOUNT),
    ],
)
def test_an_answer_shows_the_columns_that_are_shown(answer: type[msgspec.Struct], columns: Columns) -> None:
    assert set(answer.__struct_fields__) - SAID_BESIDES[answer] == {column.name for column in columns if column.shown}
