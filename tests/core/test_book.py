"""The room that an account has, and how a book moves on."""

import copy
from datetime import timedelta
from decimal import Decimal

import pytest

from koshel.core.book import after, available, limit
from koshel.core.commands import ChangeAccount, Command, Kind, OpenAccount
from koshel.core.decide import decide
from koshel.core.model import (
    Account,
    Changed,
    Declined,
    Executed,
    Opened,
    Outcome,
    Posted,
    Queued,
    Refusal,
    Replayed,
)
from koshel.core.money import plain, plus, rounded_limit
from koshel.core.originals import Original, Pending
from tests.support.looks import at, with_queued
from tests.support.wallets import (
    DAY,
    NOW,
    SCALES,
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

# Account; what it can spend at most; what it can be paid at most.
ROOM: list[tuple[Account, str, str]] = [
    (account(1, "10.00"), "10.00", "999989.00"),
    (account(1, "10.00", held="4.00"), "6.00", "999989.00"),
    (account(1, "10.00", floor="-5.00"), "15.00", "999989.00"),
    (account(1, "-4.99", floor="-5.00", ceiling="0.00"), "0.01", "4.99"),
    (account(1, "10.00", held="12.00", floor="-5.00", ceiling="10.00"), "3.00", "0.00"),
    (account(1, "0.02", ceiling=None), "0.02", "999999999999999999.97"),
    (account(1, "0.01", ceiling=None), "0.01", "999999999999999999.98"),
    (account(1, "7", "JPY", ceiling="9"), "7", "2"),
    (account(1, "1", "WEI", ceiling=None), "1.000000000000000000", "999999999999999998.999999999999999999"),
    (account(1, "0", "WEI", ceiling="1e-18", floor="-1e-18"), "0.000000000000000001", "0.000000000000000001"),
]


@pytest.mark.parametrize(("wallet", "spendable", "payable"), ROOM)
def test_an_account_may_spend_to_its_floor_and_be_paid_to_its_ceiling_and_not_a_unit_more(
    wallet: Account, spendable: str, payable: str
) -> None:
    unit = Decimal(1).scaleb(-wallet.scale)
    for most, move, refusal in (
        (spendable, withdrawal, Refusal.INSUFFICIENT_FUNDS),
        (payable, payment, Refusal.BALANCE_LIMIT_EXCEEDED),
    ):
        if Decimal(most):
            (outcome,) = decide(book(wallet), [move(1, most)])
            assert isinstance(outcome, Posted)
        (outcome,) = decide(book(wallet), [move(1, plain(plus(Decimal(most), unit)))])
        assert isinstance(outcome, Declined)
        assert outcome.refusal is refusal


def test_held_money_and_the_floor_decide_what_is_available() -> None:
    assert available(account(1, "10.00", held="4.00", floor="-1.50")) == Decimal("7.50")


@pytest.mark.parametrize(
    ("currency", "most"),
    [
        ("JPY", "999999999999999999"),
        ("USD", "999999999999999999.99"),
        ("KWD", "999999999999999999.999"),
        ("WEI", "999999999999999999.999999999999999999"),
    ],
)
def test_without_a_limit_of_its_own_an_account_holds_what_eighteen_digits_can_say(currency: str, most: str) -> None:
    assert plain(limit(account(1, "0", currency, ceiling=None))) == most
    assert rounded_limit(Decimal(most), SCALES[currency]) == Decimal(most), "it can be named as a limit, too"


def test_a_limit_of_its_own_is_what_an_account_has() -> None:
    assert limit(account(1, "0", ceiling="12.00")) == Decimal(12)


PAID, HELD, MOVED = 101, 102, 103
EMPTY = book(account(1, "100.00", version=3), account(2, "0.00"), account(9, "0.00", ledger_id=2))
START = kept(EMPTY, payment(1, "20"), hold(1, 2, "40"), transfer(1, 2, "5"))
OPENING = OpenAccount(1, "a@example.com", key="opened")
CHANGE = ChangeAccount(1, 1, email="b@example.com", key="changed")
# Commands, and the keys that a book remembers once they are decided.
REMEMBERED: list[tuple[list[Command], set[tuple[int, str]]]] = [
    ([payment(1, "1", key="posted")], {(1, "posted")}),
    ([payment(1, "1")], set()),
    ([withdrawal(1, "999", key="declined")], {(1, "declined")}),
    ([withdrawal(1, "999")], set()),
    ([OPENING], {(1, "opened")}),
    ([OpenAccount(1, "a@example.com")], set()),
    ([OPENING, OPENING], {(1, "opened")}),
    ([OPENING, payment(1, "1", key="opened")], {(1, "opened")}),
    ([payment(1, "1", key="k"), payment(9, "1", key="k", ledger_id=2)], {(1, "k"), (2, "k")}),
    ([CHANGE], {(1, "changed")}),
    ([ChangeAccount(1, 1)], set()),
    ([ChangeAccount(1, 404, key="k")], {(1, "k")}),
    ([hold(1, 2, "1", key="h"), capture(HELD, key="c"), refund(PAID, key="r")], {(1, "h"), (1, "c"), (1, "r")}),
    ([void(HELD, key="v")], {(1, "v")}),
    ([enqueue(payment(1, "1", key="e"))], {(1, "e")}),
    ([enqueue(payment(1, "1"))], set()),
    ([execute(201, payment(1, "1", key="e"))], set()),  # it has answered when it was queued
    ([execute(201, withdrawal(1, "999", key="e"))], set()),
    ([group(payment(1, "1"), key="g")], {(1, "g")}),
    ([group(payment(1, "1"), atomic=False)], set()),
    ([group(payment(1, "1", key="a"), payment(1, "1", key="b"), key="g")], {(1, "a"), (1, "b"), (1, "g")}),
    ([group(payment(1, "1", key="a"), withdrawal(1, "999", key="b"), key="g")], {(1, "g")}),  # refused whole
    ([group(payment(1, "1", key="a"), withdrawal(1, "999", key="b"), atomic=False)], {(1, "a"), (1, "b")}),
    ([group(payment(1, "1", key="g"), key="g")], set()),  # which of the two would it be?
]


@pytest.mark.parametrize(("commands", "keys"), REMEMBERED)
def test_a_key_is_remembered_with_its_first_answer(commands: list[Command], keys: set[tuple[int, str]]) -> None:
    outcomes = decide(START, commands)
    receipts = after(START, outcomes).state.receipts
    assert receipts.keys() == keys
    assert {id(first) for first in receipts.values()} <= {id(one) for one in (*outcomes, *parts(outcomes))}


def test_a_posting_moves_balance_and_version_and_nothing_else_of_an_account() -> None:
    ahead = after(EMPTY, decide(EMPTY, [transfer(1, 2, "4")]))
    assert ahead.state.accounts == EMPTY.state.accounts | {
        1: account(1, "96.00", version=4),
        2: account(2, "4.00", version=1),
    }


def test_what_follows_a_hold_moves_what_is_held_and_nothing_of_a_target_that_it_does_not_touch() -> None:
    held = account(1, "100.00", held="4.00", version=4)
    ahead = after(EMPTY, decide(EMPTY, [hold(1, 2, "4")]))
    assert ahead.state.accounts == EMPTY.state.accounts | {1: held}
    assert after(ahead, decide(START, [void(HELD)])).state.accounts[2] == EMPTY.state.accounts[2]


@pytest.mark.parametrize("kind", [Opened, Declined, Replayed, Queued])
def test_what_is_not_posted_or_changed_touches_no_account(kind: type[Outcome]) -> None:
    touched = [one for commands, _ in REMEMBERED for one in decide(START, commands) if isinstance(one, kind)]
    assert touched
    assert after(START, touched).state.accounts == START.state.accounts


# A command; what the holds reserve after it; what is refunded of what.
KNOWN: list[tuple[Command, dict[int, object], dict[int, str]]] = [
    (payment(1, "1"), {}, {}),
    (hold(1, 2, "1"), {}, {}),  # it has no name yet
    (capture(HELD), {HELD: Kind.CAPTURE}, {}),
    (capture(HELD, "15"), {HELD: Kind.CAPTURE}, {}),
    (capture(HELD, "15", final=False), {HELD: Decimal("25.00")}, {}),
    (capture(HELD, "40", final=False), {HELD: Kind.CAPTURE}, {}),
    (capture(HELD, "41"), {}, {}),
    (void(HELD), {HELD: Kind.VOID}, {}),
    (refund(PAID), {}, {PAID: "20.00"}),
    (refund(PAID, "21"), {}, {}),
    (group(refund(PAID, "1"), refund(MOVED, "2"), refund(PAID, "3")), {}, {PAID: "4.00", MOVED: "2.00"}),
    (group(refund(PAID, "1"), refund(MOVED, "9")), {}, {}),
    (execute(201, hold(1, 2, "1")), {201: Decimal("1.00")}, {201: "0.00"}),
    (execute(201, payment(1, "1")), {}, {201: "0.00"}),
    (execute(201, refund(PAID, "1")), {}, {PAID: "1.00", 201: "0.00"}),
    (execute(201, void(HELD)), {HELD: Kind.VOID}, {201: "0.00"}),
    (execute(201, refund(PAID, "21")), {}, {}),
    (enqueue(void(HELD)), {}, {}),
]


@pytest.mark.parametrize(("command", "holds", "refunded"), KNOWN)
def test_the_book_knows_what_each_hold_reserves_and_what_is_refunded(
    command: Command, holds: dict[int, object], refunded: dict[int, str]
) -> None:
    ahead = after(START, decide(START, [command]))
    assert ahead.state.holds == START.state.holds | holds
    nothing = dict.fromkeys((PAID, HELD, MOVED), "0.00")
    assert {id_: plain(amount) for id_, amount in ahead.state.refunded.items()} == nothing | refunded


def test_an_expired_hold_is_known_to_be() -> None:
    late = at(NOW + timedelta(seconds=DAY), START)
    assert after(late, decide(late, [expire(HELD)])).state.holds == {HELD: Kind.EXPIRY}


def test_what_was_queued_is_so_until_it_is_posted_or_declined() -> None:
    queue = with_queued(START, 201, 202)
    first, second = decide(queue, [execute(201, payment(1, "1")), execute(202, payment(404, "1"))])
    ahead = after(queue, [first])
    assert ahead.state.pending == {202: Pending(1, Kind.PAYMENT, "queued")}
    expected = Original(201, 1, Kind.PAYMENT, None, 1, Decimal("1.00"), "USD", None, None)
    assert isinstance(first, Executed)
    assert ahead.state.originals == START.state.originals | {201: expected}
    assert after(ahead, [second]).state.pending == {202: Pending(1, Kind.PAYMENT, "declined")}
    assert after(ahead, [second]).state.originals == ahead.state.originals


def test_a_change_is_seen_by_what_comes_after_it() -> None:
    (changed,) = decide(START, [CHANGE])
    assert isinstance(changed, Changed)
    ahead = after(START, [changed])
    assert ahead.state.accounts[1] is ahead.state.details[1] is changed.account
    ahead = after(ahead, decide(ahead, [payment(1, "1")]))
    assert (ahead.state.accounts[1].revision, ahead.state.accounts[1].version) == (
        1,
        START.state.accounts[1].version + 1,
    )


def test_the_book_that_moves_on_is_another_one() -> None:
    before = copy.deepcopy(START)
    for command in [command for commands, _ in REMEMBERED for command in commands] + [known[0] for known in KNOWN]:
        after(START, decide(START, [command]))
    assert before == START
