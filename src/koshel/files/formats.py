"""What a file is written in: JSON Lines, or CSV with the columns of what it holds."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import json

from koshel.db.export import Buffer
from koshel.files.cells import safe

FORMATS: Final = ("jsonl", "csv")
NO_LIMIT = "none"  # what CSV has for a max_balance that is null; an empty cell says nothing

COLUMNS = {
    "accounts": (
        *("id", "name", "email", "currency", "balance", "held", "min_balance", "max_balance", "status", "metadata"),
        *("limits", "version", "revision", "idempotency_key", "ctime"),
    ),
    "transactions": (
        *("id", "kind", "source_account_id", "source", "target_account_id", "target", "amount", "currency"),
        *("source_balance", "target_balance", "parent_id", "group_id", "idempotency_key", "reference", "description"),
        *("effective_on", "metadata", "expires_at", "capture_at", "ctime"),
    ),
    "lines": (
        *("transaction_id", "account_id", "account", "version", "kind", "change", "balance", "held", "currency"),
        *("parent_id", "group_id", "reference", "effective_on", "ctime"),
    ),
}

IMPORTED = {  # the columns that an import knows; those of the second line it passes over, as an export has them
    "accounts": (
        *("name", "email", "currency", "balance", "min_balance", "max_balance", "metadata"),
        *("id", "held", "status", "limits", "version", "revision", "idempotency_key", "ctime"),
    ),
    "transactions": (
        *("source", "target", "source_account_id", "target_account_id", "amount", "currency", "kind"),
        *("reference", "description", "effective_on", "metadata", "idempotency_key"),
        *("id", "source_balance", "target_balance", "parent_id", "group_id", "expires_at", "capture_at", "ctime"),
    ),
}

_ROWS = 1_000  # of CSV, put together before they are written


def csv_of(lines: Iterable[Buffer], kind: str) -> Iterator[bytes]:
    """The same as CSV, with a header."""
    columns = COLUMNS[kind]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    decode = json.Decoder(dict[str, Any]).decode
    for place, line in enumerate(lines):
        values = decode(line)
        writer.writerow([_cell(values[name]) if name in values else "" for name in columns])
        if place % _ROWS == 0:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


def _cell(value: Any) -> str:
    match value:
        case str():
            return safe(value)
        case None:
            return NO_LIMIT
        case int():
            return str(value)
        case _:
            return json.encode(value).decode() if value else ""
