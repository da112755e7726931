"""An account is opened with its currency and its limits, for good."""

from decimal import Decimal

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from koshel.core.accounts import currency_of, open_account
from koshel.core.book import available, limit
from koshel.core.commands import ERASED, EnsureAccount, OpenAccount
from koshel.core.model import AccountDetails, Book, Declined, Facts, Found, Opened, Refusal, State
from koshel.core.money import CEILING, plain
from tests.support.wallets import NOW, book

EMAIL = "ann@example.com"


def opened(command: OpenAccount) -> Opened:
    outcome = open_account(book(), command)
    assert isinstance(outcome, Opened)
    assert outcome.command == command
    return outcome


def test_an_account_opened_with_its_email_alone_is_empty_and_has_the_defaults() -> None:
    command = OpenAccount(7, EMAIL, default_currency="KWD", default_max_balance=Decimal("999999.99"))
    account = opened(command).account
    assert (account.ledger_id, account.id, account.version, account.status) == (7, 0, 0, "open")
    assert (account.email, account.currency, account.scale) == (EMAIL, "KWD", 3)
    assert [plain(money) for money in (account.balance, account.held, account.min_balance)] == ["0.000"] * 3
    assert account.max_balance == Decimal("999999.99")
    assert (account.metadata, account.ctime) == ({}, NOW)


def test_what_the_caller_says_goes_before_the_defaults() -> None:
    command = OpenAccount(
        1,
        EMAIL,
        "JPY",
        Decimal(-500),
        Decimal(10),
        {"vip": "yes"},
        default_currency="USD",
        default_max_balance=Decimal(1),
    )
    account = opened(command).account
    assert (account.currency, account.scale, account.metadata) == ("JPY", 0, {"vip": "yes"})
    assert (account.min_balance, account.max_balance) == (Decimal(-500), Decimal(10))


# What was asked, the default, the currency; the account's own limit.
LIMITS: list[tuple[Decimal | UnsetType | None, Decimal | None, str, str | None]] = [
    (UNSET, Decimal("999999.99"), "USD", "999999.99"),
    (UNSET, Decimal("999999.99"), "JPY", "1000000"),  # rounded like all money
    (UNSET, None, "USD", None),
    (None, Decimal("999999.99"), "USD", None),
    (Decimal(0), Decimal("999999.99"), "USD", "0.00"),
    (Decimal("0.005"), None, "USD", "0.00"),
    (Decimal("0.015"), None, "USD", "0.02"),
    (Decimal("1e-18"), None, "WEI", "0.000000000000000001"),
]


@pytest.mark.parametrize(("asked", "default", "currency", "expected"), LIMITS)
def test_the_ceiling_is_what_was_asked_or_the_default_and_null_is_none(
    asked: Decimal | UnsetType | None, default: Decimal | None, currency: str, expected: str | None
) -> None:
    account = opened(OpenAccount(1, EMAIL, currency, max_balance=asked, default_max_balance=default)).account
    assert (None if account.max_balance is None else plain(account.max_balance)) == expected


@pytest.mark.parametrize(
    ("asked", "currency", "expected"),
    [("-20", "USD", "-20.00"), ("-0.015", "USD", "-0.02"), ("-0.001", "USD", "0.00"), ("-0", "JPY", "0")],
)
def test_the_floor_is_rounded_and_nothing_is_never_negative(asked: str, currency: str, expected: str) -> None:
    assert plain(opened(OpenAccount(1, EMAIL, currency, Decimal(asked))).account.min_balance) == expected


@pytest.mark.parametrize("currency", ["JPY", "USD", "KWD", "WEI"])
def test_limits_that_round_past_eighteen_digits_still_keep_balances_within_them(currency: str) -> None:
    most = Decimal("9" * 18 + "." + "9" * 30)
    account = opened(OpenAccount(1, EMAIL, currency, most.copy_negate(), most)).account
    assert limit(account) < CEILING
    assert available(account) < CEILING


@pytest.mark.parametrize(("asked", "default", "currency"), [("KWD", "USD", "KWD"), (UNSET, "USD", "USD")])
def test_the_currency_is_the_one_asked_for_or_the_default(asked: str | UnsetType, default: str, currency: str) -> None:
    assert currency_of(OpenAccount(1, EMAIL, asked, default_currency=default)) == currency


@pytest.mark.parametrize("currency", ["GOLD", "usd", ""])
def test_a_currency_that_nobody_knows_opens_nothing(currency: str) -> None:
    command = OpenAccount(1, EMAIL, currency)
    assert open_account(book(), command) == Declined(command, Refusal.UNKNOWN_CURRENCY, {"currency": currency})


def test_of_an_erased_account_only_what_was_not_erased_is_compared() -> None:
    gone = AccountDetails(
        *(1, 5, "USD", 2, Decimal("0.00"), Decimal("0.00"), 3, 1, Decimal("0.00"), None, "closed"),
        name="users:5",
        email=ERASED,
        metadata={},
        ctime=NOW,
    )
    state = State({5: gone}, details={5: gone})
    asked = EnsureAccount(1, "users:5", "5@example.com", metadata={"of": "old"}, id=5)
    found = open_account(Book(Facts(NOW, {"USD": 2}), state), replace(asked, default_currency="USD"))
    assert found == Found(replace(asked, default_currency="USD"), gone)
    other = replace(asked, currency="JPY")
    refused = open_account(Book(Facts(NOW, {"JPY": 0}), state), other)
    assert isinstance(refused, Declined)
    assert (refused.refusal, refused.facts["field"]) == (Refusal.NAME_TAKEN, "currency")
