"""Splits between accounts with limits by time: each leg counts, and what a source gives fits into its limits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

import pytest

from koshel.core.book import after
from koshel.core.commands import Command, Kind, Split
from koshel.core.decide import decide
from koshel.core.model import Book, Declined, Grouped, Outcome, Posted, Refusal
from koshel.core.turnovers import Limit, Turnover
from tests.support.limited import limit
from tests.support.split_legs import BOOK, of, split, to
from tests.support.wallets import execute, group, transfer, withdrawal

Limits: TypeAlias = Mapping[int, tuple[Limit, ...]]

OUT_1: Limits = {1: (limit("1d", "6"),)}
TO_TWO = split("8", source=1, targets=[to(2, "1/2"), to(3)])


def limited(limits: Limits, book: Book = BOOK) -> Book:
    """The book with limits by time, into which nothing has moved yet."""
    given = after(book, ())
    for account_id, some in limits.items():
        given.state.turnovers[account_id] = Turnover((), 0, {}, {}).given(some, 0)
    return given


def legs(book: Book, command: Command) -> list[str] | Refusal:
    """What each leg comes to."""
    (outcome,) = decide(book, [command])
    if isinstance(outcome, Declined):
        return outcome.refusal
    assert isinstance(outcome, Grouped)
    return [str(one.amount) for one in outcome.outcomes if isinstance(one, Posted)]


@pytest.mark.parametrize(
    ("limits", "command", "expected"),
    [
        ({1: (limit("1d", "10"),)}, split("106", target=3, sources=[of(1), of(2)]), Refusal.INSUFFICIENT_FUNDS),
        # What no waiting can mend comes first: account 2 cannot spend its share, and account 1 may never give enough.
        ({}, split("100", target=3, sources=[of(2, "20%"), of(1, "1")]), Refusal.SPLIT_NOT_EXACT),
        ({1: (limit("1d", "10"),)}, split("12", target=3, sources=[of(1), of(2)]), ["10.00", "2.00"]),
        (
            {1: (limit("1d", "10"),)},
            split("12", target=3, sources=[of(1, "4"), of(1), of(2)]),
            ["4.00", "6.00", "2.00"],
        ),
        ({1: (limit("1d", "10"), limit("1h", "1"))}, split("4", target=3, sources=[of(1), of(2)]), ["1.00", "3.00"]),
        (
            {1: (limit("1d", "10"),)},
            split("12", target=3, sources=[of(1, "50%"), of(1), of(2)]),
            ["6.00", "4.00", "2.00"],  # a source's share counts before the rest that it gives
        ),
        ({4: (limit("1d", "4.50"),)}, split("4", target=3, sources=[of(4), of(2)]), ["2.00", "2.00"]),  # 2.50 is held
        ({1: (limit("1d", "0"),)}, split("4", target=3, sources=[of(1), of(2)]), ["4.00"]),
        ({1: (limit("1d", None, "0"),)}, split("4", target=3, sources=[of(1), of(2)]), ["4.00"]),
        (
            {1: (limit("1d", "10"),)},
            split("20", target=3, sources=[of(1, "60%"), of(2), of(1)]),
            Refusal.LIMIT_EXCEEDED,
        ),
        (
            {1: (limit("1d", "10"),)},
            split("20", target=3, sources=[of(1, "60%"), of(2), of(1)], is_hold=True),
            Refusal.LIMIT_EXCEEDED,
        ),
        ({1: (limit("1d", "10"),)}, split("20", target=3, sources=[of(1)]), Refusal.LIMIT_EXCEEDED),
        (OUT_1, split("12", source=None, target=3, sources=[of(1), of(2)]), Refusal.LIMIT_EXCEEDED),
        (OUT_1, TO_TWO, Refusal.LIMIT_EXCEEDED),  # each leg alone would fit
        (OUT_1, split("6", source=1, targets=[to(2, "1/2"), to(3)]), ["3.00", "3.00"]),
        ({3: (limit("1d", None, "6"),)}, split("8", target=3, sources=[of(1, "4"), of(2)]), Refusal.LIMIT_EXCEEDED),
        ({3: (limit("1d", None, "6"),)}, split("8", source=1, targets=[to(3, "1/2"), to(3)]), Refusal.LIMIT_EXCEEDED),
        ({3: (limit("1d", None, "6"),)}, split("8", target=3, sources=[of(1)], is_hold=True), ["8.00"]),  # not yet
        (OUT_1, split("8", source=1, targets=[to(3)], is_hold=True), Refusal.LIMIT_EXCEEDED),
        (OUT_1, split("8", target=3, sources=[of(1), of(2)], is_hold=True), ["6.00", "2.00"]),
        # All else comes before a limit by time, in whichever leg it is.
        (OUT_1, split("8", source=1, targets=[to(2, "1/2"), to(7)]), Refusal.BALANCE_LIMIT_EXCEEDED),
        (OUT_1, split("800", source=1, targets=[to(2, "1/2"), to(3)]), Refusal.INSUFFICIENT_FUNDS),
    ],
)
def test_limits_by_time_hold_for_the_legs_of_a_split(
    limits: Limits, command: Split, expected: list[str] | Refusal
) -> None:
    book = limited(limits)
    assert legs(book, command) == expected
    assert book == limited(limits), "the book stays as it was"
    # In the background the same is decided.
    (executed,) = decide(book, [execute(201, command)])
    assert (expected if isinstance(expected, Refusal) else None) == refusal_of(executed)


def refusal_of(outcome: Outcome) -> Refusal | None:
    inner = getattr(outcome, "outcome", outcome)
    return inner.refusal if isinstance(inner, Declined) else None


@pytest.mark.parametrize(
    "first",
    [
        split("4", source=1, targets=[to(2, "1/2"), to(3)]),
        split("4", target=3, sources=[of(1, "3"), of(1)]),
        group(split("4", source=1, targets=[to(2, "1/2"), to(3)])),
        execute(201, split("4", source=1, targets=[to(2, "1/2"), to(3)])),
    ],
)
def test_what_a_split_moves_counts_for_what_comes_after_it(first: Command) -> None:
    book = limited(OUT_1)
    for rest, refusal in ((withdrawal(1, "2.01"), Refusal.LIMIT_EXCEEDED), (withdrawal(1, "2"), None)):
        *_, last = decide(book, [first, rest])
        assert refusal_of(last) is refusal
        (later,) = decide(after(book, decide(book, [first])), [rest])
        assert later == last


def test_a_refused_split_counts_for_nothing() -> None:
    refused, moved = decide(limited(OUT_1), [TO_TWO, transfer(1, 2, "6")])
    assert refusal_of(refused) is Refusal.LIMIT_EXCEEDED
    assert isinstance(moved, Posted)


def test_kinds_and_amounts_are_those_of_moves() -> None:
    (paid,) = decide(limited({2: (limit("1d", None, "100"),)}), [split("3", targets=[to(2, "1/2"), to(3)])])
    assert isinstance(paid, Grouped)
    assert {one.kind for one in paid.outcomes if isinstance(one, Posted)} == {Kind.PAYMENT}
    ahead = after(limited({2: (limit("1d", None, "100"),)}), [paid])
    assert ahead.state.turnovers[2].in_ == Decimal("1.50")
