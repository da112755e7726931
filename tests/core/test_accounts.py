"""An account is opened with its currency and its limits, for good."""

from decimal import Decimal

import pytest
from msgspec import UNSET, UnsetType

from koshel.core.accounts import currency_of, open_account
from koshel.core.book import available, limit
from koshel.core.commands import OpenAccount
from koshel.core.model import Declined, Opened, Refusal
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
