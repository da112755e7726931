"""The legs of a split as callers give them, checked: shares, amounts, and that they can add up to the amount.

What a currency's smallest unit is, and what a source can spend, is known later: `core/splits.py` decides by that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal, Inexact
from functools import reduce
from itertools import islice
from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.apportion import SHARE_PATTERN, Ratio, share_of, total
from koshel.core.commands import Kind
from koshel.core.legs import SplitSource, SplitTarget
from koshel.core.money import DECIMALS_MAX, INTEGER_DIGITS_MAX
from koshel.inputs import values
from koshel.inputs.texts import AccountRef, Asked, asked
from koshel.inputs.values import ID_MAX, Given, Invalid

LEGS_MAX = 100  # of a split

_exact = Context(prec=INTEGER_DIGITS_MAX + DECIMALS_MAX + 3, traps=[Inexact])  # a sum of so many amounts

SHARE_REASON = 'must be a share such as "85%" or "1/3"'
Share = Annotated[
    str,
    Meta(
        pattern=SHARE_PATTERN,
        description='Of the whole amount: `"85%"` or `"1/3"`; more than zero, and at most the whole.',
        extra={"reason": SHARE_REASON},
    ),
]


class Source(Struct, frozen=True):
    """An account that gives its share of the whole amount, or all that remains, or else what it can, up to `max`."""

    account: AccountRef | Asked  # an id, or "@" and a name
    share: str | None = None  # "85%" or "1/3"
    max: Given | None = None
    remaining: bool = False


class Target(Struct, frozen=True):
    """An account that gets its share of the whole amount, or an amount, or all that remains: one of the three."""

    account: AccountRef | Asked  # an id, or "@" and a name
    share: str | None = None  # "85%" or "1/3"
    amount: Given | None = None
    remaining: bool = False


def listed(legs: object, field: str) -> list[Any]:
    """The legs, of whatever gives them one by one, so many that too many are seen. Raises Invalid."""
    if not isinstance(legs, Iterable) or isinstance(legs, str | bytes | Mapping):
        raise Invalid(field, f"must be a list of 1 to {LEGS_MAX} members")
    return list(islice(legs, LEGS_MAX + 1))


LegT = TypeVar("LegT", Source, Target)
CheckedT = TypeVar("CheckedT", SplitSource, SplitTarget)


def check_sides(
    source: AccountRef | Asked | UnsetType | None,
    target: AccountRef | Asked | UnsetType | None,
    sources: Sequence[Source],
    targets: Sequence[Target],
    *,
    hold: bool,
) -> None:
    """One side has legs, and the other an account; or null, which is the world outside. Raises Invalid."""
    if sources and targets:
        raise Invalid("targets", "does not go with sources")
    if not sources and not targets:
        raise Invalid("targets", f"must have 1 to {LEGS_MAX} members")
    of_legs, other = (source, target) if sources else (target, source)
    side, far_side = ("source", "target") if sources else ("target", "source")
    if of_legs is not UNSET:
        is_named = of_legs is not None and asked(of_legs, side)[1] is not None
        raise Invalid(side if is_named else f"{side}_account_id", f"does not go with {side}s")
    if other is UNSET and not (hold and sources):
        raise Invalid(f"{far_side}_account_id", "is required")
    if other is None and hold and targets:
        raise Invalid("source_account_id", "must not be null for a hold")


def kind_of(source: AccountRef | Asked | UnsetType | None, target: AccountRef | Asked | UnsetType | None) -> Kind:
    """The kind of each leg that moves money."""
    if source is None:
        return Kind.PAYMENT
    return Kind.WITHDRAWAL if target is None else Kind.TRANSFER


def sources(amount: Decimal, legs: Sequence[Source]) -> tuple[SplitSource, ...]:
    """The sources of a split. Raises Invalid."""
    checked = _each(legs, "sources", _source)
    shares = total(share_of(one.share) for one in checked if one.share is not None)
    if shares[0] > shares[1]:
        raise Invalid("sources", "have shares of more than the whole amount")
    if all(one.share or one.max for one in checked) and _left(amount, shares, [one.max for one in checked]) > 0:
        raise Invalid("sources", "cannot add up to the amount: let one give what it can, or all that remains")
    return checked


def targets(amount: Decimal, legs: Sequence[Target]) -> tuple[SplitTarget, ...]:
    """The targets of a split. Raises Invalid."""
    checked = _each(legs, "targets", _target)
    shares = total(share_of(one.share) for one in checked if one.share is not None)
    rest = _left(amount, shares, [one.amount for one in checked])
    if rest < 0:
        raise Invalid("targets", "add up to more than the amount")
    if rest > 0 and not any(one.remaining for one in checked):
        raise Invalid("targets", "add up to less than the amount: let one have all that remains")
    return checked


def _source(leg: Source) -> SplitSource:
    if not isinstance(leg, Source):
        raise Invalid("", "must be a Source")
    id_, name = _account(leg.account, "source")
    _check_remaining(leg)
    most = None if leg.max is None else values.amount(leg.max, "max")
    if (leg.share is not None) + (most is not None) + leg.remaining > 1:
        raise Invalid("", "must have at most one of share, max and remaining")
    if leg.share is not None:
        _check_share(leg.share)
    return SplitSource(id_, leg.share, most, leg.remaining, name)


def _target(leg: Target) -> SplitTarget:
    if not isinstance(leg, Target):
        raise Invalid("", "must be a Target")
    id_, name = _account(leg.account, "target")
    _check_remaining(leg)
    amount = None if leg.amount is None else values.amount(leg.amount)
    if (leg.share is not None) + (amount is not None) + leg.remaining != 1:
        raise Invalid("", "must have one of share, amount and remaining")
    if leg.share is not None:
        _check_share(leg.share)
    return SplitTarget(id_, leg.share, amount, leg.remaining, name)


def _each(legs: Sequence[LegT], field: str, check: Callable[[LegT], CheckedT]) -> tuple[CheckedT, ...]:
    """Each leg, checked; how many there are, and that only one has all that remains."""
    if not 0 < len(legs) <= LEGS_MAX:
        raise Invalid(field, f"must have 1 to {LEGS_MAX} members")
    checked = []
    for place, leg in enumerate(legs):
        try:
            checked.append(check(leg))
        except Invalid as error:
            raise Invalid(f"{field}/{place}/{error.field}".removesuffix("/"), error.reason) from error
    if len(rest := [place for place, one in enumerate(checked) if one.remaining]) > 1:
        raise Invalid(f"{field}/{rest[1]}/remaining", "must come once")
    return tuple(checked)


def _account(account: AccountRef | Asked, side: str) -> Asked:
    id_, name = asked(account, side)
    if name is None and (type(id_) is not int or not 0 < id_ <= ID_MAX):
        raise Invalid(f"{side}_account_id", f"must be a whole number from 1 to {ID_MAX}")
    return id_, name


def _left(amount: Decimal, shares: Ratio, amounts: Sequence[Decimal | None]) -> int:
    """Whether shares and amounts leave something of the amount: more than zero if they do, less if they are more."""
    given = reduce(_exact.add, [one for one in amounts if one is not None], Decimal(0))
    units, parts = amount.as_integer_ratio()
    fixed, fixed_parts = given.as_integer_ratio()
    return units * (shares[1] - shares[0]) * fixed_parts - fixed * shares[1] * parts


def _check_remaining(leg: Source | Target) -> None:
    if type(leg.remaining) is not bool:
        raise Invalid("remaining", "must be true or false")


def _check_share(text: str) -> None:
    try:
        numerator, denominator = share_of(text)
    except ZeroDivisionError:
        raise Invalid("share", "must not be divided by zero") from None
    except (ValueError, TypeError):
        raise Invalid("share", SHARE_REASON) from None
    if not 0 < numerator <= denominator:
        raise Invalid("share", "must be more than zero, and at most the whole")
