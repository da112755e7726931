"""Commands in order, each with the effects of those before it; and what was queued, decided."""

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from koshel.core.book import after, apply
from koshel.core.commands import ChangeAccount, Command, Kind, Move, OpenAccount, Request, Status
from koshel.core.decide import decide, decide_in_turn
from koshel.core.model import (
    Book,
    Changed,
    Declined,
    Executed,
    Grouped,
    Opened,
    Outcome,
    Posted,
    Queued,
    Refusal,
    Replayed,
)
from koshel.core.originals import kind_of
from tests.support.looks import with_queued
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
PAID, HELD = 101, 102
BOOK = kept(
    book(account(1, "100.00", version=4), account(2, "5.00", version=9), account(3, "0.00", status=Status.CLOSED)),
    payment(1, "10"),
    hold(1, 2, "40"),
)


def _answer(outcome: Outcome) -> Refusal | type[Outcome]:
    return outcome.refusal if isinstance(outcome, Declined) else type(outcome)


# Every command, and what it becomes if nothing stands against it.
DONE: list[tuple[Command, type[Outcome]]] = [
    (OpenAccount(1, "a@example.com"), Opened),
    (ChangeAccount(1, 1), Changed),
    (payment(1, "1"), Posted),
    (hold(1, 2, "1"), Posted),
    (capture(HELD), Posted),
    (void(HELD), Posted),
    (refund(PAID), Posted),
    (execute(201, refund(PAID)), Executed),
    (enqueue(refund(PAID)), Queued),
    (group(payment(1, "1")), Grouped),
]


@pytest.mark.parametrize(("command", "outcome"), DONE)
def test_each_command_becomes_what_it_asks_for(command: Command, outcome: type[Outcome]) -> None:
    assert [_answer(one) for one in decide(BOOK, [command])] == [outcome]


def test_each_command_sees_the_effects_of_those_before_it() -> None:
    commands: list[Command] = [
        withdrawal(2, "6", key="k"),  # too much, and remembered
        payment(2, "1"),
        withdrawal(2, "6"),  # now it is there
        withdrawal(2, "0.01"),  # now it is gone
        withdrawal(2, "6", key="k"),
        transfer(1, 2, "70"),
        withdrawal(2, "70"),
        withdrawal(2, "70", key="k"),
    ]
    outcomes = decide(BOOK, commands)
    assert [_answer(one) for one in outcomes] == [
        R.INSUFFICIENT_FUNDS,
        Posted,
        Posted,
        R.INSUFFICIENT_FUNDS,
        Replayed,
        Posted,
        Posted,
        R.IDEMPOTENCY_KEY_REUSED,
    ]
    assert outcomes[4] == Replayed(cast("Declined", outcomes[0]))
    posted = [o for o in outcomes if isinstance(o, Posted)]
    assert [side.version for o in posted if (side := o.target or o.source)] == [10, 11, 12, 13]
    assert decide(BOOK, []) == []
    ahead = after(BOOK, outcomes)
    assert (ahead.state.accounts[2].balance, ahead.state.accounts[2].version) == (Decimal(0), 13)


def test_commands_of_every_kind_see_each_other() -> None:
    commands: list[Command] = [
        ChangeAccount(1, 1, min_balance=Decimal(-5)),
        withdrawal(1, "75"),  # all that is not held, and the overdraft
        void(HELD),
        hold(1, 2, "40"),
        ChangeAccount(1, 2, status=Status.FROZEN),
        withdrawal(2, "1"),
        ChangeAccount(1, 2, status=Status.OPEN),
        withdrawal(2, "5"),
        ChangeAccount(1, 2, status=Status.CLOSED),
        payment(2, "1"),
    ]
    assert [_answer(one) for one in decide(BOOK, commands)] == [
        *(Changed, Posted, Posted, Posted, Changed, R.ACCOUNT_FROZEN, Changed, Posted, Changed, R.ACCOUNT_CLOSED)
    ]


# What is asked when it is queued, and what has become of the account or of the original until it is executed.
MEANWHILE: list[tuple[Request, list[Command], Refusal | None]] = [
    (payment(2, "1"), [], None),
    (payment(2, "1"), [withdrawal(2, "5"), ChangeAccount(1, 2, status=Status.CLOSED)], R.ACCOUNT_CLOSED),
    (withdrawal(2, "1"), [withdrawal(2, "5")], R.INSUFFICIENT_FUNDS),
    (withdrawal(2, "6"), [payment(2, "1")], None),  # not to be had when it was queued
    (hold(2, None, "1"), [ChangeAccount(1, 2, status=Status.FROZEN)], R.ACCOUNT_FROZEN),
    (capture(HELD), [], None),
    (capture(HELD), [void(HELD)], R.HOLD_NOT_OPEN),
    (void(HELD), [capture(HELD)], R.HOLD_NOT_OPEN),
    (refund(PAID), [refund(PAID, "0.01")], None),
    (refund(PAID, "10"), [refund(PAID, "0.01")], R.REFUND_EXCEEDS_ORIGINAL),
]


