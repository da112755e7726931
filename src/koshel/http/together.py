"""The bodies of replies that have several transactions: of batches, and of splits."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core import legs
from koshel.core.model import Declined, Found, Grouped, Opened, Posted, Queued, Replayed
from koshel.core.money import plain
from koshel.http import wire
from koshel.http.refusals import refused
from koshel.http.wire import Account, AnyRefusal, Transaction
from koshel.values import Id


class LeftOut(Struct, frozen=True):
    """A leg of a split that comes to nothing, and so is no transaction."""

    source_account_id: Id | None
    target_account_id: Id | None
    amount: Annotated[str, Meta(description="Zero.")]
    currency: str


class MemberResult(Struct, frozen=True):
    """What became of one member of a batch, or of one leg of a split."""

    transaction: Transaction | UnsetType = UNSET
    account: Account | UnsetType = UNSET
    problem: AnyRefusal | UnsetType = UNSET
    left_out: LeftOut | UnsetType = UNSET
    results: "list[MemberResult] | UnsetType" = UNSET
    group_id: Id | UnsetType | None = UNSET


class BatchReply(Struct, frozen=True):
    """What became of a batch's members, or of a split's legs, in order."""

    results: list[MemberResult]
    group_id: (
        Annotated[Id | None, Meta(description="An atomic batch's, or a split's; null in a dry run.")] | UnsetType
    ) = UNSET


class TransactionReply(Struct, frozen=True):
    """What was made: a transaction; of a split, all of them."""


def results(group: Grouped) -> list[MemberResult]:
    """The reply's form of what became of each member, or leg, in order."""
    replies = []
    for index, one in enumerate(group.outcomes):
        first = one.first if isinstance(one, Replayed) else one
        match first:
            case Posted():
                replies.append(MemberResult(transaction=wire.transaction(first)))
            case Queued():
                replies.append(MemberResult(transaction=wire.queued_transaction(first)))
            case Opened() | Found():
                replies.append(MemberResult(account=wire.account(first.account)))
            case Declined():
                replies.append(MemberResult(problem=refused(first, f"/transactions/{index}").content()))
            case legs.LeftOut():
                replies.append(MemberResult(left_out=_left_out(first)))
            case Grouped():
                replies.append(MemberResult(results=results(first), group_id=first.group_id))
            case _:
                raise AssertionError(first)
    return replies


def _left_out(leg: legs.LeftOut) -> LeftOut:
    """The reply's form of a leg that comes to nothing."""
    return LeftOut(leg.source_account_id, leg.target_account_id, plain(leg.amount), leg.currency)
