"""What `koshel verify` says of exchanges: a sentence for each row of its statement."""

from collections.abc import Mapping
from typing import Any


def exchange(row: Mapping[str, Any]) -> str:
    """Of `verify_exchanges`."""
    one = f"the exchange of transactions {row['id']} and {row['target_transaction_id']}"
    for name, id_ in (("source", row["id"]), ("target", row["target_transaction_id"])):
        if row[f"lacks_{name}"]:
            return f"{one} names transaction {id_}, which does not exist"
    if not row["is_pair"]:
        transfers = "one transfer into an exchange account and one out of another"
        return f"{one} is not {transfers}, in one group and with the same labels"
    return f"{one} gave {row['target_amount']} for {row['source_amount']}, which is {row['told']} at {row['rate']}"


def group_count(row: Mapping[str, Any]) -> str:
    """Of `verify_group_counts`."""
    return f"batch {row['id']} has made {row['told']} {row['what']}, of which {row['found']} are kept"
