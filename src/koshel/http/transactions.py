"""Transactions: the bodies of requests, their handlers and their routes. following.py has what follows one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, NoReturn, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel import values
from koshel.core.commands import UNRESOLVED, Hold, Kind, Move, Request, labels
from koshel.core.model import Posted
from koshel.http import wire
from koshel.http.answers import answer_together
from koshel.http.call import Call, Reply, json
from koshel.http.following import optional_amount, transaction_id
from koshel.http.parameters import DryRun, KeyHeader
from koshel.http.problems import transaction_not_found, validation_failed
from koshel.http.refusals import refused
from koshel.http.route import MOVE, POST, Route, making
from koshel.http.wire import Amount, Schedulable, Time
from koshel.requests import Labels, Requests
from koshel.texts import Asked
from koshel.values import MEMBERS_MAX, AccountName, Id, Invalid, Key, Lifetime

Side: TypeAlias = Asked | UnsetType | None  # as it is asked for; UNSET: not at all; None: the world outside

# The fields that make a member something other than a transfer, and the fields that may come with each.
_REFERENCES = {"capture": {"amount", "final"}, "void": set[str](), "refund": {"amount"}}
_OWN_FIELDS = ("source_account_id", "source", "target_account_id", "target", "amount", "hold", "final")


Source = Annotated[AccountName, Meta(description="The source by its name, in the place of source_account_id.")]
Target = Annotated[AccountName, Meta(description="The target by its name, in the place of target_account_id.")]


class HoldTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Reserve instead of move."""

    expires_in: Lifetime | UnsetType = UNSET
    capture_at: Annotated[Time, Meta(description="Captured by itself then, if it is still open.")] | UnsetType = UNSET


class TransactionRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Money across, or reserved for that; a hold without a target is for a withdrawal."""

    INSTEAD: ClassVar[Mapping[str, str]] = {"source_account_id": "source"}

    amount: Amount
    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    hold: HoldTerms | UnsetType = UNSET

    def __post_init__(self) -> None:
        """The source is required, one way or the other: who decodes a body says so as of any field."""
        if self.source_account_id is UNSET and self.source is UNSET:
            raise ValueError("a source is required")


class MemberRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """A member of a batch: the body of POST /transaction, with either side null or neither; or what it refers to."""

    source_account_id: Id | UnsetType | None = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    hold: HoldTerms | UnsetType = UNSET
    capture: Annotated[Id, Meta(description="The hold to capture.")] | UnsetType = UNSET
    final: bool | UnsetType = UNSET
    void: Annotated[Id, Meta(description="The hold to void.")] | UnsetType = UNSET
    refund: Annotated[Id, Meta(description="The transaction to refund.")] | UnsetType = UNSET
    idempotency_key: Key | UnsetType | None = UNSET


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Transactions that are made together, in order."""

    transactions: Annotated[list[MemberRequest], Meta(min_length=1, max_length=MEMBERS_MAX)]
    atomic: Annotated[bool, Meta(description="All of them or none.")] = True


def transfer(call: Call) -> Move | Hold:
    """POST /transaction."""
    body: TransactionRequest = call.body
    source, target = _sides(body)
    assert source is not UNSET
    assert source is not None, "null is no id"
    if target is UNSET or target is None:
        if body.hold is UNSET:
            raise Invalid("target_account_id", "is required, except for a hold")
        target = None
    amount = values.amount(body.amount)
    requests = call.requests
    if body.hold is not UNSET:
        return _hold(requests, body, (source, target, amount), call.key)
    return requests.move(Kind.TRANSFER, source, target, amount, labels(body), key=call.key)


async def batch(call: Call) -> Reply:
    """POST /transaction/batch."""
    body: BatchRequest = call.body
    members = []
    for index, one in enumerate(body.transactions):
        try:
            members.append(_member(call.requests, one))
        except Invalid as error:
            raise validation_failed(f"/transactions/{index}{pointer(error.field)}", error.reason) from error
    return await answer_together(call, call.requests.batch(members, atomic=body.atomic, key=call.key))


