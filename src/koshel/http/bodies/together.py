"""The bodies of replies that have several transactions: of batches, of splits and of exchanges."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from koshel.core import legs
from koshel.core.exchanging import Exchange
from koshel.core.model import Declined, Found, Grouped, Opened, Posted, Queued, Replayed
from koshel.core.money import plain
from koshel.http.bodies import wire
from koshel.http.bodies.wire import Account, AnyRefusal, Transaction
from koshel.http.refusals import refused
from koshel.inputs.values import AccountName, Id


class LeftOut(Struct, frozen=True):
    """A leg of a split that comes to nothing, and so is no transaction."""

    source_account_id: Id | None
    target_account_id: Id | None
    amount: Annotated[str, Meta(description="Zero.")]
    currency: str
    source: Annotated[AccountName, Meta(description="The name of the source, if it has one.")] | UnsetType = UNSET
    target: Annotated[AccountName, Meta(description="The name of the target, if it has one.")] | UnsetType = UNSET


class MemberResult(Struct, frozen=True, gc=False):
    """What became of one member of a batch, or of one leg of a split."""

    transaction: Transaction | UnsetType = UNSET
    account: Account | UnsetType = UNSET
    problem: AnyRefusal | UnsetType = UNSET
    left_out: LeftOut | UnsetType = UNSET
    results: "list[MemberResult] | UnsetType" = UNSET
    group_id: Id | UnsetType | None = UNSET
    rate: str | UnsetType = UNSET


class BatchReply(Struct, frozen=True):
    """What became of a batch's members, or of a split's legs, in order."""

    results: list[MemberResult]
    group_id: (
        Annotated[Id | None, Meta(description="An atomic batch's, or a split's; null in a dry run.")] | UnsetType
    ) = UNSET


class TransactionReply(Struct, frozen=True):
    """What was made: a transaction; of a split, all of them."""


class SplitEndPreview(Struct, frozen=True):
    """What would happen: a transaction for each hold of a split, or one that is queued for all of them."""


def results(group: Grouped) -> list[MemberResult]:
    """The reply's form of what became of each member, or leg, in order."""
    replies = []
    for index, one in enumerate(group.outcomes):
        if type(one) is Posted:  # as nearly all are
            replies.append(MemberResult(transaction=wire.transaction(one)))
            continue
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
            case Grouped(command=Exchange() as asked):
                replies.append(MemberResult(results=exchanged(first), group_id=first.group_id, rate=rate(asked)))
            case Grouped():
                replies.append(MemberResult(results=results(first), group_id=first.group_id))
            case _:
                raise AssertionError(first)
    return replies


def exchanged(outcome: Grouped) -> list[MemberResult]:
    """The reply's form of both transactions of an exchange."""
    made = [wire.transaction(one) for one in outcome.outcomes if isinstance(one, Posted)]
    return [MemberResult(transaction=_without_new_ids(one)) for one in made]


def rate(exchange: Exchange) -> str | UnsetType:
    """The rate of an exchange, if it was given, with all its decimals."""
    return UNSET if exchange.rate is None else plain(exchange.rate)


def _without_new_ids(transaction: Transaction) -> Transaction:
    """In a dry run an exchange account that would be opened has no id yet; its name says which it is."""
    source_id, target_id = transaction.source_account_id, transaction.target_account_id
    if source_id and target_id:
        return transaction
    return replace(transaction, source_account_id=source_id or None, target_account_id=target_id or None)


def _left_out(leg: legs.LeftOut) -> LeftOut:
    """The reply's form of a leg that comes to nothing."""
    names = (UNSET if name is None else name for name in (leg.source, leg.target))
    return LeftOut(leg.source_account_id, leg.target_account_id, plain(leg.amount), leg.currency, *names)
