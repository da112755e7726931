"""The sides of a transaction, as they stand after it."""

from decimal import Decimal
from typing import ClassVar

from msgspec import Struct


class Side(Struct, frozen=True, gc=False):
    """An account that a transaction touched, as it stands after it."""

    account_id: int
    balance: Decimal
    held: Decimal
    version: int
    name: str | None = None


class Named(Struct, frozen=True, gc=False):
    """An account that a transaction names and does not touch: the target of a hold, a void or an expiry."""

    account_id: int
    name: str | None = None
    balance: ClassVar[None] = None
    held: ClassVar[None] = None
    version: ClassVar[None] = None
