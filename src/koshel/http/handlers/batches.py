"""Batches: their bodies, and those of their members, their handler and their route."""

from collections.abc import Sequence
from typing import Annotated, NoReturn

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.asking.group_requests import MemberRequest as RequestedMember
from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount, Hold, Kind, Move, Split
from koshel.core.exchanging import Exchange
from koshel.core.labelled import labels
from koshel.http.answers import answer_together
from koshel.http.bodies.legs import Sources, Targets
from koshel.http.bodies.sides import Source, Target, side
from koshel.http.bodies.together import BatchReply
from koshel.http.bodies.wire import Amount
from koshel.http.call import Call, Reply
from koshel.http.handlers.accounts import AccountOpening, ensured
from koshel.http.handlers.exchange import ExchangeTerms, exchange_of
from koshel.http.handlers.following import optional_amount
from koshel.http.handlers.transactions import HoldTerms, hold_of, pointer, split_of
from koshel.http.parameters import DryRun, KeyHeader
from koshel.http.problems import validation_failed
from koshel.http.route import POST, Route
from koshel.inputs import values
from koshel.inputs.labels import Labels
from koshel.inputs.values import MEMBERS_MAX, Id, Invalid, Key

# The fields that make a member something other than a transfer, and the fields that may come with each.
_REFERENCES = {
    "capture": {"amount", "final"},
    "void": set[str](),
    "refund": {"amount"},
    "open": set[str](),
    "exchange": set[str](),
}
_OWN_FIELDS = (
    *("source_account_id", "source", "target_account_id", "target", "sources", "targets"),
    *("amount", "hold", "final"),
)


class MemberRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """A member of a batch: the body of POST /transaction, with either side null or neither; or what it refers to."""

    source_account_id: Id | UnsetType | None = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount | UnsetType = UNSET
    hold: HoldTerms | UnsetType = UNSET
    sources: Sources | UnsetType = UNSET
    targets: Targets | UnsetType = UNSET
    capture: Annotated[Id, Meta(description="The hold to capture.")] | UnsetType = UNSET
    final: bool | UnsetType = UNSET
    void: Annotated[Id, Meta(description="The hold to void.")] | UnsetType = UNSET
    refund: Annotated[Id, Meta(description="The transaction to refund.")] | UnsetType = UNSET
    open: AccountOpening | UnsetType = UNSET
    exchange: ExchangeTerms | UnsetType = UNSET
    idempotency_key: Key | UnsetType | None = UNSET


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Transactions that are made together, in order."""

    transactions: Annotated[list[MemberRequest], Meta(min_length=1, max_length=MEMBERS_MAX)]
    atomic: Annotated[bool, Meta(description="All of them or none.")] = True


async def batch(call: Call) -> Reply:
    """POST /transaction/batch."""
    body: BatchRequest = call.body
    members = []
    for index, one in enumerate(body.transactions):
        try:
            members.append(_member(call.requests, one))
        except Invalid as error:
            raise validation_failed(f"/transactions/{index}{pointer(error.field)}", error.reason) from error
    group = call.requests.batch(members, atomic=body.atomic, key=call.key)
    if call.query.dry_run and (opening := [at for at, one in enumerate(members) if isinstance(one, EnsureAccount)]):
        raise Invalid(
            f"transactions/{opening[0]}/open", "does not go with a dry run: an account has no id before it is"
        )
    return await answer_together(call, group)


def _opening(requests: Requests, body: MemberRequest, account: AccountOpening) -> EnsureAccount:
    for field in ("idempotency_key", *labels(body)):
        if getattr(body, field) is not UNSET:
            raise Invalid(field, "does not go with open")
    try:
        return ensured(requests, account.name, account)
    except Invalid as error:
        raise Invalid(f"open/{error.field}", error.reason) from error


def _exchanging(requests: Requests, body: MemberRequest, terms: ExchangeTerms, key: str | None) -> Exchange:
    try:
        return exchange_of(requests, terms, body, key)
    except Invalid as error:
        raise Invalid(f"exchange/{error.field}", error.reason) from error


def _member(requests: Requests, body: MemberRequest) -> RequestedMember:
    """A batch's member. Raises Invalid."""
    key = None if body.idempotency_key is UNSET else body.idempotency_key
    if (
        body.capture is UNSET
        and body.void is UNSET
        and body.refund is UNSET
        and body.open is UNSET
        and body.exchange is UNSET
    ):  # as nearly all
        return _plain_member(requests, body, key)
    (name, *others) = (name for name in _REFERENCES if getattr(body, name) is not UNSET)
    for other in (*others, *_OWN_FIELDS):
        if other not in _REFERENCES[name] and getattr(body, other) is not UNSET:
            raise Invalid(other, f"does not go with {name}")
    if body.open is not UNSET:
        return _opening(requests, body, body.open)
    if body.exchange is not UNSET:
        return _exchanging(requests, body, body.exchange, key)
    amount = optional_amount(body.amount)
    if body.capture is not UNSET:
        final = body.final is UNSET or body.final
        return requests.capture(body.capture, amount=amount, final=final, **labels(body), key=key)
    if body.void is not UNSET:
        return requests.void(body.void, **labels(body), key=key)
    assert body.refund is not UNSET
    return requests.refund(body.refund, amount=amount, **labels(body), key=key)


def _plain_member(requests: Requests, body: MemberRequest, key: str | None) -> Hold | Move | Split:
    source = side(body.source_account_id, body.source, "source")
    target = side(body.target_account_id, body.target, "target")
    if body.final is not UNSET:
        raise Invalid("final", "goes with capture")
    if body.sources is not UNSET or body.targets is not UNSET:
        return split_of(requests, body, (source, target, body.amount), (body.sources, body.targets, body.hold), key)
    # Null is the world outside; left out it might be forgotten, and money would come from nowhere.
    if source is UNSET or (target is UNSET and body.hold is UNSET) or body.amount is UNSET:
        moved = target if body.hold is UNSET else None
        _missing(source_account_id=source, target_account_id=moved, amount=body.amount)
    amount = values.amount(body.amount)
    if body.hold is not UNSET:
        if source is None:
            raise Invalid("source_account_id", "must not be null for a hold")
        return hold_of(requests, body, body.hold, (source, None if target is UNSET else target, amount), key)
    assert target is not UNSET
    if source is None and target is None:
        raise Invalid("target_account_id", "must not be null when the source is")
    kind = Kind.PAYMENT if source is None else Kind.WITHDRAWAL if target is None else Kind.TRANSFER
    return requests.move(kind, source, target, amount, labels(body), key=key)


def _missing(**fields: object) -> NoReturn:
    name = next(name for name, value in fields.items() if value is UNSET)
    raise Invalid(name, "is required")


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/transaction/batch",
        "Make up to 1,000 transactions together",
        "make_batch",
        batch,
        BatchRequest,
        {200: BatchReply, 201: BatchReply},
        (*POST, "batch-refused"),
        said={200: "Not atomic: what became of each member. Or a dry run: what would."},
        query=DryRun,
        headers=KeyHeader,
        bytes_max="batch_body_bytes_max",
        weight=2,
    ),
)
