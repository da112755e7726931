"""What cannot be done with a hold: too much, too often, too late, or on an account that lets nothing through."""

from datetime import timedelta
from decimal import Decimal
from typing import Literal, cast

import pytest
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import ChangeAccount, Command, Deferrable, Kind, Status
from koshel.core.decide import decide
from koshel.core.model import Book, Declined, Outcome, Posted, Refusal, Replayed
from koshel.core.originals import Pending, kind_of
from tests.support.exchanges import exchange
from tests.support.looks import at, with_queued
from tests.support.split_legs import split, to
from tests.support.wallets import (
    NOW,
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
    withdrawal,
)

R = Refusal
MICROSECOND = timedelta(microseconds=1)
MISSING = 404
HELD, OUTGOING, PAID, MOVED, LEFT, CAPTURED, VOIDED, REFUNDED, EXPIRED, FOREIGN = range(101, 111)
BOOK = kept(
    book(account(1, "100.00"), account(2, "5.00", ceiling="50.00"), account(5, "50.00", ledger_id=2)),
    hold(1, 2, "40", seconds=60),
    hold(1, None, "30", seconds=60),
    payment(1, "9"),
    transfer(1, 2, "1"),
    withdrawal(1, "1"),
    capture(OUTGOING, "0.01", final=False),
    group(hold(1, 2, "1"), atomic=False),
    refund(PAID, "1"),
    hold(1, 2, "1", seconds=0),
    hold(5, None, "1", ledger_id=2),
)
BOOK = kept(BOOK, void(VOIDED), expire(EXPIRED), first_id=111)
VOIDING, EXPIRING = 111, 112
END = NOW + timedelta(seconds=60)


def answer(outcome: Outcome) -> Refusal | None:
    """The refusal; None: the transaction is posted."""
    if isinstance(outcome, Declined):
        return outcome.refusal
    assert isinstance(outcome, Posted)
    return None


def last_of(before: Book, *commands: Command) -> tuple[Refusal | None, object]:
    """What the last is refused with, and the status of the hold that it tells."""
    *_, outcome = decide(before, commands)
    return answer(outcome), outcome.facts.get("status") if isinstance(outcome, Declined) else None


# What is done with the hold of 40, and then; the status that the refusal tells.
TWICE: list[tuple[Command, Command, str]] = [
    (capture(HELD), capture(HELD), "captured"),
    (capture(HELD), capture(HELD, "0.01"), "captured"),
    (capture(HELD, "1"), capture(HELD, "1"), "captured"),  # the rest was freed
    (capture(HELD, "40", final=False), capture(HELD), "captured"),
    (capture(HELD), void(HELD), "captured"),
    (void(HELD), void(HELD), "voided"),
    (void(HELD), capture(HELD), "voided"),
]


@pytest.mark.parametrize(("first", "second", "status"), TWICE)
def test_a_hold_ends_once(first: Command, second: Command, status: str) -> None:
    assert last_of(BOOK, first) == (None, None)
    assert last_of(BOOK, first, second) == (R.HOLD_NOT_OPEN, status)
    later = at(END, BOOK)  # what has ended before its time was up is not expired
    assert last_of(at(END, after(later, decide(BOOK, [first]))), second) == (R.HOLD_NOT_OPEN, status)


@pytest.mark.parametrize("second", [capture(EXPIRED), capture(EXPIRED, "0.01"), void(EXPIRED), expire(EXPIRED)])
def test_what_has_expired_stays_so(second: Command) -> None:
    assert last_of(BOOK, second) == (R.HOLD_EXPIRED, None)


MOMENTS: list[tuple[timedelta, bool]] = [
    (-60_000_000 * MICROSECOND, False),
    (-MICROSECOND, False),
    (0 * MICROSECOND, True),
    (MICROSECOND, True),
    (timedelta(days=999), True),
]


