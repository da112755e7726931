"""The room that an account has, and how a book moves on."""

import copy
from decimal import Decimal

import pytest

from koshel.core.book import after, available, limit
from koshel.core.decide import decide
from koshel.core.model import Account, Declined, OpenAccount, Opened, Outcome, Posted, Refusal, Replayed
from koshel.core.money import plain, plus
from tests.support.wallets import account, book, payment, transfer, withdrawal

# Account; what it can spend at most; what it can be paid at most.
ROOM: list[tuple[Account, str, str]] = [
    (account(1, "10.00"), "10.00", "999989.00"),
    (account(1, "10.00", held="4.00"), "6.00", "999989.00"),
    (account(1, "10.00", floor="-5.00"), "15.00", "999989.00"),
    (account(1, "-4.99", floor="-5.00", ceiling="0.00"), "0.01", "4.99"),
    (account(1, "10.00", held="12.00", floor="-5.00", ceiling="10.00"), "3.00", "0.00"),
    (account(1, "0.00", ceiling=None), "0.00", "999999999999999999.00"),
    (account(1, "0.01", ceiling=None), "0.01", "999999999999999998.99"),
    (account(1, "7", "JPY", ceiling="9"), "7", "2"),
    (account(1, "1", "WEI", ceiling=None), "1.000000000000000000", "999999999999999998.000000000000000000"),
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


def test_without_a_limit_of_its_own_an_account_holds_what_eighteen_digits_can_say() -> None:
    assert limit(account(1, "0", ceiling=None)) == Decimal(10) ** 18 - 1
    assert limit(account(1, "0", ceiling="12.00")) == Decimal(12)


START = book(account(1, "10.00", version=3), account(2, "0.00"), account(9, "0.00", ledger_id=2))
OPENING = OpenAccount(1, "a@example.com", key="opened")
# Outcomes, and the keys that a book remembers after them.
OUTCOMES: list[tuple[list[Outcome], set[tuple[int, str]]]] = [
    (decide(START, [payment(1, "1", key="posted")]), {(1, "posted")}),
    (decide(START, [payment(1, "1")]), set()),
    (decide(START, [withdrawal(1, "99", key="declined")]), {(1, "declined")}),
    (decide(START, [withdrawal(1, "99")]), set()),
    (decide(START, [OPENING]), {(1, "opened")}),
    (decide(START, [OpenAccount(1, "a@example.com")]), set()),
    (decide(START, [OPENING, OPENING]), {(1, "opened")}),
    (decide(START, [OPENING, payment(1, "1", key="opened")]), {(1, "opened")}),
    (decide(START, [payment(1, "1", key="k"), payment(9, "1", key="k", ledger_id=2)]), {(1, "k"), (2, "k")}),
]


@pytest.mark.parametrize(("outcomes", "keys"), OUTCOMES)
def test_a_key_is_remembered_with_its_first_answer(outcomes: list[Outcome], keys: set[tuple[int, str]]) -> None:
    receipts = after(START, outcomes).receipts
    assert receipts.keys() == keys
    assert {id(first) for first in receipts.values()} <= {id(outcome) for outcome in outcomes}


def test_a_posting_moves_balance_and_version_and_nothing_else_of_an_account() -> None:
    ahead = after(START, decide(START, [transfer(1, 2, "4")]))
    assert ahead.accounts == START.accounts | {1: account(1, "6.00", version=4), 2: account(2, "4.00", version=1)}


@pytest.mark.parametrize("kind", [Opened, Declined, Replayed])
def test_only_postings_touch_accounts(kind: type[Outcome]) -> None:
    touched = [outcome for outcomes, _ in OUTCOMES for outcome in outcomes if isinstance(outcome, kind)]
    assert touched
    assert after(START, touched).accounts == START.accounts


def test_the_book_that_moves_on_is_another_one() -> None:
    before = copy.deepcopy(START)
    for outcomes, _ in OUTCOMES:
        after(START, outcomes)
    assert before == START
