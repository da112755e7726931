"""A split's answer as its receipt keeps it: the ids of its transactions, since their rows say all the rest."""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from koshel.core.commands import Split
from koshel.core.legs import LeftOut
from koshel.core.model import Grouped, Posted
from koshel.core.money import minus
from koshel.core.reach import QualifiedId

NamePair: TypeAlias = tuple[str | None, str | None]  # source's and target's


class SplitReceipt(Struct, frozen=True, tag="split", omit_defaults=True):
    """What a split has answered."""

    command: Split
    group_id: int
    legs: list[int | None]  # the transaction of each; None: it was left out
    left_out: list[NamePair] = []  # the names of their accounts; empty if none has one


def to_receipt(grouped: Grouped) -> SplitReceipt:
    """The answer, once its transactions have their ids."""
    assert isinstance(grouped.command, Split)
    assert grouped.group_id is not None, "it is kept once it has its id"
    names = [(one.source, one.target) for one in grouped.outcomes if isinstance(one, LeftOut)]
    named = names if any(map(any, names)) else []
    return SplitReceipt(grouped.command, grouped.group_id, [*map(_id, grouped.outcomes)], named)


def transactions(receipt: SplitReceipt) -> set[QualifiedId]:
    """The transactions that must be read to restore it, each with its ledger id."""
    return {(receipt.command.ledger_id, id_) for id_ in receipt.legs if id_ is not None}


def restore(receipt: SplitReceipt, posted: Mapping[int, Posted]) -> Grouped:
    """The answer as it was."""
    first = next(posted[id_] for id_ in receipt.legs if id_ is not None)
    zero = minus(first.amount, first.amount)
    names = iter(receipt.left_out)
    outcomes = [
        LeftOut(*pair, zero, first.currency, *next(names, (None, None))) if id_ is None else posted[id_]
        for pair, id_ in zip(receipt.command.pairs, receipt.legs, strict=True)
    ]
    return Grouped(receipt.command, [*outcomes], receipt.group_id)


def _id(leg: object) -> int | None:
    return leg.id if isinstance(leg, Posted) else None