@pytest.mark.parametrize(("moment", "is_over"), MOMENTS)
def test_a_hold_is_over_at_the_very_moment_of_its_expiry_and_not_a_microsecond_before(
    moment: timedelta, *, is_over: bool
) -> None:
    before = at(END + moment, BOOK)
    late = (R.HOLD_EXPIRED, None) if is_over else (None, None)
    for command in (capture(HELD), capture(HELD, "1", final=False), void(HELD), void(OUTGOING)):
        assert last_of(before, command) == late
    early = (None, None) if is_over else (R.HOLD_NOT_OPEN, "held")
    assert last_of(before, expire(HELD)) == early
    assert last_of(before, expire(OUTGOING)) == early


def test_a_hold_that_lasts_no_time_is_over_when_it_begins() -> None:
    before = kept(BOOK, hold(1, 2, "1", seconds=0), first_id=201)
    assert last_of(before, capture(201)) == (R.HOLD_EXPIRED, None)
    assert last_of(before, expire(201)) == (None, None)


def test_an_expiry_comes_once_whether_or_not_a_capture_was_tried() -> None:
    before = at(END, BOOK)
    outcomes = decide(before, [capture(HELD), expire(HELD), expire(HELD), capture(HELD), void(HELD)])
    assert [answer(one) for one in outcomes] == [R.HOLD_EXPIRED, None, *[R.HOLD_EXPIRED] * 3]


# More than is still held; what was captured before.
TOO_MUCH: list[tuple[list[Command], Command, str, str]] = [
    ([], capture(HELD, "40.01"), "40.00", "40.01"),
    ([], capture(HELD, "40.01", final=False), "40.00", "40.01"),
    ([], capture(HELD, "40.00500001"), "40.00", "40.01"),
    ([], capture(HELD, "999999999999999999"), "40.00", "999999999999999999.00"),
    ([capture(HELD, "39.99", final=False)], capture(HELD, "0.02"), "0.01", "0.02"),
    ([], capture(OUTGOING, "30"), "29.99", "30.00"),
]


@pytest.mark.parametrize(("earlier", "command", "held", "required"), TOO_MUCH)
def test_no_more_is_captured_than_is_held(earlier: list[Command], command: Command, held: str, required: str) -> None:
    *_, outcome = decide(BOOK, [*earlier, command])
    assert isinstance(outcome, Declined)
    assert outcome.refusal is R.CAPTURE_EXCEEDS_HOLD
    assert (outcome.facts["held"], outcome.facts["required"]) == (held, required)


@pytest.mark.parametrize("amount", ["0.005", "0.0000001", "999999999999999999.995"])
def test_what_rounds_to_nothing_or_to_too_many_digits_is_not_captured(amount: str) -> None:
    assert last_of(BOOK, capture(HELD, amount)) == (R.AMOUNT_OUT_OF_RANGE, None)


def test_what_the_target_may_not_have_stays_held() -> None:
    assert last_of(BOOK, payment(2, "4.01"), capture(HELD)) == (R.BALANCE_LIMIT_EXCEEDED, None)
    assert last_of(BOOK, payment(2, "4"), capture(HELD)) == (None, None)
    assert last_of(BOOK, payment(2, "4.01"), capture(HELD), capture(HELD, "39.99")) == (None, None)


# What a capture or a void names.
NO_HOLD: list[tuple[int, Refusal]] = [
    (MISSING, R.TRANSACTION_NOT_FOUND),
    (0, R.TRANSACTION_NOT_FOUND),
    (FOREIGN, R.TRANSACTION_NOT_FOUND),  # another ledger's
    (PAID, R.NOT_A_HOLD),
    (MOVED, R.NOT_A_HOLD),
    (LEFT, R.NOT_A_HOLD),
    (CAPTURED, R.NOT_A_HOLD),
    (REFUNDED, R.NOT_A_HOLD),
    (VOIDING, R.NOT_A_HOLD),
    (EXPIRING, R.NOT_A_HOLD),
]


@pytest.mark.parametrize(("parent_id", "refusal"), NO_HOLD)
def test_only_a_hold_can_be_captured_or_voided_or_expire(parent_id: int, refusal: Refusal) -> None:
    for command in (capture(parent_id), capture(parent_id, "1"), void(parent_id), expire(parent_id)):
        assert last_of(BOOK, command) == (refusal, None)


