"""A split under a reused key is compared leg by leg; and what splits have that nothing else in the core shows."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from koshel.core.accounts import open_account
from koshel.core.commands import UNRESOLVED, EnsureAccount, Split
from koshel.core.decide import decide
from koshel.core.model import Declined, Found, Opened, Refusal, State
from koshel.core.receipts import first_difference
from tests.support.limited import limit
from tests.support.split_legs import BOOK, of, split, to
from tests.support.wallets import DAY, NOW, book

NAMED = replace(to(2, "50%"), target="bob", target_account_id=UNRESOLVED)
TARGETS = split("10", source=1, targets=[to(2, "50%"), to(3)])
SOURCES = split("10", target=3, sources=[of(1, "5.00"), of(2)])


@pytest.mark.parametrize(
    ("was", "now", "field"),
    [
        (TARGETS, TARGETS, None),
        (TARGETS, split("10", source=1, targets=[to(2, "50%")]), "targets"),
        (TARGETS, split("10", source=1, targets=[to(2, "60%"), to(3)]), "targets/0/share"),
        (TARGETS, split("10", source=1, targets=[to(2, "50%"), to(3, "5.00")]), "targets/1/amount"),
        (TARGETS, split("10", source=1, targets=[to(2, "50%"), to(4)]), "targets/1/target_account_id"),
        (TARGETS, replace(TARGETS, targets=(NAMED, to(3))), "targets/0/target"),
        (replace(TARGETS, targets=(NAMED, to(3))), TARGETS, "targets/0/target_account_id"),
        (
            replace(TARGETS, targets=(NAMED, to(3))),
            replace(TARGETS, targets=(replace(NAMED, target_account_id=2), to(3))),
            None,
        ),
        (SOURCES, split("10", target=3, sources=[of(1, "6.00"), of(2)]), "sources/0/max"),
        (SOURCES, split("10", target=3, sources=[of(1, "5.00"), of(2, remaining=True)]), "sources/1/remaining"),
    ],
)
def test_the_first_leg_that_differs_is_named(was: Split, now: Split, field: str | None) -> None:
    assert first_difference(was, now) == field


def refusal(command: Split) -> Refusal:
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Declined), outcome
    return outcome.refusal


def test_amounts_and_shares_that_are_more_than_all_are_not_exact() -> None:
    assert refusal(split("10", source=1, targets=[to(2, "5.00"), to(3, "60%")])) is Refusal.SPLIT_NOT_EXACT


def test_a_hold_in_legs_is_captured_before_it_expires_or_not_at_all() -> None:
    hold = split("10", source=1, targets=[to(2)], is_hold=True)
    late = replace(hold, capture_at=NOW + timedelta(seconds=DAY))
    assert refusal(late) is Refusal.TIME_OUT_OF_RANGE


def test_two_names_that_nobody_has_are_two_accounts() -> None:
    leg = replace(to(UNRESOLVED), target="bob")
    asked = replace(split("10", source=UNRESOLVED, targets=[leg]), source="ann")
    assert refusal(asked) is Refusal.ACCOUNT_NOT_FOUND
    assert refusal(replace(asked, source="bob")) is Refusal.SAME_ACCOUNT


def test_legs_in_two_currencies_are_refused_wherever_they_differ() -> None:
    for targets in ([to(5)], [to(2, "50%"), to(5)], [to(11, "50%"), to(2)]):
        assert refusal(split("10", source=1, targets=targets)) is Refusal.CURRENCY_MISMATCH


def test_limits_by_time_that_are_put_are_compared_in_any_order() -> None:
    day, hour = limit("1d", "5"), limit("1h", "1")
    asked = EnsureAccount(1, "a", "a@example.com", limits=(day, hour), id=7)
    opened = open_account(book(), asked)
    assert isinstance(opened, Opened)
    found = replace(book(), state=State({}, details={7: opened.account}))
    assert isinstance(open_account(found, replace(asked, limits=(hour, day))), Found)
    other = open_account(found, replace(asked, limits=(day,)))
    assert isinstance(other, Declined)
    assert (other.refusal, other.facts["field"]) == (Refusal.NAME_TAKEN, "limits")
    assert Decimal(5) == opened.account.limits[0].out
