"""The bodies of requests. Unknown fields are refused: a misspelt `amout` must never move money."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.structs import fields

from koshel.core.commands import Status
from koshel.http.wire import Amount, money
from koshel.values import MEMBERS_MAX, CurrencyCode, Email, Id, Key, Lifetime, Notes, NotesPatch

Floor = Annotated[Raw, money("Zero or less: an overdraft line.", sign="-?")]
Ceiling = Annotated[Raw, money("Zero or more; null: no limit.", nullable=True)]


class AccountRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an account is opened with."""

    email: Email
    currency: CurrencyCode | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)


class AccountChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different of an account; what is left out stays."""

    email: Email | UnsetType = UNSET
    min_balance: Floor | UnsetType = UNSET
    max_balance: Ceiling | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    metadata: Notes | UnsetType = UNSET


class AccountPatch(AccountChange, frozen=True, forbid_unknown_fields=True):
    """The same as a merge patch (RFC 7396), which goes into `metadata` too."""

    metadata: NotesPatch | UnsetType = UNSET  # type: ignore[assignment]


# The type that a body is decoded as if it comes as application/merge-patch+json.
MERGED: Mapping[type[Struct] | None, type[Struct]] = {AccountChange: AccountPatch}


class PaymentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money in."""

    amount: Amount
    metadata: Notes = field(default_factory=dict)


class WithdrawalRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money out."""

    amount: Amount
    metadata: Notes = field(default_factory=dict)


class HoldTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """Reserve instead of move."""

    expires_in: Lifetime | UnsetType = UNSET


class TransactionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Money across, or reserved for that; a hold without a target is for a withdrawal."""

    source_account_id: Id
    amount: Amount
    target_account_id: Id | None = None
    hold: HoldTerms | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)


class CaptureRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a hold: `amount`, or all that it still reserves. Unless it is final, the rest stays reserved."""

    amount: Amount | UnsetType = UNSET
    final: bool = True
    metadata: Notes = field(default_factory=dict)


class VoidRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a hold: all that it still reserves."""

    metadata: Notes = field(default_factory=dict)


class RefundRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a transaction: `amount`, or all that is left of it."""

    amount: Amount | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)


class MemberRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A member of a batch: the body of POST /transaction, with either side null or neither; or what it refers to."""

    source_account_id: Id | UnsetType | None = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    amount: Amount | UnsetType = UNSET
    hold: HoldTerms | UnsetType = UNSET
    capture: Annotated[Id, Meta(description="The hold to capture.")] | UnsetType = UNSET
    final: bool | UnsetType = UNSET
    void: Annotated[Id, Meta(description="The hold to void.")] | UnsetType = UNSET
    refund: Annotated[Id, Meta(description="The transaction to refund.")] | UnsetType = UNSET
    metadata: Notes = field(default_factory=dict)
    idempotency_key: Key | UnsetType | None = UNSET


class BatchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Transactions that are made together, in order."""

    transactions: Annotated[list[MemberRequest], Meta(min_length=1, max_length=MEMBERS_MAX)]
    atomic: Annotated[bool, Meta(description="All of them or none.")] = True


def is_optional(body: type[Struct]) -> bool:
    """Whether a request may come without this body, as all its fields may be left out."""
    return not any(one.required for one in fields(body))


def pointer(field: str) -> str:
    """The JSON pointer of a field in the body that it is sent in."""
    return f"/hold/{field}" if field in HoldTerms.__struct_fields__ else f"/{field}"
