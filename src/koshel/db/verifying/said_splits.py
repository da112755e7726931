"""What `koshel verify` says of splits: a sentence for each row of its statements."""

from collections.abc import Mapping
from typing import Any


def split(row: Mapping[str, Any]) -> str:
    """Of `verify_splits`."""
    if not row["are_named"]:
        return f"the transactions of group {row['id']} are not those that its split names"
    return f"split {row['id']} was {row['amount']}, but its transactions add up to {row['total']}"


def end(row: Mapping[str, Any]) -> str:
    """Of `verify_ends`."""
    one = f"a {row['kind']} of split {row['id']}"
    if not row["are_named"]:
        return f"{one} names other transactions than the split has"
    if row["transactions"] != row["told"]:
        return f"{one} was to be {row['told']} transactions in one group, but is {row['transactions']}"
    return f"{one} is in one group with transactions that are none of it"
