"""What is decided at a time of its own: when it is due, how far ahead it may be, and what its key remembers."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import Command, Kind
from koshel.core.decide import decide
from koshel.core.enqueue import due
from koshel.core.model import Book, Declined, Outcome, Posted, Queued, Refusal, Replayed
from koshel.core.originals import Pending
from tests.support.looks import at
from tests.support.wallets import (
    DAY,
    NOW,
    SCHEDULE_MAX,
    account,
    auto_capture,
    book,
    capture,
    enqueue,
    execute,
    expire,
    hold,
    kept,
    refund,
    transfer,
    void,
)

R = Refusal
BOOK = book(account(1, "100"), account(2, "0"))
SOON, LATER = NOW + timedelta(seconds=30), NOW + timedelta(seconds=90)
LATEST = NOW + timedelta(seconds=SCHEDULE_MAX)
HELD = 101


def one(start: Book, command: Command) -> Outcome:
    (outcome,) = decide(start, [command])
    return outcome


def refusal(outcome: Outcome) -> tuple[Refusal, object] | None:
    return (outcome.refusal, outcome.facts.get("field")) if isinstance(outcome, Declined) else None


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(UNSET, NOW), (NOW - timedelta(days=900), NOW), (NOW, NOW), (SOON, SOON), (LATEST, LATEST)],
)
def test_it_is_due_when_it_was_asked_for_and_never_before_it_was_queued(
    asked: datetime | UnsetType, expected: datetime
) -> None:
    queued = one(BOOK, enqueue(transfer(1, 2, "5"), asked))
    assert isinstance(queued, Queued)
    assert due(queued) == expected
    assert queued.ctime == NOW


def test_it_may_be_so_far_ahead_and_not_a_moment_further() -> None:
    late = enqueue(transfer(1, 2, "5", key="k"), LATEST + timedelta(microseconds=1))
    declined = one(BOOK, late)
    assert refusal(declined) == (R.TIME_OUT_OF_RANGE, "execute_at")
    ahead = after(BOOK, [declined])
    assert one(ahead, late) == Replayed(declined)  # type: ignore[arg-type]  # it is one
    assert refusal(one(ahead, enqueue(transfer(1, 2, "5", key="k"), LATEST))) == (
        R.IDEMPOTENCY_KEY_REUSED,
        "execute_at",
    )


def test_a_key_remembers_the_moment_and_not_how_far_ahead_it_might_have_been() -> None:
    first = enqueue(transfer(1, 2, "5", key="k"), SOON)
    ahead = after(BOOK, decide(BOOK, [first]))
    assert isinstance(one(ahead, replace(first, schedule_max_s=1)), Replayed)
    much_later = at(NOW + timedelta(days=2), ahead)
    assert isinstance(one(much_later, first), Replayed), "also when it is past"
    for other in (enqueue(transfer(1, 2, "5", key="k")), enqueue(transfer(1, 2, "5", key="k"), LATER), first.command):
        assert refusal(one(ahead, other)) == (R.IDEMPOTENCY_KEY_REUSED, "execute_at")
    assert refusal(one(ahead, enqueue(transfer(1, 2, "6", key="k"), LATER))) == (R.IDEMPOTENCY_KEY_REUSED, "amount")


@pytest.mark.parametrize(
    ("seconds", "execute_at", "capture_at", "is_taken"),
    [
        (60, UNSET, NOW - timedelta(days=1), True),
        (60, UNSET, SOON, True),
        (60, UNSET, NOW + timedelta(seconds=60), False),
        (60, UNSET, LATER, False),
        (60, SOON, NOW + timedelta(seconds=89), True),
        (60, SOON, LATER, False),
        (60, NOW - timedelta(days=1), NOW + timedelta(seconds=60), False),
        (UNSET, UNSET, NOW + timedelta(seconds=DAY), False),
        (UNSET, UNSET, NOW + timedelta(seconds=DAY, microseconds=-1), True),
    ],
)
def test_a_hold_is_to_be_captured_before_it_expires(
    seconds: int | UnsetType, execute_at: datetime | UnsetType, capture_at: datetime, *, is_taken: bool
) -> None:
    wanted = hold(1, 2, "5", seconds=seconds, capture_at=capture_at, key="k")
    outcome = one(BOOK, enqueue(wanted, execute_at))
    assert refusal(outcome) == (None if is_taken else (R.TIME_OUT_OF_RANGE, "capture_at"))
    if execute_at is UNSET:
        posted = one(BOOK, wanted)
        assert refusal(posted) == refusal(outcome)
        assert not isinstance(posted, Posted) or posted.capture_at == capture_at
    ahead = after(BOOK, [outcome])
    assert isinstance(one(ahead, enqueue(wanted, execute_at)), Replayed)


def test_a_hold_that_is_placed_late_may_be_past_its_capture() -> None:
    placed_at = at(LATER, BOOK)
    executed = one(placed_at, execute(201, hold(1, 2, "5", seconds=60, capture_at=SOON)))
    assert refusal(executed.outcome) is None  # type: ignore[union-attr]  # it is executed


def test_the_background_captures_finally_and_in_full_what_is_left() -> None:
    start = kept(BOOK, hold(1, 2, "10", capture_at=SOON), capture(HELD, "4", final=False))
    posted = one(at(SOON, start), auto_capture(HELD))
    assert isinstance(posted, Posted)
    assert (posted.kind, posted.amount, posted.parent_id) == (Kind.CAPTURE, Decimal("6.00"), HELD)
    assert (posted.key, posted.request, posted.rest) == (None, None, Decimal("0.00"))
    accounts = after(start, [posted]).state.accounts
    assert [str(one) for one in (accounts[1].balance, accounts[1].held, accounts[2].balance)] == [
        "90.00",
        "0.00",
        "10.00",
    ]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (capture(HELD), R.HOLD_NOT_OPEN),
        (capture(HELD, "1"), R.HOLD_NOT_OPEN),
        (void(HELD), R.HOLD_NOT_OPEN),
        (None, R.HOLD_EXPIRED),
    ],
)
def test_a_hold_that_has_ended_before_is_left_as_it_is(end: Command | None, expected: Refusal) -> None:
    start = kept(BOOK, hold(1, 2, "10", capture_at=SOON), *([end] if end else []))
    when = SOON if end else NOW + timedelta(seconds=DAY)
    if end is None:
        start = after(start, decide(at(when, start), [expire(HELD)]))
    outcome = one(at(when, start), auto_capture(HELD))
    assert isinstance(outcome, Declined)
    assert outcome.refusal is expected
    assert after(start, [outcome]) == start


@pytest.mark.parametrize(
    ("command", "expected"),
    [(capture(201), R.HOLD_NOT_OPEN), (void(201), R.HOLD_NOT_OPEN), (refund(201), R.NOT_REFUNDABLE)],
)
def test_what_follows_a_cancelled_transaction_is_refused(command: Command, expected: Refusal) -> None:
    start = after(BOOK, [])
    start.state.pending[201] = Pending(1, Kind.HOLD, "cancelled")
    outcome = one(start, command)
    assert isinstance(outcome, Declined)
    assert outcome.refusal is expected
    assert "cancelled" in outcome.facts.values()
