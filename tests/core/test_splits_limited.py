"""Splits between accounts with limits by time: each leg counts, and what a source gives fits into its limits."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from koshel.core.book import after
from koshel.core.commands import Command, Kind, Split
from koshel.core.decide import decide
from koshel.core.legs import SplitSource
from koshel.core.model import Book, Declined, Grouped, Outcome, Posted, Refusal
from koshel.core.turnovers import Limit, Turnover, turnover
from tests.support.limited import limit
from tests.support.looks import at
from tests.support.split_legs import BOOK, of, split, to
from tests.support.wallets import NOW, execute, group, transfer, withdrawal

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


def test_a_limit_says_when_the_whole_split_fits() -> None:
    spent = after(limited(OUT_1), decide(limited(OUT_1), [withdrawal(1, "5")]))
    book = later(spent, NOW + timedelta(hours=1))
    refusal = refused(book, split("2", source=1, targets=[to(2, "1/2"), to(3)]))
    assert refusal.facts["account_id"] == 1
    assert refusal.facts["amount"] == "2.00"
    assert refusal.facts["left"] == "1.00"
    assert refusal.facts["fits_at"] == refused(book, withdrawal(1, "2")).facts["fits_at"]


def later(book: Book, moment: datetime) -> Book:
    """The book as it is read at another time, if nothing else moves until then."""
    moved = after(at(moment, book), ())  # a copy
    for account_id, old in book.state.turnovers.items():
        counted = old.counted(book.facts.now)
        moved.state.turnovers[account_id] = turnover(old.limits, old.limits_version, counted, moment)
    return moved


def refused(book: Book, command: Command) -> Declined:
    (outcome,) = decide(book, [command])
    assert isinstance(outcome, Declined)
    assert outcome.refusal is Refusal.LIMIT_EXCEEDED
    return outcome


HOUR_AND_MONTH: Limits = {1: (limit("1h", "2"),), 2: (limit("30d", "2"),)}


@pytest.mark.parametrize(
    ("limits", "spent", "again", "expected"),
    [
        # Each gives what the other does not: both have to wait, and the one that waits longer is told.
        ({1: (limit("1h", "2"),), 2: (limit("1h", "2"),)}, "4", [of(1), of(2)], ("1", "2.00", "0.00", "1h")),
        (HOUR_AND_MONTH, "4", [of(1, "2"), of(2, "2")], ("2", "2.00", "0.00", "30d")),
        (HOUR_AND_MONTH, "4", [of(1, "50%"), of(2, "50%")], ("2", "2.00", "0.00", "30d")),
        (HOUR_AND_MONTH, "3", [of(1), of(2)], ("1", "2.00", "0.00", "1h")),
        ({1: (limit("1d", "2"),)}, "3", [of(1), of(2, "1")], ("1", "2.00", "0.00", "1d")),
        ({1: (limit("1d", "2"),)}, "3", [of(2, "1"), of(1, "1"), of(1)], ("1", "2.00", "0.00", "1d")),
        ({1: (limit("1h", "1"), limit("1d", "2"))}, "1", [of(1)], ("1", "1.00", "0.00", "1h")),
    ],
)
def test_limits_of_several_sources_say_when_the_whole_split_fits(
    limits: Limits, spent: str, again: Sequence[SplitSource], expected: tuple[str, ...]
) -> None:
    command = split(spent, target=3, sources=again)
    book = after(limited(limits), decide(limited(limits), [command]))
    refusal = refused(book, command)
    account_id, amount, left, per = expected
    facts = {"account_id": int(account_id), "amount": amount, "left": left, "per": per, "direction": "out"}
    assert facts.items() <= refusal.facts.items()
    fits_at = datetime.fromisoformat(str(refusal.facts["fits_at"]))
    assert (
        refused(later(book, fits_at - timedelta(microseconds=1)), command).facts["fits_at"] == refusal.facts["fits_at"]
    )
    assert isinstance(decide(later(book, fits_at), [command])[0], Grouped)


@pytest.mark.parametrize(
    ("amount", "sources", "expected"),
    [
        ("13", [of(1, "11"), of(2, "2")], (2, "2.00", "1")),  # what the first gives fits tomorrow; the other's never
        ("9", [of(2, "4"), of(1)], None),
        ("20", [of(2, "20%"), of(1)], (2, "4.00", "1")),
        ("13", [of(1, "13"), of(2)], (1, "13.00", "11")),
    ],
)
def test_where_no_waiting_helps_several_sources_no_time_is_told(
    amount: str, sources: Sequence[SplitSource], expected: tuple[int, str, str] | None
) -> None:
    book = limited({1: (limit("1d", "11"),), 2: (limit("1d", "1"),)})
    command = split(amount, target=3, sources=sources)
    if expected is None:
        assert legs(book, command) == ["1.00", "8.00"]
        return
    refusal = refused(book, command)
    assert "fits_at" not in refusal.facts
    assert (refusal.facts["account_id"], refusal.facts["amount"], refusal.facts["limit"]) == expected
    assert isinstance(decide(later(book, NOW + timedelta(days=4_000)), [command])[0], Declined)


def test_a_limit_of_a_source_comes_before_a_limit_of_the_target() -> None:
    both = limited({1: (limit("1d", "1"),), 3: (limit("1d", None, "1"),)})
    assert refused(both, split("2", target=3, sources=[of(1)])).facts["direction"] == "out"
    assert refused(both, split("2", target=3, sources=[of(1), of(2)])).facts["direction"] == "in"


MONEY = st.integers(1, 12).map(lambda cents: f"{cents / 2:.2f}")
SOURCES = st.builds(of, st.sampled_from([1, 2, 4]), st.none() | st.sampled_from(["25%", "20%", "1", "2.5"]))
MINUTES = st.lists(st.tuples(st.integers(0, 70), st.sampled_from([1, 2, 4]), MONEY), min_size=2, max_size=9)
GIVEN = st.dictionaries(
    st.sampled_from([1, 2, 4]),
    st.lists(st.tuples(st.sampled_from(["1h", "1d"]), MONEY), min_size=1, max_size=2, unique_by=lambda one: one[0]),
    min_size=1,
)


@settings(max_examples=400)
@given(GIVEN, MINUTES, MONEY, st.lists(SOURCES, min_size=1, max_size=4))
def test_a_split_fits_when_it_is_said_and_not_before(
    some: dict[int, Any], moved: list[tuple[int, int, str]], amount: str, sources: list[SplitSource]
) -> None:
    book = limited({id_: tuple(limit(per, out) for per, out in limits) for id_, limits in some.items()})
    for minutes, account_id, out in sorted(moved):
        book = later(book, NOW + timedelta(minutes=minutes))
        book = after(book, decide(book, [withdrawal(account_id, out)]))
    command = split(amount, target=3, sources=sources)
    (outcome,) = decide(book, [command])
    if not isinstance(outcome, Declined) or outcome.refusal is not Refusal.LIMIT_EXCEEDED:
        return
    event("fits" if "fits_at" in outcome.facts else "never fits")
    assert Decimal(str(outcome.facts["amount"])) > Decimal(str(outcome.facts["left"]))
    if "fits_at" not in outcome.facts:
        assert "fits_at" not in refused(later(book, NOW + timedelta(days=4_000)), command).facts
        return
    fits_at = datetime.fromisoformat(str(outcome.facts["fits_at"]))
    assert isinstance(decide(later(book, fits_at), [command])[0], Grouped)
    refused(later(book, fits_at - timedelta(microseconds=1)), command)


def test_kinds_and_amounts_are_those_of_moves() -> None:
    (paid,) = decide(limited({2: (limit("1d", None, "100"),)}), [split("3", targets=[to(2, "1/2"), to(3)])])
    assert isinstance(paid, Grouped)
    assert {one.kind for one in paid.outcomes if isinstance(one, Posted)} == {Kind.PAYMENT}
    ahead = after(limited({2: (limit("1d", None, "100"),)}), [paid])
    assert ahead.state.turnovers[2].in_ == Decimal("1.50")
