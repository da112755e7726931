"""What a file is written in: JSON Lines, CSV or Parquet, the last two with the columns of what it holds."""

from pathlib import PurePath
from typing import Final

from koshel.files.faults import UnfitFile
from koshel.files.written import STDOUT

FORMATS: Final = ("jsonl", "csv", "parquet")
READABLE: Final = ("jsonl", "csv")  # those that an import reads
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

# What the columns hold; all others hold texts.
NUMBERS = frozenset(
    {"id", "source_account_id", "target_account_id", "account_id", "transaction_id", "parent_id", "group_id"}
    | {"version", "revision"}
)
MONEY = frozenset(
    {"balance", "held", "min_balance", "max_balance", "amount", "source_balance", "target_balance", "change"}
)
TIMES = frozenset({"expires_at", "capture_at", "ctime"})
DAYS = frozenset({"effective_on"})
OBJECTS = frozenset({"metadata", "limits"})  # of JSON

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


def format_of(path: str, named: str | None, *, to_read: bool = False) -> str:
    """The format that is named, or else that of the path's suffix. Raises UnfitFile."""
    known = READABLE if to_read else FORMATS
    if named is not None:
        return named
    if path == STDOUT:
        return known[0]
    suffix = PurePath(path).suffix.removeprefix(".").lower()
    if suffix not in known:
        raise UnfitFile(f"{path}: the name must end in .{' or .'.join(known)}, or --format must say what it is")
    return suffix
