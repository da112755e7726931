"""The handlers of transactions: a request becomes a command, an outcome a reply."""

from decimal import Decimal
from typing import NoReturn

from msgspec import UNSET, Raw, UnsetType

from koshel import values
from koshel.core.commands import Capture, Hold, Kind, Move, Refund, Request, Void
from koshel.core.model import Posted
from koshel.http import bodies, wire
from koshel.http.answers import answer_together
from koshel.http.call import Call, Reply, json
from koshel.http.problems import transaction_not_found, validation_failed
from koshel.http.refusals import refused
from koshel.requests import Requests
from koshel.values import Invalid

# The fields that make a member something other than a transfer, and the fields that may come with each.
_REFERENCES = {"capture": {"amount", "final"}, "void": set[str](), "refund": {"amount"}}
_OWN_FIELDS = ("source_account_id", "target_account_id", "amount", "hold", "final")


def transfer(call: Call) -> Move | Hold:
    """POST /transaction."""
    body: bodies.TransactionRequest = call.body
    target = body.target_account_id
    if target is None and body.hold is UNSET:
        raise Invalid("target_account_id", "is required, except for a hold")
    amount = values.amount(body.amount)
    requests = call.service.requests
    if body.hold is not UNSET:
        return _hold(requests, body, (body.source_account_id, target, amount), call.key)
    assert target is not None
    source = body.source_account_id
    return requests.move(Kind.TRANSFER, source, target, amount, metadata=body.metadata, key=call.key)


def capture(call: Call) -> Capture:
    """POST /transaction/{id}/capture."""
    body: bodies.CaptureRequest = call.body
    amount = _optional_amount(body.amount)
    hold_id, requests = _transaction_id(call), call.service.requests
    return requests.capture(hold_id, amount, final=body.final, metadata=body.metadata, key=call.key)


def void(call: Call) -> Void:
    """POST /transaction/{id}/void."""
    return call.service.requests.void(_transaction_id(call), metadata=call.body.metadata, key=call.key)


def refund(call: Call) -> Refund:
    """POST /transaction/{id}/refund."""
    amount = _optional_amount(call.body.amount)
    return call.service.requests.refund(_transaction_id(call), amount, metadata=call.body.metadata, key=call.key)


async def batch(call: Call) -> Reply:
    """POST /transaction/batch."""
    body: bodies.BatchRequest = call.body
    members = []
    for index, one in enumerate(body.transactions):
        try:
            members.append(_member(call.service.requests, one))
        except Invalid as error:
            raise validation_failed(f"/transactions/{index}{bodies.pointer(error.field)}", error.reason) from error
    return await answer_together(call, call.service.requests.batch(members, atomic=body.atomic, key=call.key))


async def get_transaction(call: Call) -> Reply:
    """GET /transaction/{id}."""
    transaction_id = _transaction_id(call)
    found = await call.service.engine.store.get_transaction(call.service.ledger_id, transaction_id)
    if found is None:
        raise transaction_not_found(transaction_id)
    if isinstance(found.transaction, Posted):
        return json(200, wire.transaction(found.transaction, found.status))
    problem = UNSET if found.refusal is None else refused(found.refusal).content()
    return json(200, wire.queued_transaction(found.transaction, problem))


def _transaction_id(call: Call) -> int:
    try:
        return values.identifier(call.path["id"])
    except Invalid:
        raise transaction_not_found(call.path["id"]) from None


def _member(requests: Requests, body: bodies.MemberRequest) -> Request:
    """A batch's member. Raises Invalid."""
    key = None if body.idempotency_key is UNSET else body.idempotency_key
    if body.capture is UNSET and body.void is UNSET and body.refund is UNSET:  # as nearly all are
        return _plain_member(requests, body, key)
    (name, *others) = (name for name in _REFERENCES if getattr(body, name) is not UNSET)
    for other in (*others, *_OWN_FIELDS):
        if other not in _REFERENCES[name] and getattr(body, other) is not UNSET:
            raise Invalid(other, f"does not go with {name}")
    amount = _optional_amount(body.amount)
    if body.capture is not UNSET:
        final = body.final is UNSET or body.final
        return requests.capture(body.capture, amount, final=final, metadata=body.metadata, key=key)
    if body.void is not UNSET:
        return requests.void(body.void, metadata=body.metadata, key=key)
    assert body.refund is not UNSET
    return requests.refund(body.refund, amount, metadata=body.metadata, key=key)


def _plain_member(requests: Requests, body: bodies.MemberRequest, key: str | None) -> Hold | Move:
    source, target = body.source_account_id, body.target_account_id
    if body.final is not UNSET:
        raise Invalid("final", "goes with capture")
    # Null is the world outside; left out it might be forgotten, and money would come from nowhere.
    if source is UNSET or (target is UNSET and body.hold is UNSET) or body.amount is UNSET:
        side = target if body.hold is UNSET else None
        _missing(source_account_id=source, target_account_id=side, amount=body.amount)
    amount = values.amount(body.amount)
    if body.hold is not UNSET:
        if source is None:
            raise Invalid("source_account_id", "must not be null for a hold")
        return _hold(requests, body, (source, None if target is UNSET else target, amount), key)
    assert target is not UNSET
    if source is None and target is None:
        raise Invalid("target_account_id", "must not be null when the source is")
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return requests.move(kind, source, target, amount, metadata=body.metadata, key=key)


def _missing(**fields: object) -> NoReturn:
    name = next(name for name, value in fields.items() if value is UNSET)
    raise Invalid(name, "is required")


def _hold(
    requests: Requests,
    body: bodies.TransactionRequest | bodies.MemberRequest,
    what: tuple[int, int | None, Decimal],
    key: str | None,
) -> Hold:
    assert body.hold is not UNSET
    return requests.hold(*what, expires_in=body.hold.expires_in, metadata=body.metadata, key=key)


def _optional_amount(raw: Raw | UnsetType) -> Decimal | None:
    return None if raw is UNSET else values.amount(raw)
