"""Transactions: their bodies, handlers and routes. following.py has what follows one, batches.py what is in a batch."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, ClassVar, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel import values
from koshel.core.commands import UNRESOLVED, Hold, Kind, Move, labels
from koshel.core.model import Posted
from koshel.http import wire
from koshel.http.call import Call, Reply, json
from koshel.http.following import transaction_id
from koshel.http.problems import transaction_not_found
from koshel.http.refusals import refused
from koshel.http.route import MOVE, Route, making
from koshel.http.wire import Amount, Schedulable, Time
from koshel.labels import Labels
from koshel.requests import Requests
from koshel.texts import Asked, is_account_name
from koshel.values import ACCOUNT_NAME_PATTERN, ACCOUNT_NAME_REASON, Id, Invalid, Lifetime

Side: TypeAlias = Asked | UnsetType | None  # as it is asked for; UNSET: not at all; None: the world outside


def _name_of(what: str) -> Meta:
    """An account's name. Its form is looked at by `side`, which remembers names: a pattern would be tried each time."""
    description = f"The {what} by its name, in the place of {what}_account_id."
    return Meta(description=description, extra_json_schema={"pattern": ACCOUNT_NAME_PATTERN})


Source = Annotated[str, _name_of("source")]
Target = Annotated[str, _name_of("target")]


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


def transfer(call: Call) -> Move | Hold:
    """POST /transaction."""
    body: TransactionRequest = call.body
    source = side(body.source_account_id, body.source, "source")
    target = side(body.target_account_id, body.target, "target")
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
    found = await call.service.engine.store.get_transaction(call.caller.ledger_id, wanted)
    if found is None:
        raise transaction_not_found(wanted)
    if isinstance(found.transaction, Posted):
        return json(200, wire.standing(found))
    if found.status == "cancelled":
        return json(200, wire.cancelled_transaction(found))
    problem = UNSET if found.refusal is None else refused(found.refusal).content()
    return json(200, wire.queued_transaction(found.transaction, problem))


def side(id_: int | UnsetType | None, name: str | UnsetType, field: str) -> Side:
    """A side as a body asks for it: by its id or by its name. Raises Invalid."""
    if name is UNSET:
        return id_ if id_ is UNSET or id_ is None else (id_, None)
    if id_ is not UNSET:
        raise Invalid(field, f"does not go with {field}_account_id")
    if not is_account_name(name):
        raise Invalid(field, ACCOUNT_NAME_REASON)
    return UNRESOLVED, name


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
