"""Notes on a posted transaction: what a change leaves there, and how the transaction stands then."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from koshel.core.book import after
from koshel.core.commands import ChangeAccount, Command, Kind, Status
from koshel.core.decide import decide
from koshel.core.labelled import METADATA_MAX
from koshel.core.model import Annotated, Declined, Refusal, Replayed
from koshel.core.notes import Annotate
from koshel.core.originals import Pending
from tests.support.looks import with_queued
from tests.support.wallets import account, book, capture, execute, hold, kept, payment, refund, transfer, void

PAID, HELD, TAKEN, SENT, BACK, FREED, OPEN = range(101, 108)
BOOK = kept(
    book(account(1, "100.00"), account(2, "100.00"), account(3, "0.00", ledger_id=2)),
    payment(1, "10", metadata={"note": "rent", "of": "May"}),
    hold(1, 2, "5"),
    capture(HELD, "5"),
    transfer(1, 2, "3"),
    refund(SENT, "1"),
    hold(1, 2, "4"),
    hold(1, None, "7"),
    void(FREED),
)


def annotated(command: Annotate, *before: Command) -> Annotated:
    """The outcome of a change that comes after these, and is not refused."""
    *_, outcome = decide(BOOK, [*before, command])
    assert isinstance(outcome, Annotated), outcome
    return outcome


@pytest.mark.parametrize(
    ("said", "metadata", "description"),
    [
        ({}, {"note": "rent", "of": "May"}, None),
        ({"description": "paid late"}, {"note": "rent", "of": "May"}, "paid late"),
        ({"metadata": {"a": "b"}}, {"a": "b"}, None),
        ({"metadata": {}}, {}, None),
        ({"metadata_patch": {"of": None, "a": "b"}}, {"note": "rent", "a": "b"}, None),
        ({"metadata_patch": {"of": "June"}, "description": "x"}, {"note": "rent", "of": "June"}, "x"),
        ({"metadata_patch": {"nothing": None}}, {"note": "rent", "of": "May"}, None),
    ],
)
def test_what_is_said_is_changed_and_the_rest_stays(
    said: Mapping[str, Any], metadata: Mapping[str, str], description: str | None
) -> None:
    now, before = annotated(Annotate(1, PAID, **said)).transaction, BOOK.state.noted[PAID][0]
    assert (now.metadata, now.description) == (metadata, description)
    differing = {name for name in now.__struct_fields__ if getattr(now, name) != getattr(before, name)}
    assert differing <= {"metadata", "description"}


def test_each_change_is_of_what_the_one_before_it_has_left() -> None:
    first = Annotate(1, PAID, metadata={"a": "1"}, description="first")
    second = annotated(Annotate(1, PAID, metadata_patch={"b": "2"}), first)
    assert (second.revision, second.transaction.metadata) == (2, {"a": "1", "b": "2"})
    assert second.transaction.description == "first"
    third = annotated(Annotate(1, PAID, description=None), first, second.command)
    assert (third.revision, third.transaction.description) == (3, None)


@pytest.mark.parametrize(
    ("id_", "before", "standing"),
    [
        (PAID, [], ("posted", None, "0.00")),
        (PAID, [refund(PAID, "2.5")], ("posted", None, "2.50")),
        (SENT, [], ("posted", None, "1.00")),
        (BACK, [], ("posted", None, None)),
        (TAKEN, [], ("posted", None, "0.00")),
        (HELD, [], ("captured", "0.00", None)),
        (FREED, [], ("voided", "0.00", None)),
        (OPEN, [], ("held", "7.00", None)),
        (OPEN, [capture(OPEN, "2", final=False)], ("held", "5.00", None)),
        (OPEN, [void(OPEN)], ("voided", "0.00", None)),
    ],
)
def test_a_transaction_is_answered_as_it_stands(
    id_: int, before: Sequence[Command], standing: tuple[str, str | None, str | None]
) -> None:
    one = annotated(Annotate(1, id_, description="x"), *before)
    shown = [None if amount is None else str(amount) for amount in (one.remaining, one.refunded)]
    assert (one.status, *shown) == standing


@pytest.mark.parametrize("status", [Status.FROZEN, Status.CLOSED])
def test_an_account_that_lets_no_money_move_stops_no_change_of_notes(status: Status) -> None:
    empty = kept(book(account(1, "0.00")), payment(1, "1"), refund(PAID))
    _, outcome = decide(empty, [ChangeAccount(1, 1, status=status), Annotate(1, PAID, description="x")])
    assert isinstance(outcome, Annotated)


@pytest.mark.parametrize("status", ["queued", "declined", "cancelled"])
def test_what_is_not_posted_takes_no_notes(status: Literal["queued", "declined", "cancelled"]) -> None:
    waiting = with_queued(BOOK, 201)
    waiting.state.pending[201] = Pending(1, Kind.PAYMENT, status)
    (refused,) = decide(waiting, [Annotate(1, 201, description="x")])
    assert isinstance(refused, Declined)
    assert (refused.refusal, refused.facts) == (Refusal.NOT_POSTED, {"transaction_id": 201, "status": status})


def test_what_was_queued_takes_notes_once_it_is_posted() -> None:
    waiting = with_queued(BOOK, 201)
    _, outcome = decide(waiting, [execute(201, payment(1, "2")), Annotate(1, 201, description="x")])
    assert isinstance(outcome, Annotated)
    now = outcome.transaction
    assert (now.id, str(now.amount), now.description, now.request, now.rest) == (201, "2.00", "x", None, None)


def test_too_many_entries_are_refused() -> None:
    patch = {str(number): "" for number in range(METADATA_MAX - 1)}
    (refused,) = decide(BOOK, [Annotate(1, PAID, metadata_patch=patch)])
    assert isinstance(refused, Declined)
    assert (refused.refusal, refused.facts) == (Refusal.METADATA_TOO_LARGE, {"entries": METADATA_MAX + 1})


@pytest.mark.parametrize("place", [(2, PAID), (1, 999), (2, 999)])
def test_a_transaction_of_another_ledger_is_as_one_that_is_not_there(place: tuple[int, int]) -> None:
    (refused,) = decide(BOOK, [Annotate(*place, description="x")])
    assert isinstance(refused, Declined)
    assert (refused.refusal, refused.facts) == (Refusal.TRANSACTION_NOT_FOUND, {"transaction_id": place[1]})


def test_a_key_answers_for_ever_what_it_has_answered_first() -> None:
    first = Annotate(1, PAID, description="first", key="k")
    ahead = after(BOOK, decide(BOOK, [first]))
    later, again = decide(ahead, [Annotate(1, PAID, description="second"), first])
    assert isinstance(later, Annotated)
    assert isinstance(again, Replayed)
    assert isinstance(again.first, Annotated)
    assert (again.first.transaction.description, again.first.revision) == ("first", 1)


def test_a_change_of_notes_moves_nothing() -> None:
    ahead = after(BOOK, decide(BOOK, [Annotate(1, PAID, description="x")]))
    assert ahead.state.accounts == BOOK.state.accounts
    assert ahead.state.refunded == BOOK.state.refunded
    assert ahead.state.holds == BOOK.state.holds
