"""An account's lines: whatever has happened, they add up, and say what the account was at every version and moment."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.core.commands import Command
from koshel.core.model import AccountDetails, Posted
from koshel.db.errors import HistoryArchived
from koshel.db.reading import lines, transaction_lists
from koshel.db.reading.lines import Line, State, Stretch
from koshel.db.reading.pages import Ask
from koshel.db.reading.wanted import FIRST_MOMENT, LAST_MOMENT, TransactionsWanted
from koshel.db.server.embedded import Cluster
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.clone import cloned
from tests.support.settled import open_accounts, opening
from tests.support.wallets import capture, hold, payment, refund, transfer, void, withdrawal

WORDS = ("payment", "withdrawal", "transfer", "back", "hold", "capture", "part", "void", "refund")
STEPS = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 30)), min_size=1, max_size=25)
MICROSECOND = timedelta(microseconds=1)


class Books:
    """A store, and an event loop for it."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._opened = open_store(StoreConfig(url))
        self.store: Store = self.loop.run_until_complete(self._opened.__aenter__())

    def close(self) -> None:
        self.loop.run_until_complete(self._opened.__aexit__(None, None, None))
        self.loop.close()

    def settled(self, *commands: Command) -> Any:
        return self.loop.run_until_complete(settle(self.store, commands))

    def opened(self) -> list[int]:
        return self.loop.run_until_complete(open_accounts(self.store, opening(floor="-50"), opening(floor="-50")))

    def account(self, id_: int) -> AccountDetails:
        found = self.loop.run_until_complete(self.store.get_account(1, id_))
        assert found is not None
        return found

    def look(self, work: Any) -> Any:
        return self.loop.run_until_complete(self.store.look_up(1, work))

    def lines(self, id_: int) -> list[Line]:
        wanted, ask = TransactionsWanted(account_id=id_), Ask(500, "asc")
        found: list[Line] = self.look(
            lambda connection, q: transaction_lists.account_lines(connection, q, 1, wanted, ask)
        ).items
        return found

    def at(self, account: AccountDetails, moment: datetime) -> State:
        found: State = self.look(lambda connection, q: lines.state_at(connection, q, account, moment))
        return found

    def stretch(self, account: AccountDetails, since: datetime | None, until: datetime | None) -> Stretch:
        found: Stretch = self.look(lambda connection, q: lines.stretch(connection, q, account, since, until))
        return found


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Books]:
    with cloned(cluster, "test_lines") as database:
        books = Books(database.service_url)
        yield books
        books.close()


def happen(books: Books, ann: int, bob: int, steps: list[tuple[str, int]]) -> None:
    """One step after the other; what is refused has not happened."""
    holds, moves = [1], [1]  # 1 is nobody's here

    def command(step: str, number: int) -> Command:
        amount, a_hold, a_move = str(number), holds[number % len(holds)], moves[number % len(moves)]
        commands: dict[str, Callable[[], Command]] = {
            "payment": lambda: payment(ann, amount),
            "withdrawal": lambda: withdrawal(ann, amount),
            "transfer": lambda: transfer(ann, bob, amount),
            "back": lambda: transfer(bob, ann, amount),
            "hold": lambda: hold(ann, bob, amount),
            "capture": lambda: capture(a_hold),
            "part": lambda: capture(a_hold, "1", final=False),
            "void": lambda: void(a_hold),
            "refund": lambda: refund(a_move, "1"),
        }
        return commands[step]()

    for step, number in steps:
        (outcome,) = books.settled(command(step, number))
        if isinstance(outcome, Posted):
            (holds if step == "hold" else moves).append(outcome.id)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, data=st.data())
def test_the_statement_is_the_sum_of_its_lines_and_of_what_the_account_was(
    books: Books, steps: list[tuple[str, int]], data: st.DataObject
) -> None:
    ann, bob = books.opened()
    happen(books, ann, bob, steps)
    for id_ in (ann, bob):
        account, found = books.account(id_), books.lines(id_)
        assert [line.version for line in found] == list(range(1, account.version + 1))
        balance = Decimal("0.00")
        for line in found:
            balance += line.change
            assert line.side.balance == balance
        assert (account.balance, account.held) == (
            (balance, found[-1].side.held) if found else (balance, Decimal("0.00"))
        )
        times = [line.found.transaction.ctime for line in found]
        moments = [*times, *(one - MICROSECOND for one in times), account.ctime, FIRST_MOMENT, LAST_MOMENT]
        moment = data.draw(st.sampled_from(moments))
        before = [line for line in found if line.found.transaction.ctime <= moment]
        state = books.at(account, moment)
        expected = (before[-1].version, before[-1].side.balance, before[-1].side.held) if before else (0, 0, 0)
        assert (state.version, state.balance, state.held) == expected
        since, until = data.draw(st.none() | st.sampled_from(moments)), data.draw(st.none() | st.sampled_from(moments))
        check(books.stretch(account, since, until), found, since, until)


def check(stretch: Stretch, found: list[Line], since: datetime | None, until: datetime | None) -> None:
    within = [
        line
        for line in found
        if (since is None or line.found.transaction.ctime >= since)
        and (until is None or line.found.transaction.ctime < until)
    ]
    first, last = stretch.versions
    assert [line.version for line in within] == list(range(first, last + 1))
    change = sum((line.change for line in within), Decimal(0))
    assert stretch.opening.balance + change == stretch.closing.balance


def test_an_account_that_nothing_has_touched_is_as_it_was_opened(books: Books) -> None:
    account = books.account(books.opened()[0])
    state = books.at(account, LAST_MOMENT)
    assert (state.version, state.balance, state.held, state.ctime) == (0, Decimal(0), Decimal(0), account.ctime)
    assert str(state.balance) == "0.00"
    with pytest.raises(HistoryArchived):
        books.look(lambda connection, q: lines.state(connection, q, account, 1))


def test_the_version_at_a_moment_takes_few_look_ups_however_long_the_history_is(books: Books) -> None:
    """A hundred lines of one moment are found as one is: the halving does not go through them."""
    ann, _ = books.opened()
    for _ in range(3):
        books.settled(*[payment(ann, "1")] * 100)
    account = books.account(ann)
    moments = sorted({line.found.transaction.ctime for line in books.lines(ann)})
    assert [books.at(account, moment).version for moment in moments] == [100, 200, 300]
    assert [books.at(account, moment - MICROSECOND).version for moment in moments] == [0, 100, 200]
