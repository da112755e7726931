"""The facts of problems: what a problem says of itself beyond RFC 9457, by its code, as types.

The OpenAPI document is made from them. The replies are made elsewhere, and tests hold them against this table.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from koshel.core.commands import Kind
from koshel.core.model import Refusal
from koshel.http.bodies.wire import AnyRefusal, Time
from koshel.http.document.fact_bases import (
    OF_READS,
    FieldFacts,
    LimitFacts,
    Money,
    NoFacts,
    OfAccount,
    OfAnyAccount,
    PolicyFacts,
    RequestIdFacts,
)
from koshel.http.problems import PROBLEMS
from koshel.inputs.values import AccountName, Id

_Pending = Literal["queued", "declined", "cancelled"]  # of a transaction that is not posted
Pointer = Annotated[str, Meta(description="A JSON pointer into the body.")]


class FieldError(Struct, frozen=True):
    """What is wrong with one part of a request: a field of the body, a header, or a parameter."""

    pointer: Annotated[str, Meta(description="A JSON pointer into the body; empty for a header, a parameter or all.")]
    detail: str
    header: str | UnsetType = UNSET
    parameter: str | UnsetType = UNSET


class _Errors(NoFacts, frozen=True, kw_only=True):
    errors: list[FieldError]


class _Asked(NoFacts, frozen=True, kw_only=True):
    account_id: Annotated[Id, Meta(description="If the request has it, or it is known.")] | UnsetType = UNSET
    name: Annotated[AccountName, Meta(description="The account's name, if the request has it.")] | UnsetType = UNSET


class _NoAccount(_Asked, frozen=True, kw_only=True):
    pointer: Annotated[Pointer, Meta(description="Left out if the account is named in the path.")] | UnsetType = UNSET


class _NoTransaction(NoFacts, frozen=True, kw_only=True):
    transaction_id: Annotated[Id, Meta(description="Left out if the path has no possible id.")] | UnsetType = UNSET
    pointer: Pointer | UnsetType = UNSET


class _NoSplit(NoFacts, frozen=True, kw_only=True):
    split_id: Annotated[Id, Meta(description="Left out if the path has no possible id.")] | UnsetType = UNSET


class _OfKey(NoFacts, frozen=True, kw_only=True):
    key_id: Id


class _NoKey(NoFacts, frozen=True, kw_only=True):
    key_id: Annotated[Id, Meta(description="Left out if the path has no possible id.")] | UnsetType = UNSET


class _Scope(NoFacts, frozen=True, kw_only=True):
    scope: Annotated[Literal["read", "write", "admin"], Meta(description="The scope that is needed.")]


class _Ledger(NoFacts, frozen=True, kw_only=True):
    ledger: str


class _NameTaken(NoFacts, frozen=True, kw_only=True):
    account_id: (
        Annotated[Id, Meta(description="The account that has the name, unless the same batch was to open it.")]
        | UnsetType
    ) = UNSET
    name: AccountName
    field: Annotated[
        str,
        Meta(description="`name` for POST; for PUT the first field whose value the account does not have."),
    ]


class _OfTransaction(NoFacts, frozen=True, kw_only=True):
    transaction_id: Id


class _Version(OfAccount, frozen=True, kw_only=True):
    version: Annotated[int, Meta(description="The account's version then.")]
    etag: Annotated[str, Meta(description="The account's ETag then, with its quotes, as If-Match takes it.")]


class _Currency(NoFacts, frozen=True, kw_only=True):
    currency: str


class _Currencies(NoFacts, frozen=True, kw_only=True):
    source_currency: str
    target_currency: str


class _HoldStatus(_OfTransaction, frozen=True, kw_only=True):
    hold_status: Literal["captured", "voided", "expired", "queued", "declined", "cancelled"]


class _Expired(_OfTransaction, frozen=True, kw_only=True):
    expires_at: Time


class _Kind(_OfTransaction, frozen=True, kw_only=True):
    kind: Kind


class _Decided(_OfTransaction, frozen=True, kw_only=True):
    transaction_status: Literal["posted", "held", "captured", "voided", "expired", "declined"]


class _NotPosted(_OfTransaction, frozen=True, kw_only=True):
    transaction_status: _Pending


class _NotRefundable(_Kind, frozen=True, kw_only=True):
    transaction_status: Annotated[_Pending, Meta(description="Only if it is not posted.")] | UnsetType = UNSET


class _NotEmpty(OfAccount, frozen=True, kw_only=True):
    currency: str
    balance: Money
    held: Money


class _Spendable(NoFacts, frozen=True, kw_only=True):
    account_id: (
        Annotated[Id, Meta(description="Left out if sources together have too little, or if it is not opened yet.")]
        | UnsetType
    ) = UNSET
    name: Annotated[AccountName, Meta(description="If it has one.")] | UnsetType = UNSET
    currency: str
    available: Annotated[Money, Meta(description="What the source, or sources, can spend.")] | UnsetType = UNSET
    required: Annotated[Money, Meta(description="What is needed.")] | UnsetType = UNSET
    missing: Annotated[Money, Meta(description="Only if sources together have too little.")] | UnsetType = UNSET
    balance: Annotated[Money, Meta(description="Only for a change of min_balance.")] | UnsetType = UNSET
    held: Annotated[Money, Meta(description="Only for a change of min_balance.")] | UnsetType = UNSET
    min_balance: Annotated[Money, Meta(description="The new min_balance, for a change of it.")] | UnsetType = UNSET


class _Limit(OfAnyAccount, frozen=True, kw_only=True):
    currency: str
    balance: Money
    max_balance: Money
    amount: Annotated[Money, Meta(description="How much would have come in; left out for a change of max_balance.")] | (
        UnsetType
    ) = UNSET


class _Reserved(_OfTransaction, frozen=True, kw_only=True):
    currency: str
    held: Money
    required: Money


class _Refunded(_OfTransaction, frozen=True, kw_only=True):
    currency: str
    amount: Money
    refunded: Money
    required: Money


class _Cause(NoFacts, frozen=True, kw_only=True):
    index: Annotated[int, Meta(description="The position of the refused member, from 0.")]
    cause: AnyRefusal


FACTS: Mapping[str, type[NoFacts]] = {
    "validation-failed": _Errors,
    **OF_READS,
    "account-not-found": _NoAccount,
    "transaction-not-found": _NoTransaction,
    "split-not-found": _NoSplit,
    "forbidden": _Scope,
    "key-not-found": _NoKey,
    "key-not-usable": _OfKey,
    "last-admin-key": _OfKey,
    "ledger-name-taken": _Ledger,
    "unknown-currency": _Currency,
    "name-taken": _NameTaken,
    "same-account": _Asked,
    "currency-mismatch": _Currencies,
    "same-currency": _Currency,
    "insufficient-funds": _Spendable,
    "balance-limit-exceeded": _Limit,
    "limit-exceeded": LimitFacts,
    "hold-not-open": _HoldStatus,
    "hold-expired": _Expired,
    "not-a-hold": _Kind,
    "not-refundable": _NotRefundable,
    "version-mismatch": _Version,
    "not-posted": _NotPosted,
    "not-cancellable": _Decided,
    "account-closed": OfAccount,
    "account-frozen": OfAccount,
    "account-not-empty": _NotEmpty,
    "account-not-closed": OfAccount,
    "capture-exceeds-hold": _Reserved,
    "refund-exceeds-original": _Refunded,
    "batch-refused": _Cause,
    "idempotency-key-reused": FieldFacts,
    "rate-limited": PolicyFacts,
    "internal-error": RequestIdFacts,
}
assert FACTS.keys() <= PROBLEMS.keys()


def type_name(code: str) -> str:
    """The name of a problem's type: InsufficientFunds."""
    return code.title().replace("-", "")


