"""Parts of an amount: whole, with the same sum, and given by the largest remainder; against an independent oracle."""

import itertools
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.apportion import exact as exact_of
from koshel.core.apportion import share_of, total
from koshel.core.apportion import whole as whole_of


def whole(exact: Sequence[Fraction]) -> list[int]:
    """The whole parts of fractions, as `splits` makes them of shares."""
    return whole_of(*exact_of(1, [one.as_integer_ratio() for one in exact]))


def oracle(exact: Sequence[Fraction]) -> list[int]:
    """Unit by unit: the next one goes to whoever is furthest below its exact part, the first of equal ones.

    Each begins with what it must have, which leaves less than one unit for each.
    """
    parts = [int(one) for one in exact]
    while sum(parts) < sum(exact):
        missing = [one - part if part == int(one) else Fraction(-1) for one, part in zip(exact, parts, strict=True)]
        parts[missing.index(max(missing))] += 1
    return parts


@st.composite
def exact_parts(draw: st.DrawFn) -> list[Fraction]:
    """Fractions of a whole number, by random weights; some are nothing."""
    weights = draw(st.lists(st.integers(0, 1_000), min_size=1, max_size=100).filter(any))
    units = draw(st.one_of(st.integers(0, 12), st.integers(0, 10**36)))
    return [Fraction(units * weight, sum(weights)) for weight in weights]


@settings(max_examples=500, deadline=None)
@given(exact_parts())
def test_parts_are_whole_have_the_same_sum_and_are_less_than_one_away(exact: list[Fraction]) -> None:
    parts = whole(exact)
    assert sum(parts) == sum(exact)
    assert all(abs(part - one) < 1 for part, one in zip(parts, exact, strict=True))


@settings(max_examples=500, deadline=None)
@given(exact_parts())
def test_parts_are_those_of_the_oracle(exact: list[Fraction]) -> None:
    assert whole(exact) == oracle(exact)


@settings(max_examples=200, deadline=None)
@given(exact_parts())
def test_who_has_the_larger_exact_part_never_gets_less(exact: list[Fraction]) -> None:
    pairs = sorted(zip(exact, whole(exact), strict=True), key=lambda pair: (pair[0], -pair[1]))
    for (less, fewer), (more, many) in itertools.pairwise(pairs):
        assert fewer <= many or less == more


@pytest.mark.parametrize(
    ("exact", "parts"),
    [
        (["1/3", "1/3", "1/3"], [1, 0, 0]),
        (["0", "1/2", "1/2"], [0, 1, 0]),
        (["1/4", "1/2", "1/4"], [0, 1, 0]),
        (["5/2", "5/2"], [3, 2]),
        (["100/3", "100/3", "100/3"], [34, 33, 33]),
        (["7", "0"], [7, 0]),
    ],
)
def test_what_is_left_over_goes_by_the_largest_remainder_and_of_equal_ones_to_the_first(
    exact: list[str], parts: list[int]
) -> None:
    assert whole([Fraction(one) for one in exact]) == parts


@given(st.lists(st.fractions(0, 1, max_denominator=99), max_size=20))
def test_the_sum_of_shares_is_exact(shares: list[Fraction]) -> None:
    assert Fraction(*total(one.as_integer_ratio() for one in shares)) == sum(shares)


def test_parts_that_add_up_to_no_whole_number_are_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        whole([Fraction(1, 2), Fraction(1, 3)])


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("85%", Fraction(17, 20)),
        ("2.9%", Fraction(29, 1000)),
        ("0.000000001%", Fraction(Decimal("1e-11"))),
        ("1/3", Fraction(1, 3)),
        ("0/1", Fraction(0)),
        ("100%", Fraction(1)),
        ("999999999/999999999", Fraction(1)),
    ],
)
def test_a_share_is_exactly_what_it_says(text: str, share: Fraction) -> None:
    assert Fraction(*share_of(text)) == share


@pytest.mark.parametrize(
    "text", ["", "85", "85 %", "-5%", "+5%", "1/-3", "1/3/4", ".5%", "5.%", "0.5", "1e2%", "1/3\n", "٨٥%", "1_0/20"]
)
def test_what_is_no_share_is_not_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        share_of(text)


def test_a_share_of_no_parts_is_none() -> None:
    with pytest.raises(ZeroDivisionError):
        share_of("1/0")
