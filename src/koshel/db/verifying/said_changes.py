"""What `koshel verify` says of changes: of accounts, and of the notes on transactions."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]


def account(row: Row) -> Iterator[str]:
    """Of `verify_account_changes`: one or more for each row."""
    one = f"change {row['revision']} of account {row['id']}"
    if row["lacks_changes"]:
        yield f"account {row['id']} has no change, not even its opening"
    if row["lacks_change"]:
        yield f"the receipt of key {row['idempotency_key']!r} tells of {one}, which is not there"
    if row["lacks_account"]:
        yield f"{one} is of an account that does not exist"
    if row["is_misnumbered"]:
        yield f"{one} does not follow the one before it"
    if row["is_untimely"]:
        yield f"{one} is of {row['moment']}Z, which is before what came first, or still to come"
    if row["is_other"]:
        yield f"{one} is the last, and has left another account than there is"
    if row["lacks_receipt"]:
        yield f"{one} has key {row['idempotency_key']!r}, but neither its receipt nor the account says so"


def note(row: Row) -> Iterator[str]:
    """Of `verify_notes`: one or more for each row."""
    one = f"change {row['revision']} of the notes on transaction {row['id']}"
    if row["place"] is None:
        yield f"the receipt of key {row['idempotency_key']!r} tells of {one}, which is not there"
        return
    if row["revision"] != str(row["place"]):
        yield f"{one} is number {row['place']}"
    if row["lacks_transaction"]:
        yield f"{one} is of a transaction that does not exist"
    if row["is_untimely"]:
        yield f"{one} is of {row['ctime']}Z, which is before what came first, or still to come"
    if row["idempotency_key"] is not None and row["told_key"] is None:
        yield f"{one} has key {row['idempotency_key']!r}, whose receipt does not tell of it"
