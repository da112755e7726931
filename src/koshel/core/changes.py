"""What a change was, as it is kept: of an account, or of the notes on a transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct


class Change(Struct, frozen=True):
    """One change: of each field that it has changed, by name, the value before it and the one after it."""

    revision: int
    changes: Mapping[str, tuple[Any, Any]]
    idempotency_key: str | None
    ctime: datetime
