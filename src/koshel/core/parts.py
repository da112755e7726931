"""What each leg of a split comes to, once the accounts are known and locked.

targets: fixed amounts first; shares of the amount, and what remains, exact ──▶ whole
sources: shares first; the others in order, up to what each can spend
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from typing import NamedTuple, TypeAlias

from koshel.core import declined, declined_splits
from koshel.core.apportion import exact, share_of, whole
from koshel.core.book import available
from koshel.core.commands import Split
from koshel.core.legs import SplitSource
from koshel.core.limits import left
from koshel.core.model import Account, Declined
from koshel.core.money import CEILING, ZEROS, floored, from_units, in_units, minus, plus, rounded
from koshel.core.turnovers import Turnovers

Parts: TypeAlias = dict[int, Decimal]  # by the place of the leg


def assigned(command: Split, one: Account, amount: Decimal) -> list[Decimal] | Declined:
    """The part of each target; they add up to the amount, which is in the currency that `one` is in."""
    parts: Parts = {}
    shares: dict[int, str] = {}
    takes_rest = None
    pool = amount
    for place, leg in enumerate(command.targets):
        if leg.amount is not None:
            fixed = rounded(leg.amount, one.scale)
            if not 0 < fixed < CEILING:
                return declined.amount_out_of_range(command, one, fixed, f"targets/{place}/amount")
            parts[place] = fixed
            pool = minus(pool, fixed)
        elif leg.remaining:
            takes_rest = place
        else:
            assert leg.share is not None, "a target has one of the three"
            shares[place] = leg.share
    before = len(shares) if takes_rest is None else sum(place < takes_rest for place in shares)
    shared = _shared(shares, amount, pool, one.scale, before)
    if shared is None or (shared[1] and takes_rest is None):
        return declined_splits.not_exact(command, one, amount)
    parts |= shared[0]
    if takes_rest is not None:
        parts[takes_rest] = shared[1]
    return [parts[place] for place in range(len(command.targets))]


class Given(NamedTuple):
    """What the sources of a split give: each its share, the others in order, up to what each can spend."""

    parts: Sequence[Decimal]
    pool: Decimal  # what those without a share were to give
    missing: Decimal  # of it
    short: tuple[int, Decimal] | None  # the first account that cannot spend its shares, and what they come to

    @property
    def is_whole(self) -> bool:
        """Whether they give the whole amount."""
        return not self.missing and self.short is None


def drawn(
    command: Split, accounts: Mapping[int, Account], one: Account, amount: Decimal, turnovers: Turnovers
) -> Sequence[Decimal] | Declined:
    """The part of each source: shares first, then the others in order, up to what each can spend.

    That is what it has available, within its limits by time. If nothing but limits is in the way, the parts are those
    without limits: all else is looked at before the limits are.
    """
    spendable = {id_: available(accounts[id_]) for id_ in {leg.source_account_id for leg in command.sources}}
    all_given = given(command, spendable, one, amount)
    if _never_enough(command.sources, all_given.pool, one.scale):  # whatever they have: so it comes first
        return declined_splits.not_exact(command, one, amount)
    if all_given.short is not None:
        id_, needed = all_given.short
        return declined.insufficient_funds(command, accounts[id_], needed)
    if all_given.missing:
        return declined_splits.sources_short(command, one, minus(amount, all_given.missing), amount)
    if turnovers:
        lefts = {id_: left(turnovers[id_], accounts[id_].held) for id_ in spendable.keys() & turnovers.keys()}
        within = spendable | {id_: min(spendable[id_], most) for id_, most in lefts.items() if most is not None}
        limited = all_given if within == spendable else given(command, within, one, amount)
        if limited.is_whole:
            return limited.parts
    return all_given.parts


def given(command: Split, spendable: Mapping[int, Decimal], one: Account, amount: Decimal) -> Given:
    """What the sources give if they can spend so much. Shares of more than all are refused before."""
    legs = command.sources
    shares = {place: leg.share for place, leg in enumerate(legs) if leg.share is not None}
    shared = _shared(shares, amount, amount, one.scale, len(shares))
    assert shared is not None, "shares of more than all are refused before"
    rest, short = dict(spendable), None
    for place, part in shared[0].items():
        id_ = legs[place].source_account_id
        rest[id_] = minus(rest[id_], part)
        if rest[id_] < 0 and short is None:
            short = id_, minus(spendable[id_], rest[id_])
    parts, missing = _in_order(legs, shared, rest, one.scale)
    return Given([parts[place] for place in range(len(legs))], shared[1], missing, short)


def _never_enough(legs: Sequence[SplitSource], pool: Decimal, scale: int) -> bool:
    """Whether the parts fall short of the amount whatever the sources have: each is bounded, and was rounded down."""
    others = [leg.max for leg in legs if leg.share is None]
    most = [floored(one, scale) for one in others if one is not None]
    return len(most) == len(others) and reduce(plus, most, ZEROS[scale]) < pool


def _in_order(
    legs: Sequence[SplitSource], shared: tuple[Parts, Decimal], spendable: Mapping[int, Decimal], scale: int
) -> tuple[Parts, Decimal]:
    """The parts of all once those without a share have given what they can of the pool, and what is missing then."""
    parts, rest = shared[0].copy(), dict(spendable)
    pool, zero = shared[1], ZEROS[scale]
    others = [(leg.remaining, place) for place, leg in enumerate(legs) if leg.share is None]
    for _, place in sorted(others):  # who gives all that remains comes last
        leg = legs[place]
        id_, most = leg.source_account_id, leg.max
        part = min(pool, max(zero, rest[id_]))
        if most is not None and most < part:
            part = floored(most, scale)
        parts[place] = part
        rest[id_], pool = minus(rest[id_], part), minus(pool, part)
    return parts, pool


def _shared(
    shares: Mapping[int, str], amount: Decimal, pool: Decimal, scale: int, before: int
) -> tuple[Parts, Decimal] | None:
    """What each share of the amount comes to, by its place, and what they leave of the pool. None: they are more.

    For the rounding, what they leave is one leg more; so many of them are `before` it.
    """
    if not shares:
        return None if pool < 0 else ({}, pool)
    units = in_units(amount, scale)
    numerators, denominator = exact(units, [share_of(share) for share in shares.values()])
    rest = (units if pool is amount else in_units(pool, scale)) * denominator - sum(numerators)
    if rest < 0:
        return None
    numerators.insert(before, rest)
    parts = whole(numerators, denominator)
    amounts = {part: from_units(part, scale) for part in {*parts}}  # most parts are alike
    remaining = amounts[parts.pop(before)]
    return {place: amounts[part] for place, part in zip(shares, parts, strict=True)}, remaining
