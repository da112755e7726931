"""Accounts: the bodies of requests, their handlers and their routes.

Unknown fields are refused: a misspelt `amout` must never move money.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount, Kind, Move, Status
from koshel.core.labelled import labels
from koshel.http import preconditions
from koshel.http.answers import answer_now
from koshel.http.bodies import wire
from koshel.http.bodies.limit_bodies import LimitRequests, given
from koshel.http.bodies.wire import Amount, Schedulable, money
from koshel.http.call import Call, Reply, json
from koshel.http.handlers.annotations import replaced_and_merged
from koshel.http.parameters import ChangeHeaders, KeyHeader, ReadHeaders
from koshel.http.problems import account_not_found, no_such_account, parameter_invalid
from koshel.http.route import MOVE, POST, Route, making
from koshel.inputs import texts, values
from koshel.inputs.texts import AT, Asked
from koshel.inputs.values import ACCOUNT_NAME_REASON, AccountName, CurrencyCode, Email, Invalid, Notes, NotesPatch

Floor = Annotated[Raw, money("Zero or less: an overdraft line.", sign="-?")]
Ceiling = Annotated[Raw, money("Zero or more; null: no limit.", nullable=True)]
_NAME = "Your own, no other account's, for ever. It may stand wherever an id may."


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an account is opened with."""

    email: Email
    currency: CurrencyCode | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)
    name: Annotated[AccountName, Meta(description=_NAME)] | UnsetType = UNSET
    limits: LimitRequests | None = None


class NamedAccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """How the account of a name is to be; what is left out may be anything, and has its default if it is opened now."""

    email: Email
    currency: CurrencyCode | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    metadata: Notes | UnsetType = UNSET
    limits: LimitRequests | UnsetType | None = UNSET


class AccountOpening(NamedAccountRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account that a batch opens, unless there is one of the name; later members may name it."""

    name: AccountName


class AccountChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different of an account; what is left out stays."""

    email: Email | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    metadata: Notes | UnsetType = UNSET
    limits: LimitRequests | UnsetType | None = UNSET


class AccountPatch(AccountChange, frozen=True, forbid_unknown_fields=True):
    """The same as a merge patch (RFC 7396), which goes into `metadata` too."""

    metadata: NotesPatch | UnsetType | None = UNSET  # type: ignore[assignment]


class PaymentRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Money in."""

    amount: Amount


class WithdrawalRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
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
        name=None if body.name is UNSET else body.name,
        limits=given(body.limits),
        key=call.key,
    )
    return await answer_now(call, command)


async def ensure_account(call: Call) -> Reply:
    """PUT /account/@{name}. It takes no key: sent again, it finds what it has opened."""
    at, name = call.path["id"][:1], call.path["id"][1:]
    if at != AT or not texts.is_account_name(name):
        raise parameter_invalid("id", f"must be {AT} and a name, which {ACCOUNT_NAME_REASON}")
    return await answer_now(call, ensured(call.requests, name, call.body))


def ensured(requests: Requests, name: str, body: NamedAccountRequest) -> EnsureAccount:
    """What a body asks for of the account of this name."""
    return requests.ensure_account(
        name,
        email=body.email,
        currency=body.currency,
        min_balance=body.min_balance,
        max_balance=body.max_balance,
        metadata=body.metadata,
        limits=UNSET if body.limits is UNSET else given(body.limits),
    )


async def get_account(call: Call) -> Reply:
    """GET /account/{id}."""
    account_id, name = account_in_path(call)
    wanted = account_id if name is None else name
    details = await call.reads.get_account(call.caller.ledger_id, wanted)
    if details is None:
        raise account_not_found(wanted)
    etag = wire.etag(details)
    if call.if_none_match is not None and call.if_none_match.meet(etag):
        return Reply(304, b"", {"ETag": etag})
    return json(200, wire.account(details), {"ETag": etag})


async def change_account(call: Call) -> Reply:
    """PATCH /account/{id}."""
    body: AccountChange | AccountPatch = call.body
    expected, unexpected = preconditions.versions(call.if_match, call.if_none_match)
    metadata, patch = replaced_and_merged(body.metadata, is_patch=isinstance(body, AccountPatch))
    command = call.requests.change_account(
        account_in_path(call),
        email=body.email,
        min_balance=body.min_balance,
        max_balance=body.max_balance,
        status=body.status,
        metadata=metadata,
        metadata_patch=patch,
        expected=expected,
        unexpected=unexpected,
        limits=UNSET if body.limits is UNSET else given(body.limits),
        key=call.key,
    )
    return await answer_now(call, command)


def pay(call: Call) -> Move:
    """POST /account/{id}/payment."""
    amount = values.amount(call.body.amount)
    target, requests = account_in_path(call), call.requests
    return requests.move(Kind.PAYMENT, None, target, amount, labels(call.body), key=call.key)


def withdraw(call: Call) -> Move:
    """POST /account/{id}/withdrawal."""
    amount = values.amount(call.body.amount)
    source, requests = account_in_path(call), call.requests
    return requests.move(Kind.WITHDRAWAL, source, None, amount, labels(call.body), key=call.key)


def account_in_path(call: Call) -> Asked:
    """The account that the path names: its id, or its name. Raises Failure for what can be neither."""
    try:
        return texts.asked_in_path(call.path["id"])
    except Invalid:
        raise no_such_account(call.path["id"]) from None


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/account",
        "Open an account",
        "open_account",
        open_account,
        AccountRequest,
        {201: wire.Account},
        (*POST, "unknown-currency", "name-taken"),
        headers=KeyHeader,
    ),
    Route(
        "PUT",
        "/account/{id}",
        "Open the account of a name, if it is not there yet",
        "ensure_account",
        ensure_account,
        NamedAccountRequest,
        {200: wire.Account, 201: wire.Account},
        (*(code for code in POST if code != "idempotency-key-reused"), "unknown-currency", "name-taken"),
        said={200: "It was there already, and is as it is asked for."},
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
