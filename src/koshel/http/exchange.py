"""Exchanges: their body, their handler and their route."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Raw, UnsetType

from koshel import exchanges
from koshel.core.labelled import labels
from koshel.http.answers import answer_together
from koshel.http.call import Call, Reply
from koshel.http.exchanged import ExchangeReply
from koshel.http.parameters import DryRun, KeyHeader
from koshel.http.route import MOVE, Route
from koshel.http.sides import Source, Target, side
from koshel.http.wire import Amount, money
from koshel.labels import Labels
from koshel.values import AMOUNT_PATTERN, Id

_RATE = (
    "How much of the target's currency one of the source's is: more than zero, kept with all its decimals. "
    "A JSON number is taken as well, exactly as it is written."
)
Rate = Annotated[Raw, Meta(description=_RATE, extra_json_schema={"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"})]
TargetAmount = Annotated[Raw, money("What the target gets, more than zero, in its currency; in the place of rate.")]


class ExchangeRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """Money of one currency for money of another: for an amount of it, or at a rate."""

    INSTEAD: ClassVar[Mapping[str, Sequence[str]]] = {
        "source_account_id": ("source",),
        "target_account_id": ("target",),
        "target_amount": ("rate",),
    }

    source_amount: Amount
    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    target_amount: TargetAmount | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET

    def __post_init__(self) -> None:
        """One of each pair is required: who decodes a body says so as of any field."""
        for name, others in self.INSTEAD.items():
            if all(getattr(self, one) is UNSET for one in (name, *others)):
                raise ValueError(f"{name} is required")


async def exchange(call: Call) -> Reply:
    """POST /exchange."""
    body: ExchangeRequest = call.body
    source = side(body.source_account_id, body.source, "source")
    target = side(body.target_account_id, body.target, "target")
    if not source or not target:
        raise AssertionError("both are required")
    command = exchanges.exchange(
        call.requests,
        source=source,
        target=target,
        source_amount=body.source_amount,
        target_amount=None if body.target_amount is UNSET else body.target_amount,
        rate=None if body.rate is UNSET else body.rate,
        key=call.key,
        **labels(body),
    )
    return await answer_together(call, command)


ROUTES: Sequence[Route] = (
    Route(
        "POST",
        "/exchange",
        "Exchange money of one currency for money of another",
        "exchange",
        exchange,
        ExchangeRequest,
        dict.fromkeys((200, 201), ExchangeReply),
        (*MOVE, "name-taken", "same-account", "currency-mismatch", "same-currency"),
        said={200: "A dry run: what would happen."},
        query=DryRun,
        headers=KeyHeader,
        weight=2,
    ),
)
