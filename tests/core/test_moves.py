"""The rules of moving money, as tables. Accounts of every table are in WALLETS unless a row brings its own."""

from decimal import Decimal

import msgspec
import pytest

from koshel.core.book import after
from koshel.core.commands import Command, Move
from koshel.core.decide import decide
from koshel.core.model import Declined, Outcome, Posted, Refusal
from koshel.core.money import plain
from koshel.core.sides import Named, Side
from tests.support.looks import accounts_of
from tests.support.wallets import NOW, account, book, payment, transfer, withdrawal

R = Refusal
EIGHTEEN_NINES = "999999999999999999"

WALLETS = (
    account(1, "100.00", version=4),
    account(2, "5.00", version=9),
    account(3, "0.00", "KWD"),
    account(4, "1000", "JPY", version=1),
    account(5, "50.00", ledger_id=2),
    account(6, "50.00", "KWD", ledger_id=2),
    account(7, "99.99", ceiling="100.00"),
    account(8, "3.10", floor="-20.00", held="13.10"),
    account(9, "0.00", held="5.00"),  # can spend less than nothing: more is held than there is
    account(10, "20.00", ceiling="10.00"),  # has more than it may: its limit was lowered
    account(11, "0.000000000000000001", "WEI"),
    account(12, EIGHTEEN_NINES, ceiling=None),
    msgspec.structs.replace(account(13, "5", "JPY"), currency="USD"),  # opened when a dollar had no cents
)
MISSING = 404
JPY: dict[str, str | int] = {"currency": "JPY", "scale": 0}
USED = payment(1, "1", key="used")
BOOK = after(book(*WALLETS), decide(book(*WALLETS), [USED]))


def decide_one(command: Command) -> Outcome:
    (outcome,) = decide(BOOK, [command])
    return outcome


# A command that several refusals apply to, and which: the first of them in Refusal's own order wins.
PRECEDENCE: list[tuple[Command, list[Refusal]]] = [
    (transfer(1, 1, "1", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.SAME_ACCOUNT]),
    (payment(MISSING, "1", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.ACCOUNT_NOT_FOUND]),
    (transfer(1, 3, "1", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.CURRENCY_MISMATCH]),
    (payment(1, "0.001", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.AMOUNT_OUT_OF_RANGE]),
    (withdrawal(1, "500", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.INSUFFICIENT_FUNDS]),
    (payment(1, "1e6", key="used"), [R.IDEMPOTENCY_KEY_REUSED, R.BALANCE_LIMIT_EXCEEDED]),
    (transfer(MISSING, MISSING, "0.001"), [R.SAME_ACCOUNT, R.ACCOUNT_NOT_FOUND]),
    (transfer(9, 9, "0.001"), [R.SAME_ACCOUNT, R.AMOUNT_OUT_OF_RANGE, R.INSUFFICIENT_FUNDS]),
    (transfer(10, 10, "50"), [R.SAME_ACCOUNT, R.INSUFFICIENT_FUNDS, R.BALANCE_LIMIT_EXCEEDED]),
    (transfer(1, 6, "500"), [R.ACCOUNT_NOT_FOUND, R.CURRENCY_MISMATCH, R.INSUFFICIENT_FUNDS]),
    (transfer(6, 1, "1e6"), [R.ACCOUNT_NOT_FOUND, R.CURRENCY_MISMATCH, R.BALANCE_LIMIT_EXCEEDED]),
    (transfer(9, MISSING, "0.001"), [R.ACCOUNT_NOT_FOUND, R.AMOUNT_OUT_OF_RANGE, R.INSUFFICIENT_FUNDS]),
    (transfer(9, 3, "0.0001"), [R.CURRENCY_MISMATCH, R.AMOUNT_OUT_OF_RANGE, R.INSUFFICIENT_FUNDS]),
    (transfer(3, 10, "50"), [R.CURRENCY_MISMATCH, R.INSUFFICIENT_FUNDS, R.BALANCE_LIMIT_EXCEEDED]),
    (withdrawal(9, "0.005"), [R.AMOUNT_OUT_OF_RANGE, R.INSUFFICIENT_FUNDS]),
    (payment(10, "0.005"), [R.AMOUNT_OUT_OF_RANGE, R.BALANCE_LIMIT_EXCEEDED]),
    (transfer(2, 7, "5.01"), [R.INSUFFICIENT_FUNDS, R.BALANCE_LIMIT_EXCEEDED]),
    (transfer(1, 7, "0.02"), [R.BALANCE_LIMIT_EXCEEDED]),
]


