"""Rows in, structs out. No connection here."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
from asyncpg import Record

from koshel.core.commands import Execute, Kind, Request
from koshel.core.model import (
    Account,
    AccountDetails,
    Declined,
    Posted,
    Queued,
)
from koshel.core.money import ZEROS
from koshel.core.originals import Original, Pending, TransactionStatus
from koshel.core.turnovers import Limit
from koshel.db.mapping.sides import sides
from koshel.db.mapping.stored import Receipt
from koshel.db.mapping.tables import TRANSACTION

_answer = msgspec.json.Decoder(Receipt)
_declined = msgspec.json.Decoder(Declined)
_queued = msgspec.json.Decoder(Queued)
_limits = msgspec.json.Decoder(tuple[Limit, ...])
_request = msgspec.json.Decoder(Request)
metadata: Callable[[str], dict[str, str]] = msgspec.json.Decoder(dict[str, str]).decode
_READ: Mapping[str, Callable[[Any], Any]] = {"kind": Kind, "metadata": metadata}  # else as the driver gives it
_OWN = [(column.name, column.at, _READ.get(column.name)) for column in TRANSACTION if not column.side]


class FoundTransaction(msgspec.Struct, frozen=True):
    """A transaction as it stands now: posted, or queued, or declined or cancelled after that."""

    transaction: Posted | Queued
    status: TransactionStatus
    refusal: Declined | None = None
    remaining: Decimal | None = None  # of a hold: what it still reserves
    refunded: Decimal | None = None  # of what can be refunded: the sum of its refunds
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None  # the id of the request that did, if it had one


def account(row: Record) -> Account:
    """A row of `lock_accounts` or `read_accounts`."""
    ledger_id, id_, currency, scale, balance, held, version, revision, min_balance, max_balance, status, name, _, _ = (
        row
    )
    zero = ZEROS[scale]
    return Account(
        ledger_id,
        id_,
        currency,
        scale,
        balance,
        held or zero,
        version,
        revision,
        min_balance or zero,
        max_balance,
        status,
        name,
    )


@lru_cache(maxsize=1024)  # many accounts have the same ones
def limits(text: str) -> tuple[Limit, ...]:
    """The limits by time of an account, as its row has them."""
    return _limits.decode(text)


def account_details(row: Record) -> AccountDetails:
    """A row of `get_account`, `get_account_named` or `find_details`."""
    fields = {name: row[name] for name in AccountDetails.__struct_fields__}
    fields["metadata"] = metadata(fields["metadata"])
    fields["limits"] = () if fields["limits"] is None else limits(fields["limits"])
    return AccountDetails(**fields)


def original(row: Record) -> Original:
    """A row of `find_originals`."""
    fields = {name: row[name] for name in Original.__struct_fields__}
    fields["kind"] = Kind(fields["kind"])
    return Original(**fields)


def pending(row: Record) -> tuple[int, Pending]:
    """A row of `find_pending`: the id, and what is there."""
    return row["id"], Pending(row["ledger_id"], Kind(row["kind"]), row["status"])


def posted(row: Record, request: Request | None = None) -> Posted:
    """The transaction in a row of `find_members`, `find_receipts` or `get_transaction`."""
    own = {at: row[name] if read is None else read(row[name]) for name, at, read in _OWN}
    source, target = sides(row)
    return Posted(source=source, target=target, currency=row["currency"], request=request, **own)


def found(row: Record) -> FoundTransaction:
    """A row of `get_transaction`."""
    return FoundTransaction(posted(row), row["status"], remaining=row["remaining"], refunded=row["refunded"])


def queued(row: Record) -> FoundTransaction:
    """A row of `get_queued`."""
    queued = _queued.decode(row["promise"])
    if row["cancelled_at"] is not None:
        moment, request_id = row["cancelled_at"], row["cancelled_by"]
        return FoundTransaction(queued, "cancelled", cancelled_at=moment, cancelled_by=request_id)
    if row["answer"] is None:
        return FoundTransaction(queued, "queued")
    return FoundTransaction(queued, "declined", _declined.decode(row["answer"]))


def receipt(row: Record) -> tuple[tuple[int, str], Receipt | Posted]:
    """A row of `find_receipts`: what the (ledger, key) has answered; a group's answer is to be restored yet."""
    place = row["receipt_ledger_id"], row["receipt_key"]
    if row["answer"] is not None:
        return place, _answer.decode(row["answer"])
    return place, posted(row, None if row["request"] is None else _request.decode(row["request"]))


def execution(ledger_id: int, row: Record) -> Execute:
    """A row of `claim_queued`."""
    return Execute(ledger_id, row["id"], _queued.decode(row["promise"]).command.command)


def reserved(amount: Decimal | None, ended_by: str | None) -> Decimal | Kind:
    """Of a row of `find_holds`: what the hold still reserves, or what has ended it."""
    if amount is not None:
        return amount
    assert ended_by is not None
    return Kind(ended_by)
