"""Splits drawn at random, of the accounts, the amounts and the names that are given."""

import itertools
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any, Literal, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from koshel.core.commands import UNRESOLVED, Command, Execute, Split
from koshel.core.legs import SplitSource, SplitTarget
from tests.support.split_legs import end, split
from tests.support.wallets import enqueue

LegT = TypeVar("LegT", SplitSource, SplitTarget)
KINDS: Sequence[Literal["capture", "void"]] = ("capture", "void")


def drawn_split(dice: Random, ids: Sequence[int], amounts: Sequence[str], names: Sequence[str]) -> Split:
    """To several targets, or from several sources; as callers' are checked, their parts can add up."""
    number, amount = dice.randint(1, 4), dice.choice(amounts)
    others = [dice.choice(ids) for _ in range(number)]
    cuts = sorted(dice.randint(0, 12) for _ in range(number - 1))
    shares = [f"{after - before}/12" for before, after in itertools.pairwise((0, *cuts, 12))]
    rest = dice.choice((None, *range(number)))
    one = dice.choice((*ids, None))
    terms: dict[str, Any] = {
        "ledger_id": 2 if dice.random() < 0.1 else 1,
        "is_hold": dice.random() < 0.3,
        "seconds": dice.choice((UNSET, 60)),
    }
    if dice.random() < 0.1:  # each is rounded up, in a currency of two decimals
        return split("1", source=one, targets=[SplitTarget(others[0], amount=Decimal("0.335"))] * 3, **terms)
    if dice.random() < 0.5:
        targets = [
            SplitTarget(id_, remaining=True) if place == rest else SplitTarget(id_, shares[place])
            for place, id_ in enumerate(others)
        ]
        return split(amount, source=one, targets=[_by_name(dice, leg, "target", names) for leg in targets], **terms)
    sources = [
        SplitSource(id_, shares[place]) if dice.random() < 0.3 else SplitSource(id_, max=Decimal(dice.choice(amounts)))
        for place, id_ in enumerate(others)
    ]
    legs = [_by_name(dice, leg, "source", names) for leg in (*sources, SplitSource(dice.choice(ids)))]
    return split(amount, target=one, sources=legs, **terms)


def drawn_end(dice: Random, ids: Sequence[int], times: Sequence[Any]) -> Command:
    """Some of these holds, captured or voided together: now, or later, or what was queued for that."""
    holds, way = dice.sample(ids, dice.choice((1, 1, 2, 3))), dice.random()
    ended = end(dice.choice(KINDS), *holds, split_id=dice.randint(1, 2), ledger_id=2 if way < 0.1 else 1)
    if way < 0.5:
        return ended
    return Execute(1, 0, ended) if way < 0.8 else enqueue(ended, dice.choice(times))


def _by_name(dice: Random, leg: LegT, side: str, names: Sequence[str]) -> LegT:
    """Now and then the leg asks for its account by a name."""
    if dice.random() < 0.8:
        return leg
    return replace(leg, **{side: dice.choice(names), f"{side}_account_id": UNRESOLVED})
