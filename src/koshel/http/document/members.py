"""What comes in several forms, each by itself: a transaction to be made, a batch's members, and results.

The service reads all forms of a request with one struct, and writes all forms of a result with another. These are for
the OpenAPI document, so that a generated client has a type for each.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.http.bodies.exchanged import ExchangeReply
from koshel.http.bodies.legs import Sources, Targets
from koshel.http.bodies.sides import Source, Target
from koshel.http.bodies.together import BatchReply, LeftOut, MemberResult
from koshel.http.bodies.wire import Account, Amount, AnyRefusal, Schedulable, Transaction
from koshel.http.handlers.accounts import AccountOpening
from koshel.http.handlers.exchange import ExchangeTerms
from koshel.http.handlers.transactions import HoldTerms
from koshel.inputs.labels import Labels
from koshel.inputs.values import Id, Key


class TransferRequest(Schedulable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money across."""

    source_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target_account_id: Id | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount


class HoldRequest(Schedulable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money reserved for a transfer; without a target it is for a withdrawal."""

    source_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount
    hold: HoldTerms


class SplitToRequest(Schedulable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money from one account to several, or reserved for that."""

    source_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    targets: Targets
    amount: Amount
    hold: HoldTerms | UnsetType = UNSET


class SplitFromRequest(Schedulable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money from several accounts to one."""

    sources: Sources
    target_account_id: Id | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount


class HoldFromRequest(Schedulable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money of several accounts, reserved; without a target it is for withdrawals."""

    sources: Sources
    target_account_id: Id | UnsetType | None = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount
    hold: HoldTerms


class _Member(Labels, frozen=True, kw_only=True, forbid_unknown_fields=True):
    idempotency_key: Key | UnsetType | None = UNSET


class MoveMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A transfer; or with null as its source a payment, with null as its target a withdrawal. Not both are null."""

    source_account_id: Annotated[Id | None, Meta(description="null: money comes in from outside.")] | UnsetType = UNSET
    target_account_id: Annotated[Id | None, Meta(description="null: money leaves.")] | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount


class HoldMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hold; without a target it is for a withdrawal."""

    source_account_id: Id | UnsetType = UNSET
    target_account_id: Id | UnsetType | None = UNSET
    source: Source | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount
    hold: HoldTerms


class SplitToMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money to several accounts: from one, or with null as the source from outside."""

    source_account_id: Annotated[Id | None, Meta(description="null: money comes in from outside.")] | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    targets: Targets
    amount: Amount


class HoldToMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money of one account, reserved for several."""

    source_account_id: Id | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    targets: Targets
    amount: Amount
    hold: HoldTerms


class SplitFromMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money from several accounts: to one, or with null as the target to the outside."""

    sources: Sources
    target_account_id: Annotated[Id | None, Meta(description="null: money leaves.")] | UnsetType = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount


class HoldFromMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money of several accounts, reserved; without a target it is for withdrawals."""

    sources: Sources
    target_account_id: Id | UnsetType | None = UNSET
    target: Target | UnsetType = UNSET
    amount: Amount
    hold: HoldTerms


class CaptureMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a hold: `amount`, or all that it still reserves. Unless it is final, the rest stays reserved."""

    capture: Annotated[Id, Meta(description="The hold.")]
    amount: Amount | UnsetType = UNSET
    final: bool | UnsetType = UNSET


class VoidMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a hold: all that it still reserves."""

    void: Annotated[Id, Meta(description="The hold.")]


class RefundMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a transaction: `amount`, or all that is left of it."""

    refund: Annotated[Id, Meta(description="The transaction.")]
    amount: Amount | UnsetType = UNSET


class OpenMember(Struct, frozen=True, forbid_unknown_fields=True):
    """An account that is opened, unless there is one of its name."""

    open: AccountOpening


class ExchangeMember(_Member, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money of one currency for money of another."""

    exchange: ExchangeTerms


class MemberMade(Struct, frozen=True):
    """A member that was made."""

    transaction: Transaction


class MemberOpened(Struct, frozen=True):
    """An account that was opened, or was there."""

    account: Account


class MemberRefused(Struct, frozen=True):
    """A member that was refused."""

    problem: AnyRefusal


class MemberGroup(Struct, frozen=True):
    """A member that was a split, and what became of its legs; or an exchange, and its two transactions."""

    results: list[MemberResult]
    group_id: Annotated[Id | None, Meta(description="null in a dry run")]
    rate: Annotated[str, Meta(description="Of an exchange, if it was given.")] | UnsetType = UNSET


class LegLeftOut(Struct, frozen=True):
    """A leg of a split that was left out."""

    left_out: LeftOut


FORMS: Mapping[str, tuple[type[Struct], ...]] = {
    "TransactionRequest": (TransferRequest, HoldRequest, SplitToRequest, SplitFromRequest, HoldFromRequest),
    "TransactionReply": (Transaction, BatchReply),
    "ExchangePreview": (ExchangeReply, Transaction),
    "SplitEndPreview": (BatchReply, Transaction),
    "MemberRequest": (
        *(MoveMember, HoldMember, SplitToMember, HoldToMember, SplitFromMember, HoldFromMember),
        *(CaptureMember, VoidMember, RefundMember, OpenMember, ExchangeMember),
    ),
    "MemberResult": (MemberMade, MemberOpened, MemberRefused, MemberGroup, LegLeftOut),
}
