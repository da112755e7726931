"""An account's lines as CSV (RFC 4180), which is safe to open in a spreadsheet.

A spreadsheet takes a text that begins with = + - or @ for a formula, and may run it. Such a text has an apostrophe
before it; so has one that begins with an apostrophe, so that they can be taken away again. Numbers are no such text.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType, json

from koshel.http.bodies.wire import Transaction

COLUMNS: Sequence[str] = (
    *("version", "ctime", "transaction_id", "kind", "status", "change", "balance", "held", "currency"),
    *("source_account_id", "source", "target_account_id", "target", "parent_id", "group_id"),
    *("idempotency_key", "reference", "description", "effective_on", "metadata"),
)
_FORMULA = tuple("=+-@＝＋－＠\t\r'")  # noqa: RUF001  the wide ones are formulas in some spreadsheets too


def header() -> bytes:
    """The first line."""
    return _written([COLUMNS])


def safe(text: str | UnsetType | None) -> str:
    """A text that somebody has chosen, so that no spreadsheet takes it for a formula."""
    if not text:
        return ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def row(version: int, one: Transaction, money: Sequence[str]) -> Sequence[str | int | None]:
    """A line; `money`: its change, the balance and what is held after it."""
    effective_on = "" if one.effective_on is UNSET else one.effective_on.isoformat()
    metadata = json.encode(one.metadata, order="deterministic").decode() if one.metadata else ""
    return (
        *(version, one.ctime, one.id, one.kind, one.status, *money, one.currency),
        *(one.source_account_id, safe(one.source), one.target_account_id, safe(one.target)),
        *(one.parent_id, one.group_id, safe(one.idempotency_key)),
        *(safe(one.reference), safe(one.description), effective_on, metadata),
    )


def rows(found: Iterable[Sequence[str | int | None]]) -> bytes:
    """Some lines."""
    return _written(found)


def _written(found: Iterable[Sequence[str | int | None]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(found)
    return text.getvalue().encode()
