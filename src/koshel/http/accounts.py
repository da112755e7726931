"""The handlers of accounts: a request becomes a command, an outcome a reply."""

from msgspec import UNSET

from koshel import values
from koshel.core.commands import Kind, Move
from koshel.http import bodies, preconditions, wire
from koshel.http.answers import answer_now
from koshel.http.call import Call, Reply, json
from koshel.http.problems import account_not_found
from koshel.values import Invalid


async def open_account(call: Call) -> Reply:
    """POST /account."""
    body: bodies.AccountRequest = call.body
    command = call.service.requests.open_account(
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
        email=body.email,
        min_balance=body.min_balance,
        max_balance=body.max_balance,
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
    amount = values.amount(call.body.amount)
    target, requests, metadata = _account_id(call), call.service.requests, call.body.metadata
    return requests.move(Kind.PAYMENT, None, target, amount, metadata=metadata, key=call.key)


def withdraw(call: Call) -> Move:
    """POST /account/{id}/withdrawal."""
    amount = values.amount(call.body.amount)
    source, requests, metadata = _account_id(call), call.service.requests, call.body.metadata
    return requests.move(Kind.WITHDRAWAL, source, None, amount, metadata=metadata, key=call.key)


def _account_id(call: Call) -> int:
    try:
        return values.identifier(call.path["id"])
    except Invalid:
        raise account_not_found(call.path["id"]) from None
