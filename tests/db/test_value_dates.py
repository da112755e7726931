"""Balances by value date: against plain Python, for any history, with lines that count for earlier and later days."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from koshel.core.book import effective_on
from koshel.core.commands import Command
from koshel.core.model import AccountDetails, Posted
from koshel.db.reading import value_dates
from koshel.db.reading.lines import State
from koshel.db.reading.value_dates import TooManyValueDates
from koshel.db.server.embedded import Cluster
from tests.db.test_lines import Books
from tests.support.clone import cloned
from tests.support.wallets import capture, hold, payment, refund, transfer, void, withdrawal

DAY = timedelta(days=1)
FIRST = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = ("payment", "withdrawal", "transfer", "back", "hold", "capture", "void", "refund")
STEPS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.integers(1, 30), st.none() | st.integers(-3, 14)), min_size=1, max_size=20
)
DAYS = [date.min, *(FIRST.date() + number * DAY for number in range(-4, 16)), date.max]


class Dated(Books):
    """Books whose transactions are made to be of several days."""

    def __init__(self, url: str, owner_url: str) -> None:
        super().__init__(url)
        self.owner_url = owner_url

    def spread(self, first_id: int) -> None:
        """Two transactions a day, from the first of June on."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute(
                "UPDATE transaction SET ctime = %(at)s + (id - %(first)s) / 2 * interval '1 day'"
                " + (id - %(first)s) %% 2 * interval '86399.999999 s' WHERE id >= %(first)s",
                {"at": FIRST, "first": first_id},
            )

    def as_of(self, account: AccountDetails, day: date) -> State:
        found: State = self.look(lambda connection, q: value_dates.state_as_of(connection, q, account, day))
        return found


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Dated]:
    with cloned(cluster, "test_value_dates") as database:
        books = Dated(database.service_url, database.owner_url)
        yield books
        books.close()


def happen(books: Dated, ann: int, bob: int, steps: list[tuple[str, int, int | None]]) -> list[Posted]:
    """One step after the other, each with its value date, if any; what is refused has not happened."""
    holds, moves, posted = [1], [1], list[Posted]()  # 1 is nobody's here
    for word, number, offset in steps:
        commands: dict[str, Command] = {
            "payment": payment(ann, str(number)),
            "withdrawal": withdrawal(ann, str(number)),
            "transfer": transfer(ann, bob, str(number)),
            "back": transfer(bob, ann, str(number)),
            "hold": hold(ann, bob, str(number)),
            "capture": capture(holds[number % len(holds)]),
            "void": void(holds[number % len(holds)]),
            "refund": refund(moves[number % len(moves)], "1"),
        }
        day = None if offset is None else FIRST.date() + offset * DAY
        (outcome,) = books.settled(replace(commands[word], effective_on=day))
        if isinstance(outcome, Posted):
            (holds if word == "hold" else moves).append(outcome.id)
            posted.append(outcome)
    return posted


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, day=st.sampled_from(DAYS))
def test_a_balance_by_value_date_has_all_that_counts_for_the_day_or_one_before(
    books: Dated, steps: list[tuple[str, int, int | None]], day: date
) -> None:
    ann, bob = books.opened()
    posted = happen(books, ann, bob, steps)
    if posted:
        books.spread(posted[0].id)
    for id_ in (ann, bob):
        account, found = books.account(id_), books.lines(id_)
        for as_of in (day, FIRST.date() + DAY):
            state = books.as_of(account, as_of)
            counted = [line.change for line in found if effective_on(_posted(line.found.transaction)) <= as_of]
            assert state.balance == sum(counted, Decimal(0)), (as_of, steps)
            by_then = [line.side for line in found if _posted(line.found.transaction).ctime.date() <= as_of]
            expected = (by_then[-1].version, by_then[-1].held) if by_then else (0, Decimal(0))
            assert (state.version, state.held) == expected


def _posted(one: object) -> Posted:
    assert isinstance(one, Posted)
    return one


def test_it_is_of_the_version_at_which_the_account_was_read(books: Dated) -> None:
    ann, _ = books.opened()
    today = datetime.now(UTC).date()
    books.settled(payment(ann, "10"))
    before = books.account(ann)
    books.settled(replace(payment(ann, "5"), effective_on=today - DAY))
    books.settled(replace(payment(ann, "3"), effective_on=today + DAY))
    books.settled(payment(ann, "2"))
    assert books.as_of(before, today).balance == Decimal("10.00")
    now = books.account(ann)
    days = (today - 2 * DAY, today - DAY, today, today + DAY)
    assert [str(books.as_of(now, day).balance) for day in days] == ["0.00", "5.00", "17.00", "20.00"]


def test_more_lines_than_are_summed_up_are_refused(books: Dated, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, _ = books.opened()
    monkeypatch.setattr(value_dates, "LINES_MAX", 3)
    today = datetime.now(UTC).date()
    for _ in range(4):
        books.settled(replace(payment(ann, "1"), effective_on=today - 5 * DAY))
    account = books.account(ann)
    assert books.as_of(account, today).balance == Decimal(4), "none of them has to be looked at"
    with pytest.raises(TooManyValueDates) as refused:
        books.as_of(account, today - DAY)
    assert (refused.value.account_id, refused.value.most) == (ann, 3)