@pytest.mark.parametrize("status", ["queued", "declined", "cancelled"])
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HOLD])
def test_what_is_no_hold_is_none_before_it_is_posted_either(
    kind: Kind, status: Literal["queued", "declined", "cancelled"]
) -> None:
    before = with_queued(BOOK, 201)
    before.state.pending[201] = Pending(1, kind, status)
    for command in (capture(201), capture(201, "1"), void(201), expire(201)):
        (outcome,) = decide(before, [command])
        assert outcome == Declined(command, R.NOT_A_HOLD, {"transaction_id": 201, "kind": kind})
        assert last_of(before, replace(command, ledger_id=2)) == (R.TRANSACTION_NOT_FOUND, None)


def test_a_queued_exchange_and_a_queued_split_are_of_the_kind_of_what_they_make() -> None:
    asked: list[Deferrable] = [exchange(1, 2, "1", "1"), split("1", source=1, targets=[to(2, "1")])]
    before = kept(BOOK, *map(enqueue, asked), first_id=201)
    for place, one in enumerate(asked):
        id_ = 201 + place
        assert (before.state.pending[id_].kind, kind_of(one)) == (Kind.TRANSFER, Kind.TRANSFER)
        assert last_of(before, capture(id_)) == (R.NOT_A_HOLD, None)


def test_a_hold_that_waits_for_its_turn_or_was_refused_is_not_open() -> None:
    request, refused = hold(1, 2, "5"), hold(1, 2, "5000")
    before = kept(BOOK, enqueue(request), enqueue(refused), first_id=201)
    for command in (capture(201), void(201), expire(201)):
        assert last_of(before, command) == (R.HOLD_NOT_OPEN, "queued")
        assert last_of(before, replace(command, ledger_id=2)) == (R.TRANSACTION_NOT_FOUND, None)
    before = after(before, decide(before, [execute(201, request), execute(202, refused)]))
    assert last_of(before, capture(201)) == (None, None)
    assert last_of(before, capture(202)) == (R.HOLD_NOT_OPEN, "declined")


# Which side of the hold is what; what a capture is refused with.
SHUT: list[tuple[int, Status, Refusal]] = [
    (1, Status.FROZEN, R.ACCOUNT_FROZEN),
    (2, Status.FROZEN, R.ACCOUNT_FROZEN),
    (2, Status.CLOSED, R.ACCOUNT_CLOSED),
]


@pytest.mark.parametrize(("account_id", "status", "refusal"), SHUT)
def test_a_shut_account_stops_captures_and_neither_voids_nor_expiries(
    account_id: int, status: Status, refusal: Refusal
) -> None:
    shut: list[Command] = [withdrawal(2, "6"), ChangeAccount(1, account_id, status=status)]
    before = after(BOOK, decide(BOOK, shut))
    assert before.state.accounts[account_id].status == status
    assert last_of(before, capture(HELD)) == (refusal, None)
    assert last_of(before, void(HELD)) == (None, None)
    assert last_of(at(END, before), expire(HELD)) == (None, None)
    assert last_of(before, hold(1, 2, "1")) == (refusal, None)


def test_a_thawed_account_lets_its_holds_be_captured_again() -> None:
    freeze, thaw = (ChangeAccount(1, 1, status=status) for status in (Status.FROZEN, Status.OPEN))
    outcomes = decide(BOOK, [freeze, capture(HELD), thaw, capture(HELD)])
    assert [answer(outcomes[place]) for place in (1, 3)] == [R.ACCOUNT_FROZEN, None]


def test_a_refused_capture_leaves_the_hold_as_it_was_and_its_key_says_so_for_ever() -> None:
    first, voided, again = decide(BOOK, [capture(HELD, "41", key="k"), void(HELD), capture(HELD, "41", key="k")])
    assert answer(first) is R.CAPTURE_EXCEEDS_HOLD
    assert isinstance(voided, Posted)
    assert voided.amount == Decimal(40)
    assert again == Replayed(cast("Declined", first))
