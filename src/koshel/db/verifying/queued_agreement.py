"""Whether what was queued agrees with its own request, and with what it was posted as. No connection here.

Each function says the first field that differs, None if all agree. Rows are those of `agreement`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import Deferrable, Kind, Sided, Split
from koshel.core.ending import EndSplit
from koshel.core.ends import ends
from koshel.core.exchange import account_name
from koshel.core.exchanging import Exchange
from koshel.core.labelled import LABELS
from koshel.core.model import Queued
from koshel.core.originals import kind_of
from koshel.db.verifying import agreement, split_agreement
from koshel.db.verifying.agreement import SIDES

Row: TypeAlias = Mapping[str, Any]


def of_queued(queued: Queued) -> str | None:
    """A queued transaction, and its own request; of what follows another one, the sides may not have been known."""
    request = queued.command.command
    if (request.ledger_id, request.key) != (queued.command.ledger_id, queued.command.key):
        return "idempotency_key"
    if isinstance(request, Exchange) and (request.rate is None) == (request.target_amount is None):
        return "rate"
    told = _told(request)
    if queued.currency is not None and queued.amount is not None and told["amount"] is not None:
        told["amount"] = agreement.rounded_to(told["amount"], agreement.scale(queued.amount))
    return agreement.first(name for name, value in told.items() if getattr(queued, name) != value)


def of_executed(queued: Queued, row: Row) -> str | None:
    """A queued transaction, and what it was posted as."""
    request = queued.command.command
    known = [name for name in (*SIDES, "currency") if getattr(queued, name) is not None]
    if isinstance(request, Split | EndSplit | Exchange) and request.key != row["idempotency_key"]:
        return "idempotency_key"
    if isinstance(request, Split):  # its first transaction has its id and its key
        field = split_agreement.of_leg(request, row)
    elif isinstance(request, Exchange):  # likewise, and the target of that is an exchange account
        field, known = _of_source(request, row), [name for name in known if name != "target_account_id"]
    elif isinstance(request, EndSplit):  # likewise
        field = _of_first_end(request, row)
    else:
        field = agreement.of_request(request, row)
    if field is not None:
        return field
    if field := agreement.first(name for name in known if getattr(queued, name) != row[name]):
        return field
    if not isinstance(row["ctime"], datetime) or queued.ctime > row["ctime"]:
        return "ctime"
    execute_at = queued.command.execute_at
    return "execute_at" if execute_at is not UNSET and execute_at > row["ctime"] else None


def _of_first_end(request: EndSplit, row: Row) -> str | None:
    """A queued end of a split, and the row of its first transaction."""
    return agreement.of_request(replace(ends(request)[0], key=request.key), row)


def _of_source(exchange: Exchange, row: Row) -> str | None:
    """A queued exchange, and the row of its first transaction: what its source gives."""
    is_named = exchange.source is not None and not exchange.source_account_id
    told = {
        "kind": row["kind"] == Kind.TRANSFER,
        "source_account_id": is_named or exchange.source_account_id == row["source_account_id"],
        "source": exchange.source in {None, row["source_name"]},
        "source_amount": agreement.rounded_to(exchange.source_amount, agreement.scale(row["amount"])) == row["amount"],
        "target": row["target_name"] == account_name(row["currency"]),
    }
    for name in LABELS:
        told[name] = (agreement.metadata_of(row) if name == "metadata" else row[name]) == getattr(exchange, name)
    return agreement.first(name for name, agrees in told.items() if not agrees)


def _told(request: Deferrable) -> dict[str, Any]:
    """What a request says of its transaction; the amount as it was sent, None for all that is left."""
    told: dict[str, Any] = {"parent_id": request.parent_id, "kind": kind_of(request), "amount": request.amount}
    if isinstance(request, Sided | Split):  # who was asked for by a name may not have been there
        told |= {name: getattr(request, name) or None for name in SIDES}
        told |= {name: asked for name in ("source", "target") if (asked := getattr(request, name)) is not None}
    return told
