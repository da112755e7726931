"""What the facts of problems are made of, and those of a limit by time and of what is read."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.turnovers import Period
from koshel.http.bodies.wire import Time
from koshel.inputs.values import AccountName, Id

Money = Annotated[str, Meta(description="With the decimals of the currency.")]


class NoFacts(Struct, frozen=True, kw_only=True):
    """RFC 9457, with `retryable`; `code` is added for each problem."""

    type: str
    title: str
    status: int
    detail: str
    retryable: bool


class OfAccount(NoFacts, frozen=True, kw_only=True):
    """Of an account."""

    account_id: Id
    name: Annotated[AccountName, Meta(description="If it has one.")] | UnsetType = UNSET


class OfAnyAccount(NoFacts, frozen=True, kw_only=True):
    """Of an account, which may be one that is not opened after all."""

    account_id: Annotated[Id, Meta(description="Left out if the same batch was to open the account.")] | UnsetType = (
        UNSET
    )
    name: Annotated[AccountName, Meta(description="If it has one.")] | UnsetType = UNSET


class LimitFacts(OfAnyAccount, frozen=True, kw_only=True):
    """Of a limit by time."""

    currency: str
    direction: Literal["out", "in"]
    per: Annotated[Period, Meta(description="The length of the window.")]
    limit: Money
    left: Annotated[Money, Meta(description="How much fits now.")]
    amount: Money
    fits_at: (
        Annotated[
            Time, Meta(description="From when it fits, if nothing else moves; left out if waiting does not help.")
        ]
        | UnsetType
    ) = UNSET


class NotIndexedFacts(NoFacts, frozen=True, kw_only=True):
    """Of filters that no index finds."""

    parameters: list[str]
    add_one_of: Annotated[list[str], Meta(description="Add one of these parameters.")]


class TooManyValueDatesFacts(OfAccount, frozen=True, kw_only=True):
    """Of a balance by value date that would be a sum over too many lines."""

    lines_max: Annotated[
        int, Meta(description="How many lines are added up at most, of each side and in each direction.")
    ]


class PolicyFacts(NoFacts, frozen=True, kw_only=True):
    """Of a rate that was exceeded."""

    policy: Annotated[Literal["key", "ledger", "concurrency"], Meta(description="Which limit was reached.")]


class FieldFacts(NoFacts, frozen=True, kw_only=True):
    """Of a key that came with another request."""

    field: Annotated[
        str,
        Meta(description="The first field, or header, that differs, as it is sent. `kind`: it was another route."),
    ]


class RequestIdFacts(NoFacts, frozen=True, kw_only=True):
    """Of a fault of ours."""

    request_id: Annotated[str, Meta(description="The id of the request in the log.")]


class VolumeFacts(NoFacts, frozen=True, kw_only=True):
    """Of sums over more than may be read at once."""

    transactions_max: Annotated[int, Meta(description="How many transactions are read at most.")]
    volumes_max: Annotated[int, Meta(description="How many volumes an answer may have.")]
    fits_until: Annotated[Time, Meta(description="With this `until` the transactions are few enough.")] | UnsetType = (
        UNSET
    )


class HistoryArchivedFacts(NoFacts, frozen=True, kw_only=True):
    """Of an answer that needs transactions that are archived."""

    account_id: Annotated[Id, Meta(description="Left out for what is asked of the whole ledger.")] | UnsetType = UNSET
    readable_since: (
        Annotated[Time, Meta(description="From this time on nothing is missing; left out if there is none.")]
        | UnsetType
    ) = UNSET


OF_READS: Mapping[str, type[NoFacts]] = {
    "history-archived": HistoryArchivedFacts,
    "filter-not-indexed": NotIndexedFacts,
    "too-many-value-dates": TooManyValueDatesFacts,
    "volume-too-large": VolumeFacts,
}
