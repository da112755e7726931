"""A split's answer as its receipt keeps it: the ids of its transactions, since their rows say all the rest."""

from collections.abc import Mapping

from msgspec import Struct

from koshel.core.commands import Split
from koshel.core.legs import LeftOut
from koshel.core.model import Grouped, Posted
from koshel.core.money import minus
from koshel.core.reach import QualifiedId


class SplitReceipt(Struct, frozen=True, tag="split"):
    """What a split has answered."""

    command: Split
    group_id: int
    legs: list[int | None]  # the transaction of each; None: it was left out


def to_receipt(grouped: Grouped) -> SplitReceipt:
    """The answer, once its transactions have their ids."""
    assert isinstance(grouped.command, Split)
    assert grouped.group_id is not None, "it is kept once it has its id"
    return SplitReceipt(grouped.command, grouped.group_id, [*map(_id, grouped.outcomes)])


def transactions(receipt: SplitReceipt) -> set[QualifiedId]:
    """The transactions that must be read to restore it, each with its ledger id."""
    return {(receipt.command.ledger_id, id_) for id_ in receipt.legs if id_ is not None}


def restore(receipt: SplitReceipt, posted: Mapping[int, Posted]) -> Grouped:
    """The answer as it was."""
    first = next(posted[id_] for id_ in receipt.legs if id_ is not None)
    zero = minus(first.amount, first.amount)
    outcomes = [
        LeftOut(*pair, zero, first.currency) if id_ is None else posted[id_]
        for pair, id_ in zip(receipt.command.pairs, receipt.legs, strict=True)
    ]
    return Grouped(receipt.command, [*outcomes], receipt.group_id)


def _id(leg: object) -> int | None:
    return leg.id if isinstance(leg, Posted) else None
