"""Random splits: the legs add up to the cent, as two oracles of their own say."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.commands import Split
from koshel.core.decide import decide
from koshel.core.legs import LeftOut
from koshel.core.model import Declined, Grouped, Posted, Refusal
from tests.support.split_legs import BOOK, of, split, to


@st.composite
def to_targets(draw: st.DrawFn) -> Split:
    """Shares, amounts and what remains, which add up."""
    cents = draw(st.integers(1, 10_000))
    weights = draw(st.lists(st.integers(1, 99), min_size=1, max_size=100))
    legs = [to(2, f"{weight}/{sum(weights)}") for weight in weights]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(legs) - 1))
        legs[place] = to(3)
    if cents > 1 and draw(st.booleans()) and any(leg.remaining for leg in legs):
        return split(
            str(Decimal(cents) / 100), source=1, targets=[to(4, "0.01"), *[leg for leg in legs if leg.remaining]]
        )
    return split(str(Decimal(cents) / 100), source=1, targets=legs)


@settings(max_examples=300, deadline=None)
@given(to_targets())
def test_the_legs_add_up_and_each_is_less_than_a_cent_from_its_exact_part(command: Split) -> None:
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Grouped)
    legs = [leg for leg in outcome.outcomes if isinstance(leg, Posted | LeftOut)]
    assert sum(leg.amount for leg in legs) == command.amount
    for leg, asked in zip(legs, command.targets, strict=True):
        if asked.share is not None:
            assert abs(Fraction(leg.amount) - Fraction(asked.share) * Fraction(command.amount)) < Fraction(1, 100)
        elif asked.amount is not None:
            assert leg.amount == asked.amount


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 12_000),
    st.lists(st.tuples(st.sampled_from([1, 2, 4, 7]), st.none() | st.integers(1, 9_000)), min_size=1, max_size=12),
)
def test_sources_give_in_order_what_they_can(cents: int, asked: list[tuple[int, int | None]]) -> None:
    """An oracle of its own: cent by cent, from the first that can still give one."""
    left = {1: 10_000, 2: 500, 4: 600, 7: 900}
    given_cents = [0] * len(asked)
    for _ in range(cents):
        for place, (account_id, most) in enumerate(asked):
            if left[account_id] and (most is None or given_cents[place] < most):
                left[account_id] -= 1
                given_cents[place] += 1
                break
    legs = [of(account_id, None if most is None else str(Decimal(most) / 100)) for account_id, most in asked]
    (outcome,) = decide(BOOK, [split(str(Decimal(cents) / 100), target=3, sources=legs)])
    if sum(9_000_000 if most is None else most for _, most in asked) < cents:
        assert isinstance(outcome, Declined)
        assert outcome.refusal is Refusal.SPLIT_NOT_EXACT, "however much the sources have"
    elif sum(given_cents) < cents:
        assert isinstance(outcome, Declined)
        assert outcome.facts["missing"] == f"{Decimal(cents - sum(given_cents)) / 100:.2f}"
    else:
        assert isinstance(outcome, Grouped)
        amounts = [leg.amount for leg in outcome.outcomes if isinstance(leg, Posted | LeftOut)]
        assert amounts == [Decimal(one) / 100 for one in given_cents]


@pytest.mark.parametrize(("amount", "most"), [("1.00", ["0.335", "0.335", "0.33"]), ("0.996", ["0.996"])])
def test_bounds_that_fall_short_once_they_are_rounded_down_are_no_want_of_money(amount: str, most: list[str]) -> None:
    (outcome,) = decide(BOOK, [split(amount, target=3, sources=[of(1, one) for one in most])])
    assert isinstance(outcome, Declined)
    assert outcome.refusal is Refusal.SPLIT_NOT_EXACT
