"""What `koshel verify` says of limits by time: a sentence for each row of its statements."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]


def limits(row: Row) -> str:
    """Of `verify_limits`."""
    if not row["is_counted"]:
        return f"account {row['id']} has limits by time, but its turnover is not counted"
    if not row["is_limited"]:
        return f"the turnover of account {row['id']} is counted, but it has no limits by time"
    return f"the turnover of account {row['id']} is not counted for the limits by time that it has"


def turnover(row: Row) -> str:
    """Of `verify_turnovers`."""
    return (
        f"account {row['id']} has {row['paid_out']} out and {row['paid_in']} in counted in part {row['number']} of its "
        f"{row['per']}, but its transactions say {row['booked_out']} and {row['booked_in']}"
    )


def window(row: Row) -> str:
    """Of `verify_windows`."""
    ways = ("out of", "send") if row["is_out"] else ("into", "take")
    return (
        f"transaction {row['id']} brings what has gone {ways[0]} account {row['account_id']} in {row['per']} to "
        f"{row['moved']}, but it may {ways[1]} {row['most']}"
    )
