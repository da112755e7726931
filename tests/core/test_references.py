"""A reference is kept by what follows, unless it is given another; nothing else that is said is."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.book import effective_on
from koshel.core.commands import Command
from koshel.core.decide import decide
from koshel.core.labelled import labels
from koshel.core.model import Book, Executed, Grouped, Posted, Replayed
from tests.support.wallets import (
    account,
    book,
    capture,
    enqueue,
    execute,
    expire,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
)

SAID: dict[str, Any] = {"reference": "order 7", "description": "lunch", "effective_on": date(2026, 2, 28)}
KEPT: dict[str, Any] = {"metadata": {}, "reference": "order 7", "description": None, "effective_on": None}
HELD, EXPIRED, PAID, PLAIN = range(101, 105)
BOOK = kept(
    book(account(1, "100"), account(2, "100")),
    *(
        replace(one, metadata={"a": "b"}, **SAID)
        for one in (hold(1, 2, "8"), hold(1, 2, "8", seconds=0), payment(1, "5"))
    ),
    transfer(1, 2, "5"),
)
FOLLOWING: list[Any] = [capture(HELD, "1", final=False), capture(HELD), void(HELD), refund(PAID, "1")]


def posted(before: Book, command: Command) -> Posted:
    (outcome,) = decide(before, [command])
    if isinstance(outcome, Grouped):
        (outcome,) = outcome.outcomes
    made = outcome.outcome if isinstance(outcome, Executed) else outcome
    assert isinstance(made, Posted), made
    return made


@pytest.mark.parametrize("command", [*FOLLOWING, expire(EXPIRED)])
def test_what_follows_keeps_the_reference_and_nothing_else(command: Any) -> None:
    for one in (command, group(command), execute(900, command)):
        assert labels(posted(BOOK, one)) == KEPT


@pytest.mark.parametrize("command", FOLLOWING)
def test_what_follows_may_be_given_another(command: Any) -> None:
    other = {"reference": "order 8", "description": "dinner", "effective_on": date(2026, 3, 1), "metadata": {"c": "d"}}
    assert labels(posted(BOOK, replace(command, **other))) == other


def test_what_follows_a_transaction_without_a_reference_has_none() -> None:
    assert labels(posted(BOOK, refund(PLAIN, "1"))) == {}


def test_it_is_kept_from_one_to_the_next() -> None:
    ahead = kept(BOOK, capture(HELD, "2", final=False), first_id=201)
    assert posted(ahead, refund(201, "1")).reference == "order 7"
    told = kept(BOOK, replace(capture(HELD, "2", final=False), reference="parcel"), first_id=201)
    assert posted(told, refund(201, "1")).reference == "parcel"
    assert posted(told, void(HELD)).reference == "order 7"


def test_what_was_queued_is_followed_with_its_reference() -> None:
    queued = replace(transfer(1, 2, "5"), **SAID)
    ahead = kept(BOOK, enqueue(queued), first_id=201)
    (_, returned) = decide(ahead, [execute(201, queued), execute(202, refund(201, "1"))])
    assert isinstance(returned, Executed)
    assert isinstance(returned.outcome, Posted)
    assert returned.outcome.reference == "order 7"


@pytest.mark.parametrize("command", FOLLOWING)
def test_a_key_remembers_what_was_said_and_not_what_was_kept(command: Any) -> None:
    keyed = replace(command, key="k")
    _, again = decide(BOOK, [keyed, keyed])
    assert isinstance(again, Replayed)
    _, other = decide(BOOK, [keyed, replace(keyed, reference="order 7")])
    assert getattr(other, "facts", None) == {"field": "reference"}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-02-28T23:59:59.999999", date(2026, 2, 28)),
        ("2026-03-01T00:00:00", date(2026, 3, 1)),
        ("2026-03-29T00:59:59", date(2026, 3, 29)),  # a night of summer time somewhere
    ],
)
def test_a_transaction_counts_for_its_own_day_in_utc_unless_it_says_another(moment: str, day: date) -> None:
    made = replace(posted(BOOK, transfer(1, 2, "1")), ctime=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert effective_on(made) == day
    assert effective_on(replace(made, effective_on=date(1, 1, 1))) == date(1, 1, 1)
