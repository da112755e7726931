"""Transactions: their bodies, handlers and routes. following.py has what follows one, batches.py what is in a batch."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from koshel.asking.requests import Requests
from koshel.core.commands import Hold, Kind, Move, Split
from koshel.core.labelled import labels
from koshel.core.model import Posted
from koshel.db.mapping.rows import FoundTransaction
from koshel.http.bodies import wire
from koshel.http.bodies.legs import Sources, Targets, checked_sources, checked_targets
from koshel.http.bodies.sides import Side, Source, Target, side
from koshel.http.bodies.together import TransactionReply
from koshel.http.bodies.wire import Amount, Schedulable, Time
from koshel.http.call import Call, Reply, json
from koshel.http.handlers.following import transaction_id
from koshel.http.problems import transaction_not_found
from koshel.http.refusals import refused
from koshel.http.route import MOVE, Route, making
from koshel.inputs import values
from koshel.inputs.labels import Labels
from koshel.inputs.texts import Asked
from koshel.inputs.values import Id, Invalid, Lifetime


class HoldTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Reserve instead of move."""

    expires_in: Lifetime | UnsetType = UNSET
    capture_at: (
        Annotated[Time, Meta(description="When the hold is captured by itself, if it is still open.")] | UnsetType
    ) = UNSET


class TransactionRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Money across, or reserved for that; a hold without a target is for a withdrawal."""

    INSTEAD: ClassVar[Mapping[str, Sequence[str]]] = {"source_account_id": ("source", "sources")}

    amount: Amount
    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    hold: HoldTerms | UnsetType = UNSET
    sources: Sources | UnsetType = UNSET
    targets: Targets | UnsetType = UNSET

    def __post_init__(self) -> None:
        """The source is required, one way or another: who decodes a body says so as of any field."""
        if self.source_account_id is UNSET and self.source is UNSET and self.sources is UNSET:
            raise ValueError("a source is required")


Legs: TypeAlias = tuple[Sources | UnsetType, Targets | UnsetType, HoldTerms | UnsetType]


def transfer(call: Call) -> Move | Hold | Split:
    """POST /transaction."""
    body: TransactionRequest = call.body
    source = side(body.source_account_id, body.source, "source")
    target = side(body.target_account_id, body.target, "target")
    if body.sources is not UNSET or body.targets is not UNSET:
        if target is None:
            target = UNSET  # here null is as good as nothing
        return split_of(
            call.requests, body, (source, target, body.amount), (body.sources, body.targets, body.hold), call.key
        )
    assert source is not UNSET
    assert source is not None, "null is no id"
    if target is UNSET or target is None:
        if body.hold is UNSET:
            raise Invalid("target_account_id", "is required, except for a hold")
        target = None
    amount = values.amount(body.amount)
    requests = call.requests
    if body.hold is not UNSET:
        return hold_of(requests, body, body.hold, (source, target, amount), call.key)
    return requests.move(Kind.TRANSFER, source, target, amount, labels(body), key=call.key)


async def get_transaction(call: Call) -> Reply:
    """GET /transaction/{id}."""
    wanted = transaction_id(call)
    found = await call.reads.get_transaction(call.caller.ledger_id, wanted)
    if found is None:
        raise transaction_not_found(wanted)
    return json(200, shown(found))


def shown(found: FoundTransaction) -> wire.Transaction:
    """The reply's form of a transaction as it stands now."""
    if isinstance(found.transaction, Posted):
        return wire.standing(found)
    if found.status == "cancelled":
        return wire.cancelled_transaction(found)
    problem = UNSET if found.refusal is None else refused(found.refusal).content()
    return wire.queued_transaction(found.transaction, problem)


def hold_of(
    requests: Requests, body: Labels, terms: HoldTerms, what: tuple[Asked, Asked | None, Decimal], key: str | None
) -> Hold:
    """The hold that a body asks for: source, target and amount, on these terms. Raises Invalid."""
    source, target, amount = what
    return requests.hold(
        source=source,
        target=target,
        amount=amount,
        expires_in=terms.expires_in,
        capture_at=terms.capture_at,
        **labels(body),
        key=key,
    )


def split_of(
    requests: Requests, body: Labels, what: tuple[Side, Side, Raw | UnsetType], legs: Legs, key: str | None
) -> Split:
    """The split that a body asks for, of source, target and amount; one of the sides has legs. Raises Invalid."""
    source, target, amount = what
    sources, targets, terms = legs
    if amount is UNSET:
        raise Invalid("amount", "is required")
    return requests.split(
        amount=amount,
        source=source,
        target=target,
        sources=checked_sources(sources),
        targets=checked_targets(targets),
        hold=terms is not UNSET,
        expires_in=UNSET if terms is UNSET else terms.expires_in,
        capture_at=UNSET if terms is UNSET else terms.capture_at,
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
        reply=TransactionReply,
        problems=(*MOVE, "same-account", "currency-mismatch"),
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
