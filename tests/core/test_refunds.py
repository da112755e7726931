"""Money that returns: the way it came, never more of it than went."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from koshel.core.book import after, available
from koshel.core.commands import ChangeAccount, Command, Kind, Refund, Status
from koshel.core.decide import decide
from koshel.core.model import Book, Declined, Outcome, Posted, Refusal
from koshel.core.money import plain
from koshel.core.sides import Side
from tests.support.looks import accounts_of, source_of, target_of
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
    withdrawal,
)

R = Refusal
PAID, MOVED, LEFT, HELD, CAPTURED, OUTGOING, GONE, VOIDED, EXPIRED, FOREIGN, LEG = range(101, 112)
BOOK = kept(
    book(account(1, "100.00"), account(2, "5.00"), account(5, "50.00", ledger_id=2)),
    payment(1, "20"),
    transfer(1, 2, "10"),
    withdrawal(1, "5"),
    hold(1, 2, "8"),
    capture(HELD, "6", final=False),
    hold(1, None, "3"),
    capture(OUTGOING),
    hold(1, 2, "1"),
    hold(1, 2, "1", seconds=0),
    payment(5, "1", ledger_id=2),
    group(transfer(1, 2, "1"), transfer(1, 2, "2")),
)
BOOK = kept(BOOK, refund(MOVED, "1"), void(VOIDED), expire(EXPIRED), first_id=121)
REFUNDED, VOIDING, EXPIRING = 121, 122, 123
# Of 1: 100 + 20 - 10 - 5 - 6 - 3 - 3 + 1 = 94, 2 of it held. Of 2: 5 + 10 + 6 + 3 - 1 = 23.


def posted(before: Book, command: Command) -> Posted:
    (outcome,) = decide(before, [command])
    assert isinstance(outcome, Posted), outcome
    return outcome


def answer(before: Book, *commands: Command) -> Refusal | None:
    """What the last is refused with."""
    outcome: Outcome
    *_, outcome = decide(before, commands)
    if isinstance(outcome, Declined):
        return outcome.refusal
    assert isinstance(outcome, Posted)
    return None


def purses(before: Book, *commands: Command) -> list[str]:
    """What the two accounts have after the commands."""
    ahead = after(before, decide(before, commands))
    return [plain(ahead.state.accounts[one].balance) for one in (1, 2)]


def test_the_table_starts_from_what_it_says() -> None:
    assert purses(BOOK) == ["94.00", "23.00"]
    assert [plain(available(BOOK.state.accounts[one])) for one in (1, 2)] == ["92.00", "23.00"]


# A refund; from whom, to whom; how much; what the two accounts have after it.
REFUNDS: list[tuple[Refund, tuple[int | None, int | None], str, list[str]]] = [
    (refund(PAID), (1, None), "20.00", ["74.00", "23.00"]),
    (refund(PAID, "0.5"), (1, None), "0.50", ["93.50", "23.00"]),
    (refund(LEFT), (None, 1), "5.00", ["99.00", "23.00"]),
    (refund(LEFT, "5.00499"), (None, 1), "5.00", ["99.00", "23.00"]),  # once rounded, all of it
    (refund(MOVED), (2, 1), "9.00", ["103.00", "14.00"]),  # what an earlier refund has left of it
    (refund(MOVED, "9"), (2, 1), "9.00", ["103.00", "14.00"]),
    (refund(CAPTURED), (2, 1), "6.00", ["100.00", "17.00"]),
    (refund(CAPTURED, "0.015"), (2, 1), "0.02", ["94.02", "22.98"]),
    (refund(GONE), (None, 1), "3.00", ["97.00", "23.00"]),
    (refund(LEG + 1), (2, 1), "2.00", ["96.00", "21.00"]),  # a member of a batch
]


@pytest.mark.parametrize(("command", "sides", "amount", "balances"), REFUNDS)
def test_a_refund_goes_back_the_way_the_money_came(
    command: Refund, sides: tuple[int | None, int | None], amount: str, balances: list[str]
) -> None:
    outcome = posted(BOOK, command)
    assert (outcome.kind, outcome.parent_id, outcome.request) == (Kind.REFUND, command.parent_id, command)
    assert accounts_of(outcome) == sides
    assert (plain(outcome.amount), outcome.currency, outcome.rest) == (amount, "USD", None)
    assert purses(BOOK, command) == balances
    for side in (outcome.source, outcome.target):
        if side is not None:
            assert isinstance(side, Side)
            assert side.version == BOOK.state.accounts[side.account_id].version + 1
            assert (plain(side.balance), int(side.held)) == (
                balances[side.account_id - 1],
                {1: 2, 2: 0}[side.account_id],
            )


def test_a_refund_says_what_its_sides_hold_and_leaves_it_as_it_was() -> None:
    captured, paid = posted(BOOK, refund(CAPTURED)), posted(BOOK, refund(PAID))
    assert [source_of(captured).held, target_of(captured).held] == [0, 2]
    assert (int(source_of(paid).held), paid.target) == (2, None)
    assert after(BOOK, decide(BOOK, [refund(CAPTURED)])).state.holds == BOOK.state.holds


def test_a_refund_keeps_its_key_and_its_notes() -> None:
    command = replace(refund(PAID, key="k"), metadata={"why": "broken"})
    assert (posted(BOOK, command).key, posted(BOOK, command).metadata) == ("k", {"why": "broken"})


# Refunds of one transaction of 20; what the last is refused with.
REPEATED: list[tuple[list[str | None], Refusal | None]] = [
    ([None], None),
    (["20"], None),
    (["20.01"], R.REFUND_EXCEEDS_ORIGINAL),
    (["999999999999999999"], R.REFUND_EXCEEDS_ORIGINAL),
    (["20", "0.01"], R.REFUND_EXCEEDS_ORIGINAL),
    ([None, None], R.REFUND_EXCEEDS_ORIGINAL),  # nothing is left
    (["12", "8"], None),
    (["12", None], None),
    (["12", "8.01"], R.REFUND_EXCEEDS_ORIGINAL),
    (["12", "8.01", "8"], None),  # a refused one counts for nothing
    (["12", "8", None], R.REFUND_EXCEEDS_ORIGINAL),
    (["0.01"] * 20, None),
]


@pytest.mark.parametrize(("amounts", "refusal"), REPEATED)
def test_the_refunds_of_one_transaction_never_add_up_to_more_than_it(
    amounts: list[str | None], refusal: Refusal | None
) -> None:
    commands = [refund(PAID, amount) for amount in amounts]
    assert answer(BOOK, *commands) is refusal
    cut = BOOK
    for command in commands[:-1]:
        cut = after(cut, decide(cut, [command]))
    assert answer(cut, commands[-1]) is refusal


def test_the_captures_of_one_hold_are_refunded_each_for_itself() -> None:
    before = kept(BOOK, capture(HELD), first_id=201)  # the last 2 of it
    assert answer(before, refund(201), refund(CAPTURED)) is None
    assert answer(before, refund(201, "2.01")) is R.REFUND_EXCEEDS_ORIGINAL


# What is to be refunded, and is no money that was moved.
UNREFUNDABLE: list[tuple[int, Refusal, str | None]] = [
    (HELD, R.NOT_REFUNDABLE, "hold"),
    (OUTGOING, R.NOT_REFUNDABLE, "hold"),
    (VOIDING, R.NOT_REFUNDABLE, "void"),
    (EXPIRING, R.NOT_REFUNDABLE, "expiry"),
    (REFUNDED, R.NOT_REFUNDABLE, "refund"),
    (404, R.TRANSACTION_NOT_FOUND, None),
    (0, R.TRANSACTION_NOT_FOUND, None),
    (FOREIGN, R.TRANSACTION_NOT_FOUND, None),  # another ledger's
]


@pytest.mark.parametrize(("parent_id", "refusal", "kind"), UNREFUNDABLE)
def test_only_money_that_was_moved_can_be_sent_back(parent_id: int, refusal: Refusal, kind: str | None) -> None:
    for command in (refund(parent_id), refund(parent_id, "1")):
        (outcome,) = decide(BOOK, [command])
        assert isinstance(outcome, Declined)
        assert (outcome.refusal, outcome.facts.get("kind")) == (refusal, kind)


def test_what_is_queued_or_was_refused_cannot_be_sent_back() -> None:
    request, refused = payment(1, "5"), payment(404, "5")
    before = kept(BOOK, enqueue(request), enqueue(refused), first_id=201)
    (outcome,) = decide(before, [refund(201)])
    assert isinstance(outcome, Declined)
    facts = {"transaction_id": 201, "kind": "payment", "status": "queued"}
    assert (outcome.refusal, outcome.facts) == (R.NOT_REFUNDABLE, facts)
    assert answer(before, refund(201, ledger_id=2)) is R.TRANSACTION_NOT_FOUND
    before = after(before, decide(before, [execute(201, request), execute(202, refused)]))
    assert answer(before, refund(201)) is None
    (outcome,) = decide(before, [refund(202)])
    assert isinstance(outcome, Declined)
    facts = {"transaction_id": 202, "kind": "payment", "status": "declined"}
    assert (outcome.refusal, outcome.facts) == (R.NOT_REFUNDABLE, facts)


@pytest.mark.parametrize("amount", ["0.005", "0.0000001", "999999999999999999.995"])
def test_what_rounds_to_nothing_or_to_too_many_digits_is_not_sent_back(amount: str) -> None:
    for parent_id in (PAID, LEFT, MOVED):
        assert answer(BOOK, refund(parent_id, amount)) is R.AMOUNT_OUT_OF_RANGE


# What has happened to the money before its refund, and the refusal.
GONE_ASTRAY: list[tuple[list[Command], Refund, Refusal | None]] = [
    ([withdrawal(2, "14")], refund(MOVED), None),
    ([withdrawal(2, "14.01")], refund(MOVED), R.INSUFFICIENT_FUNDS),
    ([hold(2, None, "14.01")], refund(MOVED), R.INSUFFICIENT_FUNDS),
    ([withdrawal(2, "14.01")], refund(MOVED, "8.99"), None),
    ([withdrawal(2, "23"), ChangeAccount(1, 2, min_balance=Decimal(-9))], refund(MOVED), None),
    ([withdrawal(1, "92")], refund(PAID, "0.01"), R.INSUFFICIENT_FUNDS),
    ([ChangeAccount(1, 1, max_balance=Decimal(103))], refund(MOVED), None),
    ([ChangeAccount(1, 1, max_balance=Decimal("102.99"))], refund(MOVED), R.BALANCE_LIMIT_EXCEEDED),
    ([ChangeAccount(1, 1, max_balance=Decimal("98.99"))], refund(LEFT), R.BALANCE_LIMIT_EXCEEDED),
    ([ChangeAccount(1, 1, status=Status.FROZEN)], refund(MOVED), R.ACCOUNT_FROZEN),
    ([ChangeAccount(1, 1, status=Status.FROZEN)], refund(LEFT), R.ACCOUNT_FROZEN),
    ([ChangeAccount(1, 2, status=Status.FROZEN)], refund(MOVED), R.ACCOUNT_FROZEN),
    ([ChangeAccount(1, 2, status=Status.FROZEN)], refund(PAID), None),  # the other account's
    ([withdrawal(2, "23"), ChangeAccount(1, 2, status=Status.CLOSED)], refund(MOVED), R.ACCOUNT_CLOSED),
]


@pytest.mark.parametrize(("meanwhile", "command", "refusal"), GONE_ASTRAY)
def test_a_refund_needs_the_money_and_two_accounts_that_let_it_through(
    meanwhile: list[Command], command: Refund, refusal: Refusal | None
) -> None:
    assert not [one for one in decide(BOOK, meanwhile) if isinstance(one, Declined)]
    assert answer(BOOK, *meanwhile, command) is refusal


def test_a_refund_is_rounded_to_the_accounts_currency() -> None:
    before = kept(book(account(4, "0", "JPY")), payment(4, "7"))
    assert plain(posted(before, refund(101, "2.5")).amount) == "2"
    assert answer(before, refund(101, "0.5")) is R.AMOUNT_OUT_OF_RANGE
