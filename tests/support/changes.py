"""Single changes of what is in a database, as somebody makes them in psql: several kinds for each type of column."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

import msgspec
import psycopg
from msgspec import Struct

from koshel.core.commands import Request
from koshel.db.mapping.stored import Receipt
from koshel.db.verifying.checks import Check

Connection: TypeAlias = "psycopg.Connection[Any]"
Path: TypeAlias = tuple[str | int, ...]


def _another(value: Any) -> Any:
    """As like it as can be."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value.replace(".", "").replace("-", "").isdigit():
            return value[:-1] + str((int(value[-1]) + 1) % 10)
        case str() if value.endswith("Z"):
            return value[:-2] + str((int(value[-2]) + 1) % 10) + "Z"
        case str():
            return value + "x"
        case None:
            return "1"
        case _:
            return {"a": "b"}


# What becomes of a value, by its type; {column} is the column, {table} its table. What leaves it as it is is no change.
BY_TYPE: Mapping[str, Mapping[str, str]] = {
    "bigint": {"one more": "coalesce({column}, 0) + 1", "far off": "coalesce({column}, 0) + 1000000", "none": "NULL"},
    "boolean": {"the other": "NOT {column}"},
    "integer": {"one more": "{column} + 1", "none at all": "0"},
    "smallint": {"one more": "{column} + 1", "one less": "{column} - 1"},
    "numeric": {
        "a cent more": "coalesce({column}, 0.00) + 0.01",
        "half": "{column} / 2",
        "a decimal more": "({column} || '0')::numeric",
        "none": "NULL",
    },
    "text": {
        "another's": "(SELECT min(other.{column}) FROM {table} AS other WHERE other.{column} <> {table}.{column})",
        "a letter more": "coalesce({column}, '') || 'x'",
        "none": "NULL",
    },
    "date": {
        "the next day": "{column} + 1",
        "some day": "coalesce({column}, '2026-11-22')",
        "never": "'infinity'",
        "long ago": "'4713-01-01 BC'",
        "none": "NULL",
    },
    "timestamp with time zone": {
        "a moment later": "{column} + interval '1 microsecond'",
        "a moment earlier": "{column} - interval '1 microsecond'",
        "tomorrow": "now() + interval '1 day'",
        "long ago": "{column} - interval '1 year'",
        "never": "'infinity'",
        "none": "NULL",
    },
    "jsonb": {
        "nothing in it": "'{{}}'",
        "no object": "'5'",
        "none": "NULL",
        "there": 'coalesce({column}, \'{{"a": "b"}}\')',
    },
    "uuid": {"another": "gen_random_uuid()"},
    "ARRAY": {
        "one more": "{column} || 999999::bigint",
        "one twice": "{column} || {column}[1]",
        "one less": "{column}[2:]",
        "turned round": "(SELECT array_agg(one ORDER BY one DESC) FROM unnest({column}) AS each (one))",
        "nothing in it": "'{{}}'",
        "none": "NULL",
    },
}
CLEARED_AFTER = 100  # changes
_INSIDE: Mapping[str, Callable[[Any], Any] | None] = {"another": _another, "gone": None}
COLUMNS = """
    SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns AS c
    INNER JOIN information_schema.tables AS t USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND t.table_type = 'BASE TABLE'
        AND table_name !~ '^(_?yoyo|transaction_p[0-9])'
        AND c.is_generated = 'NEVER' -- and so nothing that anybody could change
        AND table_name <> 'api_key' -- says who may use a ledger, and is no part of its books
    ORDER BY 1, c.ordinal_position
"""


class Change(Struct, frozen=True):
    """One value of one row. `what`: the column, and where in its JSON."""

    table: str
    ctid: str
    what: str
    how: str
    value: str  # SQL

    @property
    def statement(self) -> bytes:
        """Does it, unless it would change nothing."""
        column = self.what.split(":")[0].split(".")[1]
        return (
            f"UPDATE {self.table} SET {column} = {self.value} "
            f"WHERE ctid = '{self.ctid}' AND {column} IS DISTINCT FROM {self.value}"
        ).encode()


def columns(connection: Connection) -> list[tuple[str, str, str]]:
    """Table, name and type of every column."""
    return [tuple(row) for row in connection.execute(COLUMNS)]


def changes(connection: Connection, table: str) -> Iterator[Change]:
    """Every kind of change of every column of every row; within JSON, of each value, once for each form of document."""
    seen: set[tuple[str, str, str]] = set()
    for name, column, type_ in columns(connection):
        if name != table:
            continue
        for ctid, json in connection.execute(f"SELECT ctid::text, to_jsonb({column})::text FROM {table}".encode()):
            for how, template in BY_TYPE[type_].items():
                value = template.format(column=column, table=table)
                yield Change(table, ctid, f"{table}.{column}", how, value)
            if type_ == "jsonb" and json is not None:
                document = msgspec.json.decode(json)
                form = " ".join(_form(document))
                for change in _inside(table, column, ctid, document):
                    if (change.what, change.how, form) not in seen or "type" not in document:
                        seen.add((change.what, change.how, form))
                        yield change


def changes_cleared(reading: Connection, table: str, trying: Connection) -> Iterator[Change]:
    """The same, for changes that `trying` makes and undoes: now and then its transaction ends, and dead rows go away.

    Each change leaves one, which every check after it would read past. `reading` commits by itself.
    """
    for number, change in enumerate(changes(reading, table)):
        if number % CLEARED_AFTER == 0:
            trying.rollback()
            reading.execute(f"VACUUM (TRUNCATE false) {table}".encode())
        yield change


def _inside(table: str, column: str, ctid: str, document: Any) -> Iterator[Change]:
    for path in _leaves(document, ()):
        where = "/".join("*" if isinstance(part, int) else part for part in path)
        kind = document.get("type", "") if isinstance(document, dict) else ""
        for how, change in _INSIDE.items():
            changed = _changed(document, path, change)
            if _read(changed) != _read(document):
                text = msgspec.json.encode(changed).decode().replace("'", "''")
                yield Change(table, ctid, f"{table}.{column}:{kind}:{where}", how, f"'{text}'::jsonb")


def _read(document: Any) -> Any:
    """As the service reads it: what it does not tell apart is no change."""
    for decoded in (Receipt, Request):
        try:
            return msgspec.convert(document, decoded)
        except msgspec.ValidationError:
            pass
    return document


def _form(value: Any) -> Iterator[str]:
    """The names in a document, what everything in it says that it is, and what has nothing in it."""
    if isinstance(value, dict):
        yield from (f"{name}:{part}" if name == "type" or part is None else name for name, part in value.items())
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _form(part)


def _leaves(value: Any, path: Path) -> Iterator[Path]:
    parts: Sequence[tuple[str | int, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else ()
    )
    for name, part in parts:
        yield from _leaves(part, (*path, name))
    if not parts and path:
        yield path


def _changed(document: Any, path: Path, change: Callable[[Any], Any] | None) -> Any:
    changed = deepcopy(document)
    at = changed
    for part in path[:-1]:
        at = at[part]
    if change is None:
        del at[path[-1]]
    else:
        at[path[-1]] = change(at[path[-1]])
    return changed


def is_found(connection: Connection, checks: list[Check]) -> bool:
    """The check that has found something is the first to look the next time: it may well find that too."""
    for place, check in enumerate(checks):
        if check.run(connection):
            checks.insert(0, checks.pop(place))
            return True
    return False
