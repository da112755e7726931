"""An amount in parts, exact to the last cent. Pure arithmetic: no accounts here.

    exact parts, over one denominator ──▶ each rounded down ──▶ the units left over, one each, by the largest remainder

A unit is the smallest of the currency: a cent. Parts that are exact add up to a whole number of units, and so do those
that are whole.
"""

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import TypeAlias

SHARE_PATTERN = r"^([0-9]{1,3}(\.[0-9]{1,9})?%|[0-9]{1,9}/[0-9]{1,9})(?!\n)$"
_SHARE = re.compile(SHARE_PATTERN)

Ratio: TypeAlias = tuple[int, int]  # numerator and denominator: several times faster than a Fraction


@lru_cache(maxsize=1_024)  # a marketplace has one fee
def share_of(text: str) -> Ratio:
    """The share that a text such as `85%` or `1/3` says. Raises ValueError, and ZeroDivisionError for `1/0`."""
    if _SHARE.fullmatch(text) is None:
        raise ValueError(text)
    share = Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)
    return share.as_integer_ratio()


def total(shares: Iterable[Ratio]) -> Ratio:
    """Their sum."""
    numerator, denominator = 0, 1
    for more, parts in shares:
        if parts == denominator:  # as nearly always, but for the first
            numerator += more
        else:
            whole = lcm(denominator, parts)
            numerator, denominator = numerator * (whole // denominator) + more * (whole // parts), whole
    return numerator, denominator


def exact(units: int, shares: Sequence[Ratio]) -> tuple[list[int], int]:
    """The exact parts of so many units: their numerators, and the one denominator of all."""
    denominator = lcm(*[parts for _, parts in shares])
    return [units * numerator * (denominator // parts) for numerator, parts in shares], denominator


def whole(numerators: Sequence[int], denominator: int) -> list[int]:
    """Whole parts with the same sum, each less than one away from its exact one, whose numerator is given.

    Each is rounded down. What is left over goes by the largest remainder, one each; of equal ones to the first.
    """
    units, nothing = divmod(sum(numerators), denominator)
    assert not nothing, "the exact parts add up to a whole number"
    parts = [one // denominator for one in numerators]
    if left := units - sum(parts):
        remainders = [-(one % denominator) for one in numerators]
        by_remainder = sorted(range(len(parts)), key=remainders.__getitem__)  # the largest first, and stable
        for place in by_remainder[:left]:
            parts[place] += 1
    return parts
