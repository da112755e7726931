"""An account is changed as far as its money allows, and closed for good."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import asdict

from koshel.core.commands import ChangeAccount, Command, Status
from koshel.core.decide import decide
from koshel.core.labelled import METADATA_MAX
from koshel.core.model import AccountDetails, Changed, Declined, Posted, Refusal
from koshel.core.money import CEILING, plain
from tests.support.wallets import account, book, capture, detailed, hold, kept, payment, transfer, void, withdrawal

# Of 1: version 1 (it holds 30.00 of its 100.00), revision 5.
BOOK = kept(
    book(
        account(1, "100.00", floor="-20.00", ceiling="500.00", revision=5),
        account(2, "0.00"),
        account(3, "0.00", status=Status.CLOSED),
        account(4, "7", "JPY", status=Status.FROZEN),
        account(5, "0.00", ledger_id=2),
        account(6, "0.00", status=Status.FROZEN),
        account(7, "-3.00", floor="-5.00"),
    ),
    hold(1, 2, "30"),
)


def changed(account_id: int = 1, **fields: Any) -> AccountDetails:
    command = ChangeAccount(1, account_id, **fields)
    (outcome,) = decide(BOOK, [command])
    assert isinstance(outcome, Changed), outcome
    assert outcome.command == command
    return outcome.account


def refused(*commands: Command) -> Refusal:
    *_, outcome = decide(BOOK, commands)
    assert isinstance(outcome, Declined), outcome
    return outcome.refusal


# What is asked for; what is otherwise than before.
CHANGES: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({}, {}),
    ({"email": "new@example.com"}, {"email": "new@example.com"}),
    ({"metadata": {"vip": "yes"}}, {"metadata": {"vip": "yes"}}),  # all of it, not only what is named
    ({"metadata": {}}, {"metadata": {}}),
    ({"metadata_patch": {}}, {}),
    ({"metadata_patch": {"vip": "yes"}}, {"metadata": {"of": "old", "vip": "yes"}}),
    ({"metadata_patch": {"vip": "yes", "of": None}}, {"metadata": {"vip": "yes"}}),
    ({"metadata_patch": {"of": "new", "never": None}}, {"metadata": {"of": "new"}}),
    ({"status": Status.FROZEN}, {"status": "frozen"}),
    ({"status": Status.OPEN}, {}),
    ({"min_balance": Decimal(0)}, {"min_balance": Decimal(0)}),
    ({"min_balance": Decimal("-0.015")}, {"min_balance": Decimal("-0.02")}),
    ({"max_balance": Decimal("99.995")}, {"max_balance": Decimal("100.00")}),
    ({"max_balance": None}, {"max_balance": None}),
    ({"min_balance": Decimal(-9), "max_balance": Decimal(200)}, {"min_balance": Decimal(-9), "max_balance": 200}),
]


@pytest.mark.parametrize(("asked", "expected"), CHANGES)
def test_a_change_changes_what_is_named_and_the_revision(asked: dict[str, Any], expected: dict[str, object]) -> None:
    before = asdict(detailed(BOOK.state.accounts[1]))
    assert asdict(changed(**asked)) == before | {"revision": 6} | expected
    assert changed(**asked).version == 1, "which counts the transactions that touched it"


def test_limits_are_rounded_like_all_money() -> None:
    account = changed(min_balance=Decimal("-0.001"), max_balance=Decimal("1e17") + Decimal("0.125"))
    assert (plain(account.min_balance), plain(account.max_balance or CEILING)) == ("0.00", "100000000000000000.12")


# What the caller has seen (version, revision); whether that is what it is.
EXPECTED: list[tuple[tuple[tuple[int, int], ...] | None, bool]] = [
    (None, True),
    (((1, 5),), True),
    (((0, 0), (1, 5)), True),
    ((), False),
    (((1, 4),), False),  # changed since
    (((0, 5),), False),  # a transaction since
    (((5, 1),), False),
    (((1, 0), (0, 5)), False),
]


@pytest.mark.parametrize(("expected", "is_met"), EXPECTED)
def test_a_change_may_say_what_it_expects(expected: tuple[tuple[int, int], ...] | None, *, is_met: bool) -> None:
    if is_met:
        assert changed(expected=expected).revision == 6
    else:
        assert refused(ChangeAccount(1, 1, expected=expected)) is Refusal.VERSION_MISMATCH


@pytest.mark.parametrize("first", [ChangeAccount(1, 1), payment(1, "1"), void(101)])
def test_whatever_happened_since_is_seen_by_who_expects_otherwise(first: Command) -> None:
    assert refused(first, ChangeAccount(1, 1, expected=((1, 5),))) is Refusal.VERSION_MISMATCH
    outcomes = decide(BOOK, [ChangeAccount(1, 1, expected=((1, 5),)), first])
    assert not [one for one in outcomes if isinstance(one, Declined)]


# What the caller rules out; whether that is what it is.
UNEXPECTED: list[tuple[tuple[tuple[int, int], ...] | None, bool]] = [
    ((), False),
    (((1, 4), (0, 5)), False),
    (((1, 5),), True),
    (((0, 0), (1, 5)), True),
    (None, True),  # wherever it is
]


@pytest.mark.parametrize(("unexpected", "is_met"), UNEXPECTED)
def test_a_change_may_say_what_it_rules_out(unexpected: tuple[tuple[int, int], ...] | None, *, is_met: bool) -> None:
    if is_met:
        assert refused(ChangeAccount(1, 1, unexpected=unexpected)) is Refusal.VERSION_MISMATCH
        assert refused(ChangeAccount(1, 1, expected=((1, 5),), unexpected=unexpected)) is Refusal.VERSION_MISMATCH
    else:
        assert changed(unexpected=unexpected).revision == 6


def test_two_patches_never_lose_each_other() -> None:
    one, other = (ChangeAccount(1, 1, metadata_patch={name: "1"}) for name in ("a", "b"))
    for commands in ([one, other], [other, one]):
        outcome = decide(BOOK, commands)[-1]
        assert isinstance(outcome, Changed)
        assert outcome.account.metadata == {"of": "old", "a": "1", "b": "1"}


@pytest.mark.parametrize(("added", "removed", "fits"), [(49, 0, True), (50, 0, False), (50, 1, True)])
def test_metadata_is_counted_once_it_is_merged(added: int, removed: int, *, fits: bool) -> None:
    patch = {f"n{number}": "" for number in range(added)} | dict.fromkeys(["of"][:removed])
    if fits:
        assert len(changed(metadata_patch=patch).metadata) == METADATA_MAX
    else:
        assert refused(ChangeAccount(1, 1, metadata_patch=patch)) is Refusal.METADATA_TOO_LARGE


# Limits that the money of account 1 (100.00, of which 30.00 held) allows, to the cent; and those beyond.
@pytest.mark.parametrize(
    ("allowed", "beyond", "refusal"),
    [
        ({"min_balance": Decimal(70)}, {"min_balance": Decimal("70.01")}, Refusal.INSUFFICIENT_FUNDS),
        ({"max_balance": Decimal(100)}, {"max_balance": Decimal("99.99")}, Refusal.BALANCE_LIMIT_EXCEEDED),
    ],
)
def test_limits_may_be_set_as_far_as_the_money_allows(
    allowed: dict[str, Any], beyond: dict[str, Any], refusal: Refusal
) -> None:
    changed(**allowed)
    assert refused(ChangeAccount(1, 1, **beyond)) is refusal


def test_an_overdraft_in_use_cannot_be_taken_back() -> None:
    assert refused(ChangeAccount(1, 7, min_balance=Decimal("-2.99"))) is Refusal.INSUFFICIENT_FUNDS
    assert plain(changed(7, min_balance=Decimal(-3)).min_balance) == "-3.00"


def test_new_limits_hold_from_the_next_command_on() -> None:
    lower, raise_ = ChangeAccount(1, 1, min_balance=Decimal(0)), ChangeAccount(1, 1, max_balance=Decimal(100))
    assert refused(lower, withdrawal(1, "70.01")) is Refusal.INSUFFICIENT_FUNDS
    assert refused(raise_, payment(1, "0.01")) is Refusal.BALANCE_LIMIT_EXCEEDED


# The account; what is done before it is closed; the refusal.
CLOSINGS: list[tuple[int, list[Command], Refusal | None]] = [
    (2, [], None),
    (6, [], None),  # frozen, and empty
    (4, [], Refusal.ACCOUNT_NOT_EMPTY),  # frozen, with money
    (7, [], Refusal.ACCOUNT_NOT_EMPTY),  # in debt
    (7, [payment(7, "3")], None),
    (1, [withdrawal(1, "70")], Refusal.ACCOUNT_NOT_EMPTY),  # all that is left is held
    (1, [withdrawal(1, "90"), capture(101, "10")], None),
    (1, [withdrawal(1, "90"), capture(101, "10", final=False)], Refusal.ACCOUNT_NOT_EMPTY),  # no money, but a hold
    (1, [withdrawal(1, "90"), void(101)], Refusal.ACCOUNT_NOT_EMPTY),
    (3, [], Refusal.ACCOUNT_CLOSED),
]


@pytest.mark.parametrize(("account_id", "earlier", "refusal"), CLOSINGS)
def test_only_an_empty_account_is_closed(account_id: int, earlier: list[Command], refusal: Refusal | None) -> None:
    *before, outcome = decide(BOOK, [*earlier, ChangeAccount(1, account_id, status=Status.CLOSED)])
    assert not [one for one in before if isinstance(one, Declined)]
    if refusal is None:
        assert isinstance(outcome, Changed)
        assert outcome.account.status == "closed"
    else:
        assert isinstance(outcome, Declined)
        assert outcome.refusal is refusal


@pytest.mark.parametrize(
    "command",
    [
        ChangeAccount(1, 3),
        ChangeAccount(1, 3, status=Status.OPEN),
        ChangeAccount(1, 3, status=Status.CLOSED),
        ChangeAccount(1, 3, email="b@example.com", expected=((0, 0),)),
        payment(3, "1"),
        withdrawal(3, "1"),
        transfer(1, 3, "1"),
        hold(1, 3, "1"),
        hold(3, 1, "1"),
    ],
)
def test_a_closed_account_stays_so_and_lets_nothing_through(command: Command) -> None:
    assert refused(command) is Refusal.ACCOUNT_CLOSED


@pytest.mark.parametrize("command", [payment(4, "1"), withdrawal(4, "1"), hold(4, None, "1")])
def test_a_frozen_account_lets_no_money_through_until_it_is_opened_again(command: Command) -> None:
    assert refused(command) is Refusal.ACCOUNT_FROZEN
    _, outcome = decide(BOOK, [ChangeAccount(1, 4, status=Status.OPEN), command])
    assert isinstance(outcome, Posted)


def test_a_frozen_account_may_be_changed() -> None:
    account = changed(4, email="new@example.com", max_balance=Decimal(8))
    assert (account.status, account.email, account.max_balance) == ("frozen", "new@example.com", Decimal(8))


@pytest.mark.parametrize("account_id", [404, 5])
def test_an_account_of_nobody_or_of_another_ledger_is_not_changed(account_id: int) -> None:
    assert refused(ChangeAccount(1, account_id)) is Refusal.ACCOUNT_NOT_FOUND


def test_changes_and_transactions_come_one_after_the_other() -> None:
    commands: list[Command] = [
        ChangeAccount(1, 1, email="b@example.com"),
        payment(1, "1"),
        ChangeAccount(1, 1, metadata={"a": "b"}),
        payment(1, "1"),
        ChangeAccount(1, 1),
    ]
    outcome = decide(BOOK, commands)[-1]
    assert isinstance(outcome, Changed)
    one = outcome.account
    assert (one.email, one.metadata, plain(one.balance)) == ("b@example.com", {"a": "b"}, "102.00")
    assert (one.version, one.revision, plain(one.held)) == (3, 8, "30.00")
