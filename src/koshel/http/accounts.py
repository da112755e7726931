"""The handlers of accounts: a request becomes a command, an outcome a reply."""

from decimal import Decimal

from msgspec import UNSET, Raw, UnsetType

from koshel import emails
from koshel.core.commands import Kind, Move
from koshel.http import bodies, preconditions, wire
from koshel.http.answers import answer_now
from koshel.http.call import Call, Reply, json
from koshel.http.problems import account_not_found


async def open_account(call: Call) -> Reply:
    """POST /account."""
    body: bodies.AccountRequest = call.body
    command = call.service.requests.open_account(
        _email(body.email),
        currency=body.currency,
        min_balance=Decimal(0) if body.min_balance is UNSET else _min_balance(body.min_balance),
        max_balance=_max_balance(body.max_balance),
        metadata=body.metadata,
        key=call.key,
    )
    return await answer_now(call, command)


async def get_account(call: Call) -> Reply:
    """GET /account/{id}."""
    account_id = _account_id(call)
    details = await call.service.engine.store.get_account(call.service.ledger_id, account_id)
    if details is None:
        raise account_not_found(account_id)
    etag = wire.etag(details)
    if call.if_none_match is not None and call.if_none_match.meet(etag):
        return Reply(304, b"", {"ETag": etag})
    return json(200, wire.account(details), {"ETag": etag})


async def change_account(call: Call) -> Reply:
    """PATCH /account/{id}."""
    body: bodies.AccountChange | bodies.AccountPatch = call.body
    expected, unexpected = preconditions.versions(call.if_match, call.if_none_match)
    command = call.service.requests.change_account(
        _account_id(call),
        email=UNSET if body.email is UNSET else _email(body.email),
        min_balance=UNSET if body.min_balance is UNSET else _min_balance(body.min_balance),
        max_balance=_max_balance(body.max_balance),
        status=body.status,
        metadata=UNSET if isinstance(body, bodies.AccountPatch) else body.metadata,
        metadata_patch=body.metadata if isinstance(body, bodies.AccountPatch) else UNSET,
        expected=expected,
        unexpected=unexpected,
        key=call.key,
    )
    return await answer_now(call, command)


def pay(call: Call) -> Move:
    """POST /account/{id}/payment."""
    amount = wire.amount(call.body.amount)
    target, requests, metadata = _account_id(call), call.service.requests, call.body.metadata
    return requests.move(Kind.PAYMENT, None, target, amount, metadata=metadata, key=call.key)


def withdraw(call: Call) -> Move:
    """POST /account/{id}/withdrawal."""
    amount = wire.amount(call.body.amount)
    source, requests, metadata = _account_id(call), call.service.requests, call.body.metadata
    return requests.move(Kind.WITHDRAWAL, source, None, amount, metadata=metadata, key=call.key)


def _account_id(call: Call) -> int:
    account_id = wire.path_id(call.path["id"])
    if account_id is None:
        raise account_not_found(call.path["id"])
    return account_id


def _email(email: str) -> str:
    try:
        return emails.normalized(email)
    except ValueError as error:
        raise wire.Invalid("/email", str(error)) from error


def _min_balance(raw: Raw) -> Decimal:
    value = wire.decimal(raw, "/min_balance")
    if value > 0:
        raise wire.Invalid("/min_balance", "must not be more than zero")
    return value


def _max_balance(raw: Raw | UnsetType) -> Decimal | UnsetType | None:
    if raw is UNSET:
        return UNSET
    if bytes(raw) == b"null":
        return None
    value = wire.decimal(raw, "/max_balance")
    if value < 0:
        raise wire.Invalid("/max_balance", "must not be less than zero")
    return value