@pytest.mark.parametrize(("command", "applying"), PRECEDENCE)
def test_the_first_refusal_that_applies_is_the_answer(command: Command, applying: list[Refusal]) -> None:
    outcome = decide_one(command)
    assert isinstance(outcome, Declined)
    assert outcome.refusal is min(applying, key=list(Refusal).index)
    assert outcome.command == command


def test_the_table_of_precedence_is_in_order() -> None:
    winners = [applying[0] for _, applying in PRECEDENCE]
    assert winners == sorted(winners, key=list(Refusal).index)


def test_each_fault_that_is_mended_reveals_the_next() -> None:
    move = transfer(MISSING, MISSING, "0.001", key="used")
    steps: list[tuple[dict[str, object], Refusal | None]] = [
        ({}, R.IDEMPOTENCY_KEY_REUSED),
        ({"key": None}, R.SAME_ACCOUNT),
        ({"source_account_id": 9}, R.ACCOUNT_NOT_FOUND),
        ({"target_account_id": 3, "amount": Decimal("0.0001")}, R.CURRENCY_MISMATCH),
        ({"target_account_id": 10}, R.AMOUNT_OUT_OF_RANGE),
        ({"amount": Decimal(1)}, R.INSUFFICIENT_FUNDS),
        ({"source_account_id": 1}, R.BALANCE_LIMIT_EXCEEDED),
        ({"target_account_id": 2}, None),
    ]
    for mended, refusal in steps:
        move = msgspec.structs.replace(move, **mended)
        outcome = decide_one(move)
        assert (outcome.refusal if isinstance(outcome, Declined) else None) is refusal


# Command; what was moved; source's balance and version after it; target's.
POSTINGS: list[tuple[Move, str, tuple[str, int] | None, tuple[str, int] | None]] = [
    (payment(1, "12.5"), "12.50", None, ("113.50", 6)),
    (withdrawal(1, "12.5"), "12.50", ("88.50", 6), None),
    (transfer(1, 2, "1"), "1.00", ("100.00", 6), ("6.00", 10)),
    (transfer(1, 2, "12.345"), "12.34", ("88.66", 6), ("17.34", 10)),
    (transfer(1, 2, "12.355"), "12.36", ("88.64", 6), ("17.36", 10)),
    (withdrawal(2, "5.005"), "5.00", ("0.00", 10), None),  # all of it, once rounded
    (payment(7, "0.0149"), "0.01", None, ("100.00", 1)),  # up to its limit
    (withdrawal(8, "10"), "10.00", ("-6.90", 1), None),  # into the overdraft, and not into what is held
    (payment(4, "1e2"), "100", None, ("1100", 2)),
    (payment(3, "0.0005000000001"), "0.001", None, ("0.001", 1)),
    (withdrawal(11, "1e-18"), "0.000000000000000001", ("0.000000000000000000", 1), None),
    (withdrawal(12, EIGHTEEN_NINES), f"{EIGHTEEN_NINES}.00", ("0.00", 1), None),
]


@pytest.mark.parametrize(("command", "amount", "source", "target"), POSTINGS)
def test_a_move_is_posted_with_both_sides_as_they_stand_after_it(
    command: Move, amount: str, source: tuple[str, int] | None, target: tuple[str, int] | None
) -> None:
    outcome = decide_one(command)
    assert isinstance(outcome, Posted)
    assert plain(outcome.amount) == amount
    assert _told(outcome.source) == source
    assert _told(outcome.target) == target
    assert accounts_of(outcome) == (command.source_account_id, command.target_account_id)
    held = {one.id: one.held for one in WALLETS}
    assert all(side.held is held[side.account_id] for side in (outcome.source, outcome.target) if side)  # stays so
    currencies = {one.id: one.currency for one in WALLETS}
    assert outcome.currency == currencies[command.source_account_id or command.target_account_id or 0]
    assert (outcome.ctime, outcome.kind, outcome.ledger_id, outcome.id) == (NOW, command.kind, 1, 0)


def _told(side: Side | Named | None) -> tuple[str, int] | None:
    if side is None:
        return None
    assert isinstance(side, Side)
    return plain(side.balance), side.version


def test_a_posting_keeps_its_metadata_and_its_key() -> None:
    outcome = decide_one(payment(1, "1", key="new", metadata={"order": "17"}))
    assert isinstance(outcome, Posted)
    assert (outcome.metadata, outcome.key) == ({"order": "17"}, "new")
