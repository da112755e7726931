"""What of a transaction those need that refer to it."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct

from koshel.core.commands import Deferrable, Kind
from koshel.core.exchanging import Exchange

TransactionStatus: TypeAlias = Literal[
    "posted", "held", "captured", "voided", "expired", "queued", "declined", "cancelled"
]


class Original(Struct, frozen=True, gc=False):
    """What of a transaction is needed to follow it: to capture, void, expire or refund it."""

    id: int
    ledger_id: int
    kind: Kind
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal
    currency: str
    expires_at: datetime | None  # a hold's
    reference: str | None  # what follows keeps it, unless another is given


class Pending(Struct, frozen=True, gc=False):
    """What of a transaction that is not posted is needed to refuse what would follow it."""

    ledger_id: int
    kind: Kind  # that it would have if it were posted
    status: Literal["queued", "declined", "cancelled"]


def kind_of(request: Deferrable) -> Kind:
    """The kind of each transaction that a request would make. An exchange makes two transfers."""
    return Kind.TRANSFER if isinstance(request, Exchange) else Kind(request.kind)
