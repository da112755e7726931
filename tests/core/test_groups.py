"""Commands that come together: all or nothing, or an answer each; and keys among them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import ChangeAccount, Command, Group, Kind, Member, Request, Status
from koshel.core.decide import decide
from koshel.core.model import Declined, Executed, Grouped, Outcome, Posted, Refusal, Replayed
from koshel.core.originals import Pending
from tests.support.looks import fieldless, target_of
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
    parts,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

R = Refusal
MISSING = 404
PAID, HELD, OLD, REFUSED = 101, 102, 103, 104
BOOK = kept(
    book(account(1, "100.00"), account(2, "5.00"), account(3, "0.00"), account(5, "9.00", ledger_id=2)),
    payment(1, "10"),
    hold(1, 2, "40"),
    payment(2, "1", key="paid"),
    withdrawal(2, "500", key="refused"),
)
Answer: TypeAlias = Refusal | type[Outcome]


def _answers(outcomes: Sequence[Outcome]) -> list[Answer]:
    return [one.refusal if isinstance(one, Declined) else type(one) for one in outcomes]


def decided(command: Group) -> Outcome:
    (outcome,) = decide(BOOK, [command])
    return outcome


def refused(command: Group) -> tuple[Refusal, object, Refusal | None]:
    outcome = decided(command)
    assert isinstance(outcome, Declined)
    assert outcome.command is command
    cause = None if outcome.cause is None else outcome.cause.refusal
    return outcome.refusal, outcome.facts.get("index"), cause


# Members; what each is answered if it stands for itself.
MEMBERS: list[tuple[list[Member], list[Answer]]] = [
    ([], []),
    ([payment(3, "1")], [Posted]),
    ([transfer(1, 3, "9.50"), transfer(1, 2, "0.50")], [Posted, Posted]),  # a payment with two legs
    ([payment(3, "1"), transfer(3, 2, "1")], [Posted, Posted]),  # later members see earlier ones
    ([transfer(3, 2, "1"), payment(3, "1")], [R.INSUFFICIENT_FUNDS, Posted]),
    ([withdrawal(2, "6"), withdrawal(2, "0.01"), withdrawal(1, "0.01")], [Posted, R.INSUFFICIENT_FUNDS, Posted]),
    ([capture(HELD), capture(HELD)], [Posted, R.HOLD_NOT_OPEN]),
    ([capture(HELD, "1", final=False), void(HELD)], [Posted, Posted]),
    ([void(HELD), withdrawal(1, "110")], [Posted, Posted]),
    ([hold(1, 2, "70"), withdrawal(1, "0.01")], [Posted, R.INSUFFICIENT_FUNDS]),
    ([refund(PAID, "6"), refund(PAID, "4"), refund(PAID)], [Posted, Posted, R.REFUND_EXCEEDS_ORIGINAL]),
    ([capture(MISSING), void(MISSING), refund(MISSING)], [R.TRANSACTION_NOT_FOUND] * 3),
    ([expire(HELD), payment(1, "1")], [R.HOLD_NOT_OPEN, Posted]),
    ([hold(1, 2, "1"), capture(0)], [Posted, R.TRANSACTION_NOT_FOUND]),  # the hold has no id yet
    ([payment(3, "1", key="a"), payment(3, "1", key="b")], [Posted, Posted]),
    ([payment(3, "1", key="a"), payment(3, "1", key="a")], [Posted, Replayed]),
    ([payment(3, "1", key="a"), payment(3, "2", key="a")], [Posted, R.IDEMPOTENCY_KEY_REUSED]),
    ([payment(3, "1", key="a"), refund(PAID, key="a")], [Posted, R.IDEMPOTENCY_KEY_REUSED]),
    ([withdrawal(3, "1", key="a")] * 2, [R.INSUFFICIENT_FUNDS, Replayed]),
    ([payment(2, "1", key="paid"), payment(3, "1")], [Replayed, Posted]),
    ([payment(2, "2", key="paid"), payment(3, "1")], [R.IDEMPOTENCY_KEY_REUSED, Posted]),
    ([payment(3, "1"), withdrawal(2, "500", key="refused")], [Posted, Replayed]),
    ([payment(5, "1")], [R.ACCOUNT_NOT_FOUND]),  # another ledger's
]


@pytest.mark.parametrize(("members", "answers"), MEMBERS)
def test_members_that_stand_for_themselves_are_answered_as_if_each_came_alone(
    members: list[Member], answers: list[Answer]
) -> None:
    outcome = decided(group(*members, atomic=False))
    assert isinstance(outcome, Grouped)
    assert (outcome.group_id, _answers(outcome.outcomes)) == (None, answers)
    assert [*map(fieldless, outcome.outcomes)] == [*map(fieldless, decide(BOOK, members))]
    assert after(BOOK, [outcome]) == after(BOOK, decide(BOOK, members))


@pytest.mark.parametrize(("members", "answers"), MEMBERS)
def test_an_atomic_batch_is_done_whole_or_not_at_all(members: list[Member], answers: list[Answer]) -> None:
    outcome = decided(group(*members))
    firsts = [one.first if isinstance(one, Replayed) else one for one in decide(BOOK, members)]
    refusals = [(place, one) for place, one in enumerate(firsts) if isinstance(one, Declined)]
    if refusals:
        assert isinstance(outcome, Declined)
        assert outcome.cause is not None
        assert fieldless(outcome.cause) == fieldless(refusals[0][1])
        assert outcome == Declined(group(*members), R.BATCH_REFUSED, {"index": refusals[0][0]}, outcome.cause)
        assert after(BOOK, [outcome]) == BOOK
    else:
        assert isinstance(outcome, Grouped)
        assert _answers(outcome.outcomes) == answers
        assert after(BOOK, [outcome]) == after(BOOK, decide(BOOK, members))


def test_the_first_refusal_is_named() -> None:
    command = group(payment(3, "1"), withdrawal(3, "2"), payment(MISSING, "1"))
    assert refused(command) == (R.BATCH_REFUSED, 1, R.INSUFFICIENT_FUNDS)


def test_a_member_that_was_refused_before_is_the_cause_as_it_was_then() -> None:
    assert refused(group(withdrawal(2, "500", key="refused"))) == (R.BATCH_REFUSED, 0, R.INSUFFICIENT_FUNDS)
    commands: list[Command] = [payment(2, "900"), group(withdrawal(2, "500", key="refused"))]
    assert _answers(decide(BOOK, commands)) == [Posted, R.BATCH_REFUSED]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_thousand_members_may_name_one_account(*, atomic: bool) -> None:
    outcome = decided(group(*[transfer(1, 3, "0.07"), transfer(3, 1, "0.07")] * 500, atomic=atomic))
    assert isinstance(outcome, Grouped)
    versions = [target_of(one).version for one in outcome.outcomes if isinstance(one, Posted)]
    assert versions[1::2] == list(range(4, 1004, 2))
    ahead = after(BOOK, [outcome])
    assert [(one.balance, one.version) for one in (ahead.state.accounts[1], ahead.state.accounts[3])] == [
        (Decimal(110), 1002),
        (Decimal(0), 1000),
    ]


def test_a_thousand_members_spend_what_is_there_to_the_last_cent_and_no_more() -> None:
    outcome = decided(group(*[transfer(1, 2, "0.07")] * 1000))  # 70.00 of it is not held
    assert isinstance(outcome, Grouped)
    assert _answers(outcome.outcomes) == [Posted] * 1000
    too_much = group(*[transfer(1, 2, "0.08")] * 1000)
    assert refused(too_much) == (R.BATCH_REFUSED, 875, R.INSUFFICIENT_FUNDS)
    outcome = decided(replace(too_much, atomic=False))
    assert isinstance(outcome, Grouped)
    assert _answers(outcome.outcomes) == [Posted] * 875 + [R.INSUFFICIENT_FUNDS] * 125


def test_a_batch_that_is_refused_at_its_last_member_leaves_everything_as_it_was() -> None:
    command = group(*[transfer(1, 2, "0.07", key=f"k{place}") for place in range(999)], withdrawal(3, "1"))
    assert refused(command) == (R.BATCH_REFUSED, 999, R.INSUFFICIENT_FUNDS)
    first, alone = decide(BOOK, [command, transfer(1, 2, "0.07", key="k0")])
    assert after(BOOK, [first]) == BOOK
    assert isinstance(alone, Posted)  # the members' keys have answered nothing


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("command", [group(key="g"), group(key="g", atomic=False)])
def test_a_member_may_not_have_the_key_of_its_own_batch(command: Group, place: int) -> None:
    members = [payment(3, "1", key="a"), withdrawal(3, "9", key="b")]
    members[place] = replace(members[place], key="g")
    outcome = decided(replace(command, members=tuple(members)))
    assert isinstance(outcome, Declined)
    assert (outcome.refusal, outcome.facts) == (
        R.IDEMPOTENCY_KEY_REUSED,
        {"field": f"transactions/{place}/idempotency_key"},
    )
    assert after(BOOK, [outcome]) == BOOK


@pytest.mark.parametrize("atomic", [True, False])
def test_a_repeated_batch_is_answered_once_more_and_done_once(*, atomic: bool) -> None:
    command = group(payment(3, "1", key="a"), payment(3, "2"), key="g", atomic=atomic)
    first, again = decide(BOOK, [command, command])
    assert isinstance(again, Replayed)
    assert again.first is first
    assert after(BOOK, [first, again]).state.accounts[3].balance == Decimal(3)


def test_a_refused_batch_says_so_for_ever() -> None:
    command = group(withdrawal(3, "1"), key="g")
    first, _, again = decide(BOOK, [command, payment(3, "1"), command])
    assert isinstance(again, Replayed)
    assert again.first is first
    assert _answers([first]) == [R.BATCH_REFUSED]


def test_a_members_key_answers_outside_of_the_batch_too() -> None:
    grouped, again, other = decide(
        BOOK, [group(payment(3, "1", key="a")), payment(3, "1", key="a"), void(HELD, key="a")]
    )
    assert isinstance(grouped, Grouped)
    assert isinstance(again, Replayed)
    assert again.first is grouped.outcomes[0]
    assert _answers([other]) == [R.IDEMPOTENCY_KEY_REUSED]


def test_what_a_batch_does_is_seen_after_it() -> None:
    outcomes = decide(
        BOOK,
        [
            ChangeAccount(1, 3, status=Status.FROZEN),
            group(payment(3, "1")),
            ChangeAccount(1, 3, status=Status.OPEN),
            group(payment(3, "1"), hold(3, None, "0.5")),
            withdrawal(3, "1"),
            ChangeAccount(1, 3, status=Status.CLOSED),
            withdrawal(3, "0.5"),
        ],
    )
    assert _answers(list(parts(outcomes)))[1:] == [
        *(R.BATCH_REFUSED, type(outcomes[0]), Posted, Posted, R.INSUFFICIENT_FUNDS, R.ACCOUNT_NOT_EMPTY, Posted)
    ]


def test_what_is_due_is_executed_together_an_answer_each() -> None:
    requests: list[Request] = [payment(3, "1"), withdrawal(3, "2"), hold(3, 2, "1")]
    before = kept(BOOK, *map(enqueue, requests), first_id=201)
    due = [execute(201 + place, request) for place, request in enumerate(requests)]
    (outcome,) = decide(before, [group(*due, capture(203), atomic=False)])
    assert isinstance(outcome, Grouped)
    assert _answers([one.outcome if isinstance(one, Executed) else one for one in outcome.outcomes]) == [
        *(Posted, R.INSUFFICIENT_FUNDS, Posted, Posted)
    ]
    assert after(before, [outcome]).state.pending == {202: Pending(1, Kind.WITHDRAWAL, "declined")}