async def get_transaction(call: Call) -> Reply:
    """GET /transaction/{id}."""
    wanted = transaction_id(call)
    found = await call.service.engine.store.get_transaction(call.caller.ledger_id, wanted)
    if found is None:
        raise transaction_not_found(wanted)
    if isinstance(found.transaction, Posted):
        return json(200, wire.standing(found))
    if found.status == "cancelled":
        return json(200, wire.cancelled_transaction(found))
    problem = UNSET if found.refusal is None else refused(found.refusal).content()
    return json(200, wire.queued_transaction(found.transaction, problem))


def _member(requests: Requests, body: MemberRequest) -> Request:
    """A batch's member. Raises Invalid."""
    key = None if body.idempotency_key is UNSET else body.idempotency_key
    if body.capture is UNSET and body.void is UNSET and body.refund is UNSET:  # as nearly all are
        return _plain_member(requests, body, key)
    (name, *others) = (name for name in _REFERENCES if getattr(body, name) is not UNSET)
    for other in (*others, *_OWN_FIELDS):
        if other not in _REFERENCES[name] and getattr(body, other) is not UNSET:
            raise Invalid(other, f"does not go with {name}")
    amount = optional_amount(body.amount)
    if body.capture is not UNSET:
        final = body.final is UNSET or body.final
        return requests.capture(body.capture, amount=amount, final=final, **labels(body), key=key)
    if body.void is not UNSET:
        return requests.void(body.void, **labels(body), key=key)
    assert body.refund is not UNSET
    return requests.refund(body.refund, amount=amount, **labels(body), key=key)


def _plain_member(requests: Requests, body: MemberRequest, key: str | None) -> Hold | Move:
    source, target = _sides(body)
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
    return requests.move(kind, source, target, amount, labels(body), key=key)


def _sides(body: TransactionRequest | MemberRequest) -> tuple[Side, Side]:
    """Source and target, as they are asked for. Raises Invalid."""
    return (
        _side(body.source_account_id, body.source, "source"),
        _side(body.target_account_id, body.target, "target"),
    )


def _side(id_: int | UnsetType | None, name: str | UnsetType, field: str) -> Side:
    if name is UNSET:
        return id_ if id_ is UNSET or id_ is None else (id_, None)
    if id_ is not UNSET:
        raise Invalid(field, f"does not go with {field}_account_id")
    return UNRESOLVED, name


def _missing(**fields: object) -> NoReturn:
    name = next(name for name, value in fields.items() if value is UNSET)
    raise Invalid(name, "is required")


def _hold(
    requests: Requests,
    body: TransactionRequest | MemberRequest,
    what: tuple[Asked, Asked | None, Decimal],
    key: str | None,
) -> Hold:
    assert body.hold is not UNSET
    source, target, amount = what
    return requests.hold(
        source=source,
        target=target,
        amount=amount,
        expires_in=body.hold.expires_in,
        capture_at=body.hold.capture_at,
        **labels(body),
        key=key,
    )


def pointer(field: str) -> str:
    """The JSON pointer of a field in the body that it is sent in."""
    return f"/hold/{field}" if field in HoldTerms.__struct_fields__ else f"/{field}"


ROUTES: Sequence[Route] = (
    making(
        "/transaction",
        "Transfer money, or hold it for a transfer or a withdrawal",
        "transfer",
        body=TransactionRequest,
        asks=transfer,
        problems=(*MOVE, "same-account", "currency-mismatch"),
    ),
    Route(
        "POST",
        "/transaction/batch",
        "Make up to 1,000 transactions together",
        "make_batch",
        batch,
        BatchRequest,
        {200: wire.BatchReply, 201: wire.BatchReply},
        (*POST, "batch-refused"),
        said={200: "Not atomic: what became of each member. Or a dry run: what would."},
        query=DryRun,
        headers=KeyHeader,
        bytes_max="batch_body_bytes_max",
        weight=2,
    ),
    Route(
        "GET",
        "/transaction/{id}",
        "Read a transaction",
        "get_transaction",
        get_transaction,
        None,
        {200: wire.Transaction},
        ("transaction-not-found", "database-unavailable"),
    ),
)