def _typed(code: str) -> type[Struct]:
    base = FACTS.get(code, NoFacts)
    namespace: dict[str, Any] = {"__doc__": PROBLEMS[code].when}
    return defstruct(
        type_name(code), [], bases=(base,), tag_field="code", tag=code, frozen=True, kw_only=True, namespace=namespace
    )


def code_of(refusal: Refusal) -> str:
    """The code of the problem that a refusal of the core becomes."""
    is_of_a_field = refusal in {
        *(Refusal.AMOUNT_OUT_OF_RANGE, Refusal.SPLIT_NOT_EXACT),
        *(Refusal.TIME_OUT_OF_RANGE, Refusal.METADATA_TOO_LARGE),
    }
    return "validation-failed" if is_of_a_field else refusal.value


TYPED: Mapping[str, type[Struct]] = {code: _typed(code) for code in PROBLEMS}

# Why a member of a batch may be refused: not what is only said of changes, or of a batch.
_OTHERS = {
    *(Refusal.VERSION_MISMATCH, Refusal.ACCOUNT_NOT_EMPTY, Refusal.METADATA_TOO_LARGE),
    *(Refusal.NOT_POSTED, Refusal.BATCH_REFUSED),
}
REFUSALS: Sequence[str] = tuple(code_of(one) for one in Refusal if one not in _OTHERS)
