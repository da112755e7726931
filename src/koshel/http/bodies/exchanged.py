"""What an exchange is answered with."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.exchanging import Exchange
from koshel.core.model import Grouped
from koshel.http.bodies import together
from koshel.http.bodies.together import MemberResult
from koshel.inputs.values import Id

_GROUP = "That both transactions have; null in a dry run."


class ExchangeReply(Struct, frozen=True):
    """Both transactions of an exchange: the source's into an exchange account, and the target's out of another one."""

    results: list[MemberResult]
    group_id: Annotated[Id | None, Meta(description=_GROUP)]
    rate: Annotated[str, Meta(description="If it was given, with all its decimals.")] | UnsetType = UNSET


class ExchangePreview(Struct, frozen=True):
    """What would happen: an exchange, or a transaction that is queued for one."""


def exchanged(outcome: Grouped) -> ExchangeReply:
    """The reply's form of an exchange."""
    assert isinstance(outcome.command, Exchange)
    return ExchangeReply(together.exchanged(outcome), outcome.group_id, together.rate(outcome.command))
