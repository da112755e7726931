"""The nouns: what a wallet keeps, what it is asked, what it answers. Data only.

    command  OpenAccount · Move          what somebody wants           (imperative)
    outcome  Opened · Posted · Declined  what became of it             (past tense)
             Replayed                    ... and had already become, for the same key
    book     accounts, receipts, scales and the time: all that `decide` may look at

Money is `Decimal` with exactly as many decimals as the currency has, once it is past `decide`.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

Metadata: TypeAlias = Mapping[str, str]


class Kind(StrEnum):
    """Where a transaction's money comes from and goes to."""

    PAYMENT = "payment"  # from outside, into a target
    WITHDRAWAL = "withdrawal"  # out of a source, to the outside
    TRANSFER = "transfer"  # from a source to a target


class Refusal(StrEnum):
    """Why a command is declined, in order of precedence: the first that applies is the answer."""

    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    UNKNOWN_CURRENCY = "unknown-currency"
    SAME_ACCOUNT = "same-account"
    ACCOUNT_NOT_FOUND = "account-not-found"
    CURRENCY_MISMATCH = "currency-mismatch"
    AMOUNT_OUT_OF_RANGE = "amount-out-of-range"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    BALANCE_LIMIT_EXCEEDED = "balance-limit-exceeded"


class Account(Struct, frozen=True, gc=False):
    """The part of an account that a decision needs, as it stood when its row was locked."""

    ledger_id: int
    id: int
    currency: str
    scale: int  # decimals of the currency, fixed when the account was opened
    balance: Decimal
    held: Decimal
    version: int  # how many transactions have touched the account
    min_balance: Decimal
    max_balance: Decimal | None
    status: str


class AccountDetails(Account, frozen=True, gc=False):
    """An account with what a decision does not need."""

    email: str
    metadata: Metadata
    ctime: datetime


class OpenAccount(Struct, frozen=True, gc=False, tag="open-account"):
    """Open an account. What the caller left out is UNSET, and a default stands beside it."""

    ledger_id: int
    email: str
    currency: str | UnsetType = UNSET
    min_balance: Decimal = Decimal(0)
    max_balance: Decimal | UnsetType | None = UNSET
    metadata: Metadata = field(default_factory=dict)
    key: str | None = None
    default_currency: str = "USD"
    default_max_balance: Decimal | None = None


class Move(Struct, frozen=True, gc=False, tag="move"):
    """Move `amount` from source to target; a side that is None is the world outside."""

    ledger_id: int
    kind: Kind
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal  # positive, not rounded yet
    metadata: Metadata = field(default_factory=dict)
    key: str | None = None


Command: TypeAlias = OpenAccount | Move


class Opened(Struct, tag="opened"):
    """A new account. Its id is 0 until the database has given one."""

    command: OpenAccount
    account: AccountDetails


class Posted(Struct, gc=False, tag="posted"):
    """A transaction, with both sides as they stand after it. Its id is 0 until the row is written."""

    ledger_id: int
    kind: Kind
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal
    currency: str
    source_balance: Decimal | None
    target_balance: Decimal | None
    source_version: int | None
    target_version: int | None
    metadata: Metadata
    key: str | None
    ctime: datetime
    id: int = 0


class Declined(Struct, frozen=True, tag="declined"):
    """A refusal, with the facts that explain it; money among them is text, so that it can be kept."""

    command: Command
    refusal: Refusal
    facts: Mapping[str, str | int]


First: TypeAlias = Opened | Posted | Declined


class Replayed(Struct, frozen=True):
    """The answer that this key was given the first time."""

    first: First


Outcome: TypeAlias = First | Replayed


class Book(Struct):
    """All that a decision may look at.

    `accounts` by id, as locked; `receipts` by (ledger id, key); `scales` by currency code, for the
    currencies that the commands name; `now` is the database's clock.
    """

    now: datetime
    accounts: dict[int, Account]
    receipts: dict[tuple[int, str], First] = field(default_factory=dict)
    scales: Mapping[str, int] = field(default_factory=dict)
