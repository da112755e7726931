"""Accounts: the bodies of requests, their handlers and their routes.

Unknown fields are refused: a misspelt `amout` must never move money.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import UNSET, Raw, Struct, UnsetType, field

from koshel import values
from koshel.core.commands import Kind, Move, Status, labels
from koshel.http import preconditions, wire
from koshel.http.answers import answer_now
from koshel.http.call import Call, Reply, json
from koshel.http.parameters import ChangeHeaders, KeyHeader, ReadHeaders
from koshel.http.problems import account_not_found
from koshel.http.route import MOVE, POST, Route, making
from koshel.http.wire import Amount, money
from koshel.requests import Labels
from koshel.values import CurrencyCode, Email, Invalid, Notes, NotesPatch

Floor = Annotated[Raw, money("Zero or less: an overdraft line.", sign="-?")]
Ceiling = Annotated[Raw, money("Zero or more; null: no limit.", nullable=True)]


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an account is opened with."""

    email: Email
    currency: CurrencyCode | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)


class AccountChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different of an account; what is left out stays."""

    email: Email | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    metadata: Notes | UnsetType = UNSET


class AccountPatch(AccountChange, frozen=True, forbid_unknown_fields=True):
    """The same as a merge patch (RFC 7396), which goes into `metadata` too."""

    metadata: NotesPatch | UnsetType = UNSET  # type: ignore[assignment]


# The type that a body is decoded as if it comes as application/merge-patch+json.
MERGED: Mapping[type[Struct] | None, type[Struct]] = {AccountChange: AccountPatch}


class PaymentRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """Money in."""

    amount: Amount


class WithdrawalRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """Money out."""

    amount: Amount


async def open_account(call: Call) -> Reply:
    """POST /account."""
    body: AccountRequest = call.body
    command = call.requests.open_account(
        body.email,
        currency=body.currency,
        min_balance=0 if body.min_balance is UNSET else body.min_balance,
        max_balance=body.max_balance,
        metadata=body.metadata,
        key=call.key,
    )
    return await answer_now(call, command)


async def get_account(call: Call) -> Reply:
    """GET /account/{id}."""
    account_id = _account_id(call)
    details = await call.service.engine.store.get_account(call.caller.ledger_id, account_id)
    if details is None:
        raise account_not_found(account_id)
    etag = wire.etag(details)
    if call.if_none_match is not None and call.if_none_match.meet(etag):
        return Reply(304, b"", {"ETag": etag})
    return json(200, wire.account(details), {"ETag": etag})


async def change_account(call: Call) -> Reply:
    """PATCH /account/{id}."""
    body: AccountChange | AccountPatch = call.body
    expected, unexpected = preconditions.versions(call.if_match, call.if_none_match)
    command = call.requests.change_account(
        _account_id(call),
        email=body.email,
        min_balance=body.min_balance,
        max_balance=body.max_balance,
        status=body.status,
        metadata=UNSET if isinstance(body, AccountPatch) else body.metadata,
        metadata_patch=body.metadata if isinstance(body, AccountPatch) else UNSET,
        expected=expected,
        unexpected=unexpected,
        key=call.key,
    )
    return await answer_now(call, command)


def pay(call: Call) -> Move:
    """POST /account/{id}/payment."""
    amount = values.amount(call.body.amount)
    target, requests = _account_id(call), call.requests
    return requests.move(Kind.PAYMENT, None, target, amount, labels(call.body), key=call.key)


def withdraw(call: Call) -> Move:
    """POST /account/{id}/withdrawal."""
    amount = values.amount(call.body.amount)
    source, requests = _account_id(call), call.requests
    return requests.move(Kind.WITHDRAWAL, source, None, amount, labels(call.body), key=call.key)


def _account_id(call: Call) -> int:
    try:
        return values.identifier(call.path["id"])
    except Invalid:
        raise account_not_found(call.path["id"]) from None


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/account",
        "Open an account",
        "open_account",
        open_account,
        AccountRequest,
        {201: wire.Account},
        (*POST, "unknown-currency"),
        headers=KeyHeader,
    ),
    Route(
        "GET",
        "/account/{id}",
        "Read an account",
        "get_account",
        get_account,
        None,
        {200: wire.Account, 304: ""},
        ("account-not-found", "database-unavailable"),
        headers=ReadHeaders,
    ),
    Route(
        "PATCH",
        "/account/{id}",
        "Change an account: its limits, its status, whose it is",
        "change_account",
        change_account,
        AccountChange,
        {200: wire.Account},
        (
            *(*POST, "account-not-found", "version-mismatch", "account-closed", "account-not-empty"),
            *("insufficient-funds", "balance-limit-exceeded"),
        ),
        headers=ChangeHeaders,
    ),
    making(
        "/account/{id}/payment",
        "Pay money in",
        "pay_in",
        body=PaymentRequest,
        asks=pay,
        problems=tuple(code for code in MOVE if code != "insufficient-funds"),
    ),
    making(
        "/account/{id}/withdrawal",
        "Pay money out",
        "pay_out",
        body=WithdrawalRequest,
        asks=withdraw,
        problems=tuple(code for code in MOVE if code != "balance-limit-exceeded"),
    ),
)
