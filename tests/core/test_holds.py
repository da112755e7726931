"""Money that waits: what a hold reserves, what its captures take, and what is free again."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from koshel.core.book import after, available
from koshel.core.commands import Capture, Command, Hold, Kind, Void
from koshel.core.decide import decide
from koshel.core.model import Book, Declined, Posted, Refusal
from koshel.core.money import plain
from koshel.core.sides import Named
from tests.support.looks import at, source_of, target_of
from tests.support.wallets import (
    DAY,
    NOW,
    account,
    book,
    capture,
    expire,
    group,
    hold,
    kept,
    payment,
    transfer,
    void,
    withdrawal,
)

R = Refusal
HELD, OUTGOING, PAID = 101, 102, 103
WALLETS = (
    account(1, "100.00", version=4, floor="-20.00"),
    account(2, "5.00", version=9, ceiling="50.00"),
    account(3, "0.00", "KWD"),
    account(4, "1000", "JPY"),
    account(5, "50.00", ledger_id=2),
)
START = book(*WALLETS)
BOOK = kept(
    START,
    hold(1, 2, "40", seconds=60),  # of 1: balance 100, held 70, available 50, version 7
    hold(1, None, "30"),
    payment(1, "0.01"),
)
SCALE_CHANGED = replace(account(6, "5", "JPY"), currency="USD")  # opened when a dollar had no cents


def posted(before: Book, command: Command) -> Posted:
    (outcome,) = decide(before, [command])
    assert isinstance(outcome, Posted), outcome
    return outcome


def refused(before: Book, command: Command) -> Refusal:
    (outcome,) = decide(before, [command])
    assert isinstance(outcome, Declined), outcome
    return outcome.refusal


def purse(before: Book, account_id: int, *commands: Command) -> tuple[str, str, str, int]:
    """What the account has, holds and can spend after the commands, and its version."""
    one = after(before, decide(before, commands)).state.accounts[account_id]
    return plain(one.balance), plain(one.held), plain(available(one)), one.version


# What is held; what the source has, holds and can spend after it, and its version.
RESERVED: list[tuple[Hold, tuple[str, str, str, int]]] = [
    (hold(1, 2, "40"), ("100.00", "40.00", "80.00", 5)),
    (hold(1, None, "40"), ("100.00", "40.00", "80.00", 5)),
    (hold(1, 2, "120"), ("100.00", "120.00", "0.00", 5)),  # of the overdraft, too; more than the target may have
    (hold(1, 2, "0.015"), ("100.00", "0.02", "119.98", 5)),
    (hold(1, 2, "0.025"), ("100.00", "0.02", "119.98", 5)),
    (hold(4, None, "1e3"), ("1000", "1000", "0", 1)),
]


@pytest.mark.parametrize(("command", "expected"), RESERVED)
def test_a_hold_reserves_and_moves_nothing(command: Hold, expected: tuple[str, str, str, int]) -> None:
    outcome = posted(START, command)
    named = None if command.target_account_id is None else Named(command.target_account_id)
    assert (outcome.kind, outcome.target) == (Kind.HOLD, named)
    assert outcome.amount == outcome.rest == source_of(outcome).held == Decimal(expected[1])
    assert purse(START, command.source_account_id, command) == expected
    assert after(START, [outcome]).state.accounts[2] == WALLETS[1]


@pytest.mark.parametrize(("command", "seconds"), [(hold(1, 2, "1"), DAY), (hold(1, 2, "1", seconds=1), 1)])
def test_a_hold_ends_after_the_time_that_was_asked_for_or_the_default(command: Hold, seconds: int) -> None:
    outcome = posted(START, command)
    assert (outcome.ctime, outcome.expires_at) == (NOW, NOW + timedelta(seconds=seconds))


def test_a_hold_keeps_what_was_asked() -> None:
    command = hold(1, 2, "1.005", key="k", metadata={"order": "1"})
    outcome = posted(START, command)
    assert (outcome.request, outcome.key, outcome.metadata) == (command, "k", {"order": "1"})
    assert (outcome.parent_id, outcome.currency, outcome.ledger_id) == (None, "USD", 1)


UNHOLDABLE: list[tuple[Hold, Refusal]] = [
    (hold(1, 1, "1"), R.SAME_ACCOUNT),
    (hold(404, 1, "1"), R.ACCOUNT_NOT_FOUND),
    (hold(1, 404, "1"), R.ACCOUNT_NOT_FOUND),
    (hold(1, 5, "1"), R.ACCOUNT_NOT_FOUND),  # another ledger's
    (hold(1, 3, "1"), R.CURRENCY_MISMATCH),
    (hold(1, 6, "1"), R.CURRENCY_MISMATCH),
    (hold(1, 2, "0.005"), R.AMOUNT_OUT_OF_RANGE),
    (hold(4, None, "999999999999999999.5"), R.AMOUNT_OUT_OF_RANGE),
    (hold(1, 2, "120.01"), R.INSUFFICIENT_FUNDS),
]


@pytest.mark.parametrize(("command", "refusal"), UNHOLDABLE)
def test_what_cannot_be_moved_cannot_be_held(command: Hold, refusal: Refusal) -> None:
    assert refused(book(*WALLETS, SCALE_CHANGED), command) is refusal


def test_what_is_held_cannot_be_spent_or_held_again() -> None:
    for spend in (withdrawal(1, "50.02"), transfer(1, 2, "50.02"), hold(1, None, "50.02")):
        assert refused(BOOK, spend) is R.INSUFFICIENT_FUNDS
    assert purse(BOOK, 1, withdrawal(1, "50.01")) == ("50.00", "70.00", "0.00", 8)


# Captures of the hold of 40; what the last has moved and left; what the source has, holds and can spend after them.
CAPTURED: list[tuple[list[Command], str, str, tuple[str, str, str, int]]] = [
    ([capture(HELD)], "40.00", "0.00", ("60.01", "30.00", "50.01", 8)),
    ([capture(HELD, "40")], "40.00", "0.00", ("60.01", "30.00", "50.01", 8)),
    ([capture(HELD, "40", final=False)], "40.00", "0.00", ("60.01", "30.00", "50.01", 8)),
    ([capture(HELD, final=False)], "40.00", "0.00", ("60.01", "30.00", "50.01", 8)),
    ([capture(HELD, "15")], "15.00", "0.00", ("85.01", "30.00", "75.01", 8)),
    ([capture(HELD, "15", final=False)], "15.00", "25.00", ("85.01", "55.00", "50.01", 8)),
    ([capture(HELD, "15", final=False), capture(HELD)], "25.00", "0.00", ("60.01", "30.00", "50.01", 9)),
    ([capture(HELD, "15", final=False), capture(HELD, "5")], "5.00", "0.00", ("80.01", "30.00", "70.01", 9)),
    ([capture(HELD, "0.01", final=False)] * 3, "0.01", "39.97", ("99.98", "69.97", "50.01", 10)),
    ([capture(HELD, "0.015")], "0.02", "0.00", ("99.99", "30.00", "89.99", 8)),
    ([capture(HELD, "40.005")], "40.00", "0.00", ("60.01", "30.00", "50.01", 8)),  # once rounded, all of it
]


@pytest.mark.parametrize(("commands", "amount", "rest", "source"), CAPTURED)
def test_a_capture_moves_what_was_held_and_the_last_one_frees_the_rest(
    commands: list[Command], amount: str, rest: str, source: tuple[str, str, str, int]
) -> None:
    *_, last = decide(BOOK, commands)
    assert isinstance(last, Posted)
    assert (last.kind, last.parent_id, last.request) == (Kind.CAPTURE, HELD, commands[-1])
    assert (source_of(last).account_id, target_of(last).account_id, last.currency) == (1, 2, "USD")
    assert (plain(last.amount), plain(last.rest or Decimal("0.00"))) == (amount, rest)
    assert purse(BOOK, 1, *commands) == source
    received = Decimal("100.01") - Decimal(source[0])
    assert purse(BOOK, 2, *commands)[0] == plain(5 + received)
    assert target_of(last).version == 9 + len(commands)


def test_a_capture_of_a_part_is_exact_to_the_last_digit() -> None:
    most = "100000000000000000.000000000000000004"
    zero, balance = Decimal("0.000000000000000000"), Decimal(most)
    start = replace(account(1, "0.00", version=4), scale=18, balance=balance, held=zero, min_balance=zero)
    before = kept(book(start), hold(1, None, most))
    found = posted(before, replace(capture(101, "0.000000000000000001"), final=False))
    assert found.source is not None
    assert plain(found.source.held) == plain(found.source.balance) == "100000000000000000.000000000000000003"


def test_a_capture_of_a_hold_without_a_target_leaves_for_the_outside() -> None:
    outcome = posted(BOOK, capture(OUTGOING, "10", final=False))
    assert outcome.target is None
    assert purse(BOOK, 1, capture(OUTGOING, "10", final=False)) == ("90.01", "60.00", "50.01", 8)


def test_a_capture_says_what_its_target_holds_itself() -> None:
    before = kept(BOOK, hold(2, None, "3"), first_id=201)
    assert target_of(posted(before, capture(HELD))).held == Decimal(3)
    assert target_of(posted(BOOK, capture(HELD))).held == 0


def test_a_hold_of_the_whole_overdraft_can_be_captured_to_the_floor() -> None:
    before = kept(START, hold(1, None, "120"))
    assert purse(before, 1, capture(101)) == ("-20.00", "0.00", "0.00", 6)


@pytest.mark.parametrize(("release", "kind", "now"), [(void(HELD), Kind.VOID, 59), (expire(HELD), Kind.EXPIRY, 60)])
@pytest.mark.parametrize(("captured", "released"), [(None, "40.00"), ("15", "25.00")])
def test_a_void_and_an_expiry_free_all_that_is_still_held(
    release: Command, kind: Kind, now: int, captured: str | None, released: str
) -> None:
    before = BOOK if captured is None else kept(BOOK, capture(HELD, captured, final=False), first_id=201)
    before = at(NOW + timedelta(seconds=now), before)
    outcome = posted(before, release)
    assert (outcome.kind, outcome.parent_id, plain(outcome.amount)) == (kind, HELD, released)
    assert (source_of(outcome).account_id, outcome.target) == (1, Named(2))
    source = before.state.accounts[1]
    spendable = plain(available(source) + Decimal(released))
    assert purse(before, 1, release) == (plain(source.balance), "30.00", spendable, source.version + 1)
    assert after(before, [outcome]).state.accounts[2] == before.state.accounts[2]


def test_the_last_hold_that_goes_leaves_no_trace_of_holding() -> None:
    outcomes = decide(BOOK, [void(HELD), capture(OUTGOING)])
    assert [source_of(one).held for one in outcomes if isinstance(one, Posted)] == [Decimal(30), Decimal(0)]


def test_holds_of_one_account_do_not_touch_each_other() -> None:
    commands: list[Command] = [capture(HELD, "10", final=False), void(OUTGOING), capture(HELD)]
    assert purse(BOOK, 1, *commands) == ("60.01", "0.00", "80.01", 10)


def test_a_hold_made_in_the_same_batch_has_no_name_yet() -> None:
    (outcome,) = decide(START, [group(hold(1, 2, "5"), capture(0))])
    assert isinstance(outcome, Declined)
    assert (outcome.facts, outcome.cause and outcome.cause.refusal) == ({"index": 1}, R.TRANSACTION_NOT_FOUND)


@pytest.mark.parametrize("command", [capture(HELD, key="k"), void(HELD, key="k")])
def test_what_follows_a_hold_keeps_its_key_and_its_notes(command: Capture | Void) -> None:
    noted = replace(command, metadata={"order": "1"})
    outcome = posted(BOOK, noted)
    assert (outcome.key, outcome.metadata, outcome.request) == ("k", {"order": "1"}, noted)
