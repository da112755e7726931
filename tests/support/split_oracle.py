"""What the legs of a split come to, as docs/splits.md says it: in fractions, and one unit after the other.

Nothing here is the service's own arithmetic: amounts are counted in the smallest unit of the currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import NamedTuple, TypeAlias

from koshel.core.commands import Split
from koshel.core.legs import SplitSource
from koshel.core.model import Refusal


class Means(NamedTuple):
    """Of an account, in units: what it has available, and what its limits by time still let out."""

    available: int
    left: int | None  # None: anything


class Missing(NamedTuple):
    """So many units are missing, of all sources together."""

    units: int


Expected: TypeAlias = list[int] | Refusal | Missing


def expected(command: Split, means: Mapping[int, Means], scale: int) -> Expected:
    """The units of each leg, in order, or why there are none."""
    units = round(_units(command.amount, scale))  # half to even
    if not units:
        return Refusal.AMOUNT_OUT_OF_RANGE
    return _given(command, means, scale, units) if command.sources else _received(command, means, scale, units)


def apportioned(exact: Sequence[Fraction]) -> list[int]:
    """Exact parts rounded down; what is left over one by one to whoever has lost most, the first of equal ones."""
    parts = [floor(one) for one in exact]
    lost = [one - part for one, part in zip(exact, parts, strict=True)]
    for _ in range(int(sum(lost))):
        place = lost.index(max(lost))
        parts[place] += 1
        lost[place] -= 1
    return parts


def _received(command: Split, means: Mapping[int, Means], scale: int, units: int) -> Expected:
    fixed = {
        place: round(_units(leg.amount, scale)) for place, leg in enumerate(command.targets) if leg.amount is not None
    }
    if 0 in fixed.values():
        return Refusal.AMOUNT_OUT_OF_RANGE
    shares = {place: units * _share(leg.share) for place, leg in enumerate(command.targets) if leg.share is not None}
    rest = units - sum(fixed.values()) - sum(shares.values())
    if rest < 0:
        return Refusal.SPLIT_NOT_EXACT
    parts = {place: Fraction(part) for place, part in (fixed | shares).items()}
    exact = [parts.get(place, Fraction(rest)) for place in range(len(command.targets))]
    if any(leg.remaining for leg in command.targets):
        legs = apportioned(exact)
    else:  # less than a unit may be left, which rounding gives to the shares
        *legs, left = apportioned([*exact, Fraction(rest)])
        if left:
            return Refusal.SPLIT_NOT_EXACT
    if command.source_account_id is None:
        return legs
    source = means[command.source_account_id]
    if units > source.available:
        return Refusal.INSUFFICIENT_FUNDS
    return legs if source.left is None or units <= source.left else Refusal.LIMIT_EXCEEDED


def _given(command: Split, means: Mapping[int, Means], scale: int, units: int) -> Expected:
    legs = command.sources
    asked = {place: units * _share(leg.share) for place, leg in enumerate(legs) if leg.share is not None}
    *parts, rest = apportioned([*asked.values(), units - sum(asked.values(), Fraction(0))])
    shares = dict(zip(asked, parts, strict=True))
    of_shares = _by_account(legs, shares)
    if sum(_most(leg, rest, scale) for leg in legs if leg.share is None) < rest:
        return Refusal.SPLIT_NOT_EXACT  # however much they have
    if any(means[id_].available < given for id_, given in of_shares.items()):
        return Refusal.INSUFFICIENT_FUNDS
    free = {id_: one.available - of_shares.get(id_, 0) for id_, one in means.items()}
    lefts = {id_: one.left - of_shares.get(id_, 0) for id_, one in means.items() if one.left is not None}
    within = {id_: max(0, min(most, lefts.get(id_, most))) for id_, most in free.items()}
    if (given := _in_order(legs, rest, within, scale)) is not None:
        is_over = any(left < 0 and id_ in of_shares for id_, left in lefts.items())
        drawn = {**shares, **given}
        return Refusal.LIMIT_EXCEEDED if is_over else [drawn[place] for place in range(len(legs))]
    if _in_order(legs, rest, free, scale) is not None:
        return Refusal.LIMIT_EXCEEDED
    return Missing(next(less for less in range(1, rest + 1) if _in_order(legs, rest - less, free, scale) is not None))


def _in_order(legs: Sequence[SplitSource], rest: int, free: Mapping[int, int], scale: int) -> dict[int, int] | None:
    """What each leg without a share gives of the rest, whoever takes what remains the last; None: it is too little."""
    order = [place for place, leg in enumerate(legs) if leg.share is None and not leg.remaining]
    order += [place for place, leg in enumerate(legs) if leg.remaining]
    given: dict[int, int] = {}
    for place in order:
        leg = legs[place]
        before = _by_account(legs, given).get(leg.source_account_id, 0)
        can = max(0, free[leg.source_account_id] - before)
        given[place] = min(can, _most(leg, rest - sum(given.values()), scale))
    return given if sum(given.values()) == rest else None


def _most(leg: SplitSource, wanted: int, scale: int) -> int:
    return wanted if leg.max is None else min(wanted, floor(_units(leg.max, scale)))


def _by_account(legs: Sequence[SplitSource], parts: Mapping[int, int]) -> dict[int, int]:
    """What the accounts of these legs give together."""
    ids: Iterable[int] = {legs[place].source_account_id for place in parts}
    return {id_: sum(part for place, part in parts.items() if legs[place].source_account_id == id_) for id_ in ids}


def _units(amount: Decimal, scale: int) -> Fraction:
    units: int = 10**scale  # in one of the currency
    return Fraction(amount) * units


def _share(text: str) -> Fraction:
    return Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
