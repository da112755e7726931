"""What an exchange is answered with."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped, Posted
from koshel.core.money import plain
from koshel.http import wire
from koshel.http.together import MemberResult
from koshel.values import Id

_GROUP = "That both transactions have; null in a dry run."


class ExchangeReply(Struct, frozen=True):
    """Both transactions of an exchange: the source's into an exchange account, and the target's out of another one."""

    results: list[MemberResult]
    group_id: Annotated[Id | None, Meta(description=_GROUP)]
    rate: Annotated[str, Meta(description="If it was given, with all its decimals.")] | UnsetType = UNSET


def exchanged(outcome: Grouped) -> ExchangeReply:
    """The reply's form of an exchange."""
    exchange = outcome.command
    assert isinstance(exchange, Exchange)
    made = [_shown(wire.transaction(one)) for one in outcome.outcomes if isinstance(one, Posted)]
    results = [MemberResult(transaction=one) for one in made]
    return ExchangeReply(results, outcome.group_id, UNSET if exchange.rate is None else plain(exchange.rate))


def _shown(transaction: wire.Transaction) -> wire.Transaction:
    """In a dry run an exchange account that would be opened has no id yet; its name says which it is."""
    source_id, target_id = transaction.source_account_id, transaction.target_account_id
    if source_id and target_id:
        return transaction
    return replace(transaction, source_account_id=source_id or None, target_account_id=target_id or None)