@pytest.mark.parametrize(("request_", "meanwhile", "refusal"), MEANWHILE)
def test_what_was_queued_is_decided_when_it_is_executed(
    request_: Request, meanwhile: list[Command], refusal: Refusal | None
) -> None:
    queued, *_, executed = decide(BOOK, [enqueue(request_), *meanwhile, execute(201, request_)])
    assert isinstance(queued, Queued)
    assert isinstance(executed, Executed)
    assert (executed.outcome.refusal if isinstance(executed.outcome, Declined) else None) is refusal
    same_now = decide(after(BOOK, decide(BOOK, meanwhile)), [request_])[0]
    if isinstance(same_now, Posted):
        same_now = replace(same_now, id=201)  # an executed one has its id already; else it is as if it was asked now
    assert executed.outcome == same_now


def test_an_executed_transaction_has_its_key_which_has_answered_that_it_is_queued() -> None:
    request = payment(2, "1", key="k")
    queued, executed, replayed = decide(BOOK, [enqueue(request), execute(201, request), request])
    assert isinstance(executed, Executed)
    assert isinstance(executed.outcome, Posted)
    assert (executed.outcome.key, executed.outcome.id) == ("k", 201)
    assert replayed == Replayed(cast("Queued", queued))


def queue(*ids: int) -> Book:
    return with_queued(BOOK, *ids)


# What is executed with the id 201, and what refers to it: before that; after it.
REFERRING: list[tuple[Request, Command, Refusal, Refusal | None]] = [
    (hold(1, 2, "5"), capture(201, "3"), R.HOLD_NOT_OPEN, None),
    (hold(1, 2, "5"), capture(201, "6"), R.HOLD_NOT_OPEN, R.CAPTURE_EXCEEDS_HOLD),
    (hold(1, 2, "5"), void(201), R.HOLD_NOT_OPEN, None),
    (hold(1, 2, "5", seconds=0), expire(201), R.HOLD_NOT_OPEN, None),
    (hold(1, 2, "5"), refund(201), R.NOT_REFUNDABLE, R.NOT_REFUNDABLE),
    (transfer(1, 2, "5"), refund(201), R.NOT_REFUNDABLE, None),
    (transfer(1, 2, "5"), refund(201, "5.01"), R.NOT_REFUNDABLE, R.REFUND_EXCEEDS_ORIGINAL),
    (transfer(1, 2, "5"), void(201), R.NOT_A_HOLD, R.NOT_A_HOLD),
    (withdrawal(3, "5"), capture(201), R.NOT_A_HOLD, R.NOT_A_HOLD),
    (capture(HELD), refund(201), R.NOT_REFUNDABLE, None),
    (refund(PAID), refund(201), R.NOT_REFUNDABLE, R.NOT_REFUNDABLE),
    (withdrawal(3, "5"), refund(201), R.NOT_REFUNDABLE, R.NOT_REFUNDABLE),  # refused: the account is closed
    (hold(3, 1, "5"), void(201), R.HOLD_NOT_OPEN, R.HOLD_NOT_OPEN),
]


@pytest.mark.parametrize(("request_", "command", "before", "refusal"), REFERRING)
def test_what_is_executed_can_be_referred_to_at_once_and_not_before(
    request_: Request, command: Command, before: Refusal, refusal: Refusal | None
) -> None:
    early, _, late = decide(with_queued(BOOK, 201, kind=kind_of(request_)), [command, execute(201, request_), command])
    assert _answer(early) is before
    assert _answer(late) is (refusal or Posted)


def test_an_executed_refund_counts_against_its_original() -> None:
    commands: list[Command] = [
        execute(201, refund(PAID, "6")),
        execute(202, refund(PAID, "5")),
        refund(PAID, "4"),
        refund(PAID),
    ]
    first, second, third, fourth = decide(queue(201, 202), commands)
    assert isinstance(first, Executed)
    assert isinstance(second, Executed)
    assert [_answer(one) for one in (first.outcome, second.outcome, third, fourth)] == [
        *(Posted, R.REFUND_EXCEEDS_ORIGINAL, Posted, R.REFUND_EXCEEDS_ORIGINAL)
    ]


def test_the_clock_is_the_books() -> None:
    (posted,) = decide(BOOK, [payment(1, "1")])
    assert isinstance(posted, Posted)
    assert posted.ctime == NOW


def test_commands_in_turn_become_the_same_each_when_it_is_asked_for() -> None:
    commands = [command for command, _ in DONE]
    outcomes = decide_in_turn(BOOK, [*commands, cast("Command", SimpleNamespace(ledger_id=1, key=None))])
    assert [next(outcomes) for _ in commands] == decide(BOOK, commands) == [*decide_in_turn(BOOK, commands)]
    with pytest.raises(AssertionError):
        next(outcomes)


def test_what_is_no_command_is_a_fault_of_ours_and_no_refusal() -> None:
    with pytest.raises(AssertionError):
        decide(BOOK, [cast("Command", SimpleNamespace(ledger_id=1, key=None))])
    with pytest.raises(AssertionError):
        apply(BOOK.state, cast("Outcome", "paid"))
    with pytest.raises(AssertionError):
        decide(BOOK, [Move(1, Kind.TRANSFER, None, None, Decimal(1))])
