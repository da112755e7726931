"""Exchanges: their body, that of a member of a batch, their handler and their route."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from koshel.asking.requests import Requests
from koshel.core.exchanging import Exchange
from koshel.core.labelled import labels
from koshel.http.answers import answer
from koshel.http.bodies.exchanged import ExchangePreview, ExchangeReply
from koshel.http.bodies.sides import Source, Target, side
from koshel.http.bodies.wire import Amount, Schedulable, Transaction, money
from koshel.http.call import Call, Reply
from koshel.http.parameters import DryRun, MoneyHeaders
from koshel.http.route import MOVE, Route
from koshel.inputs.labels import Labels
from koshel.inputs.values import AMOUNT_PATTERN, Id

_RATE = (
    "How much of the target's currency one of the source's is: more than zero, kept with all its decimals. "
    "A JSON number is taken as well, exactly as it is written."
)
Rate = Annotated[Raw, Meta(description=_RATE, extra_json_schema={"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"})]
TargetAmount = Annotated[Raw, money("What the target gets, more than zero, in its currency; in the place of rate.")]


_INSTEAD: Mapping[str, Sequence[str]] = {
    "source_account_id": ("source",),
    "target_account_id": ("target",),
    "target_amount": ("rate",),
}


class ExchangeTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Money of one currency for money of another, as a member of a batch."""

    INSTEAD: ClassVar[Mapping[str, Sequence[str]]] = _INSTEAD

    source_amount: Amount
    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    target_amount: TargetAmount | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET

    def __post_init__(self) -> None:
        """One of each pair is required: who decodes a body says so as of any field."""
        check_required(self)


class ExchangeRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Money of one currency for money of another: for an amount of it, or at a rate."""

    INSTEAD: ClassVar[Mapping[str, Sequence[str]]] = _INSTEAD

    source_amount: Amount
    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    target_amount: TargetAmount | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET

    def __post_init__(self) -> None:
        """One of each pair is required: who decodes a body says so as of any field."""
        check_required(self)


def check_required(asked: ExchangeTerms | ExchangeRequest) -> None:
    """Raises ValueError if neither of two fields is there of which one is required."""
    for name, others in _INSTEAD.items():
        if all(getattr(asked, one) is UNSET for one in (name, *others)):
            raise ValueError(f"{name} is required")


async def exchange(call: Call) -> Reply:
    """POST /exchange."""
    return await answer(call, exchange_of(call.requests, call.body, call.body, call.key))


def exchange_of(requests: Requests, terms: ExchangeTerms | ExchangeRequest, said: Labels, key: str | None) -> Exchange:
    """The exchange on these terms, with the labels that were said. Raises Invalid."""
    source = side(terms.source_account_id, terms.source, "source")
    target = side(terms.target_account_id, terms.target, "target")
    if not source or not target:
        raise AssertionError("both are required")
    return requests.exchange(
        source=source,
        target=target,
        source_amount=terms.source_amount,
        target_amount=None if terms.target_amount is UNSET else terms.target_amount,
        rate=None if terms.rate is UNSET else terms.rate,
        key=key,
        **labels(said),
    )


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/exchange",
        "Exchange money of one currency for money of another",
        "exchange",
        exchange,
        ExchangeRequest,
        {200: ExchangePreview, 201: ExchangeReply, 202: Transaction},
        (*MOVE, "name-taken", "same-account", "currency-mismatch", "same-currency"),
        said={200: "A dry run: what would happen."},
        query=DryRun,
        headers=MoneyHeaders,
        weight=2,
    ),
)
