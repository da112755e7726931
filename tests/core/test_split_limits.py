"""When a split fits, whose sources have limits by time: found for all of them together."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from koshel.core.book import after
from koshel.core.commands import Command
from koshel.core.decide import decide
from koshel.core.legs import SplitSource
from koshel.core.model import Book, Declined, Grouped, Refusal
from koshel.core.turnovers import turnover
from tests.core.test_splits_limited import OUT_1, Limits, legs, limited
from tests.support.limited import limit
from tests.support.looks import at
from tests.support.split_legs import of, split, to
from tests.support.wallets import NOW, withdrawal


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
        # What both have sent leaves their windows at one moment: it is the second that had nothing left.
        (
            {1: (limit("1h", "10"),), 2: (limit("1h", "2"),)},
            "3",
            [of(1, "1"), of(2, "2")],
            ("2", "2.00", "0.00", "1h"),
        ),
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
