"""Rows in, structs out. No connection here."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from asyncpg import Record

from koshel.core.commands import Execute, Kind, Request
from koshel.core.model import (
    Account,
    AccountDetails,
    Changed,
    Declined,
    First,
    Opened,
    Original,
    Posted,
    Queued,
    TransactionStatus,
)
from koshel.core.money import ZEROS
from koshel.db.kept import KeptGroup

_answer = msgspec.json.Decoder(Opened | Changed | Queued | KeptGroup | Declined)
_declined = msgspec.json.Decoder(Declined)
_promise = msgspec.json.Decoder(Queued)
_request = msgspec.json.Decoder(Request)
_metadata = msgspec.json.Decoder(dict[str, str])


class Found(msgspec.Struct, frozen=True):
    """A transaction as it stands now: posted, or promised and then perhaps refused."""

    transaction: Posted | Queued
    status: TransactionStatus
    refusal: Declined | None = None


def account(row: Record) -> Account:
    """A row of `lock_accounts` or `read_accounts`."""
    ledger_id, id_, currency, scale, balance, held, version, revision, min_balance, max_balance, status, _ = row
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
    )


def account_details(row: Record) -> AccountDetails:
    """A row of `get_account` or `find_details`."""
    *fields, metadata, ctime = row
    return AccountDetails(*[*fields, _metadata.decode(metadata), ctime])


def original(row: Record) -> Original:
    """A row of `find_originals`."""
    id_, ledger_id, kind, source_account_id, target_account_id, amount, currency, expires_at = row
    return Original(id_, ledger_id, Kind(kind), source_account_id, target_account_id, amount, currency, expires_at)


def posted(row: Record | Sequence[Any]) -> Posted:
    """A row of `find_members`."""
    ledger_id, kind, *fields, metadata = row[:11]
    return Posted(*[ledger_id, Kind(kind), *fields, _metadata.decode(metadata), *row[11:]])


def found(row: Record) -> Found:
    """A row of `get_transaction`."""
    status, *transaction = row
    return Found(posted(transaction), status)


def promise(row: Record) -> Found:
    """A row of `get_promise`."""
    queued = _promise.decode(row["promise"])
    if row["answer"] is None:
        return Found(queued, "queued")
    return Found(queued, "declined", _declined.decode(row["answer"]))


def receipt(row: Record) -> tuple[tuple[int, str], First | KeptGroup]:
    """A row of `find_receipts`: what the (ledger, key) has answered; a group's answer is to be restored yet."""
    ledger_id, key, answer, request, *transaction = row
    if answer is not None:
        return (ledger_id, key), _answer.decode(answer)
    first = posted(transaction)
    if request is not None:
        first.request = _request.decode(request)
    return (ledger_id, key), first


def execution(ledger_id: int, row: Record) -> Execute:
    """A row of `claim_queued`."""
    return Execute(ledger_id, row["id"], _promise.decode(row["promise"]).command.command)


def reserved(amount: Decimal | None, ended_by: str | None) -> Decimal | Kind:
    """Of a row of `find_holds`: what the hold still reserves, or what has ended it."""
    if amount is not None:
        return amount
    assert ended_by is not None
    return Kind(ended_by)
