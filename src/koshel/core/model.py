"""What a wallet keeps and what it answers. Data only; what it is asked is in `commands`.

    outcome  Opened · Found · Changed    what became of a command    (past tense)
             Posted · Annotated · Queued · Executed · Grouped · Declined; Replayed: it was that before, for the same key
             LeftOut: a leg of a split that comes to nothing
    book     Facts and State: all that `decide` may look at
Money is `Decimal` with exactly as many decimals as the currency has, once it is past `decide`.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

from koshel.core.commands import (
    ChangeAccount,
    Command,
    Enqueue,
    EnsureAccount,
    Execute,
    Group,
    Kind,
    OpenAccount,
    Request,
    Split,
    Together,
)
from koshel.core.labelled import Labelled, Metadata
from koshel.core.legs import LeftOut
from koshel.core.notes import Annotate
from koshel.core.originals import Original, Pending, TransactionStatus
from koshel.core.sides import Named, Side
from koshel.core.turnovers import Limit, Turnovers


class Refusal(StrEnum):
    """Why a command is declined, by precedence: what no waiting can mend before what may be otherwise tomorrow."""

    IDEMPOTENCY_KEY_REUSED = "idempotency-key-reused"
    UNKNOWN_CURRENCY = "unknown-currency"
    NAME_TAKEN = "name-taken"
    TRANSACTION_NOT_FOUND = "transaction-not-found"
    NOT_A_HOLD = "not-a-hold"
    NOT_REFUNDABLE = "not-refundable"
    NOT_POSTED = "not-posted"
    SAME_ACCOUNT = "same-account"
    ACCOUNT_NOT_FOUND = "account-not-found"
    CURRENCY_MISMATCH = "currency-mismatch"
    SAME_CURRENCY = "same-currency"
    AMOUNT_OUT_OF_RANGE = "amount-out-of-range"
    SPLIT_NOT_EXACT = "split-not-exact"
    TIME_OUT_OF_RANGE = "time-out-of-range"
    HOLD_NOT_OPEN = "hold-not-open"
    HOLD_EXPIRED = "hold-expired"
    VERSION_MISMATCH = "version-mismatch"
    ACCOUNT_CLOSED = "account-closed"
    ACCOUNT_FROZEN = "account-frozen"
    ACCOUNT_NOT_EMPTY = "account-not-empty"
    METADATA_TOO_LARGE = "metadata-too-large"
    CAPTURE_EXCEEDS_HOLD = "capture-exceeds-hold"
    REFUND_EXCEEDS_ORIGINAL = "refund-exceeds-original"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    BALANCE_LIMIT_EXCEEDED = "balance-limit-exceeded"
    LIMIT_EXCEEDED = "limit-exceeded"
    BATCH_REFUSED = "batch-refused"


Shown: TypeAlias = tuple[int, str, int, str | None]  # of an account: ledger id, currency's code and scale, name


class Account(Struct, frozen=True, gc=False):
    """The part of an account that a decision needs, as it stood when its row was locked."""

    ledger_id: int
    id: int
    currency: str
    scale: int  # decimals of the currency, fixed when the account was opened
    balance: Decimal
    held: Decimal
    version: int  # how many transactions have touched the account
    revision: int  # how often it was changed otherwise
    min_balance: Decimal
    max_balance: Decimal | None
    status: str
    name: str | None = None  # the client's own; it never changes


class AccountDetails(Account, frozen=True, gc=False, kw_only=True):
    """An account with what most decisions do not need."""

    email: str
    metadata: Metadata
    ctime: datetime
    limits: tuple[Limit, ...] = ()  # by time


class Opened(Struct, frozen=True, tag="opened"):
    """A new account. Its id is 0 until the database has given one; if it has a name, it has its id already."""

    command: OpenAccount | EnsureAccount
    account: AccountDetails


class Found(Struct, frozen=True):
    """An account that was there already, as it was asked for."""

    command: EnsureAccount
    account: AccountDetails


class Changed(Struct, frozen=True, tag="changed"):
    """An account as its change has left it."""

    command: ChangeAccount
    account: AccountDetails


class Posted(Labelled, frozen=True, gc=False, tag="posted"):
    """A transaction, with its sides; a side that is None is the world outside."""

    ledger_id: int
    kind: Kind
    source: Side | None
    target: Side | Named | None
    amount: Decimal
    currency: str
    key: str | None
    ctime: datetime
    parent_id: int | None = None  # the hold of a capture, void or expiry; what a refund sends back
    request: Request | None = None  # what was asked, where the fields above don't say all of it
    expires_at: datetime | None = None  # a hold's
    capture_at: datetime | None = None  # a hold's, if it was to be captured by itself
    rest: Decimal | None = None  # what its hold, if it is or has one, still reserves; not kept in the row
    id: int = 0  # 0 until the row is written
    group_id: int | None = None  # of an atomic batch; None until the rows are written


class Annotated(Struct, frozen=True, tag="annotated"):
    """A transaction with the notes that a change has left it with, as it stands then."""

    command: Annotate
    transaction: Posted
    revision: int  # how often its notes were changed
    status: TransactionStatus
    ctime: datetime  # of the change
    remaining: Decimal | None = None  # of a hold: what it still reserves
    refunded: Decimal | None = None  # of what can be refunded: the sum of its refunds


class Declined(Struct, frozen=True, tag="declined"):
    """A refusal, with the facts that explain it; money among them is text, so that it can be kept."""

    command: Command
    refusal: Refusal
    facts: Mapping[str, str | int]
    cause: "Declined | None" = None  # a batch's: the first member's that was refused


class Queued(Struct, frozen=True, tag="queued"):
    """A transaction that is not decided yet, as far as it is known. Its id is 0 until the row is written."""

    command: Enqueue
    kind: Kind
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal | None
    currency: str | None
    parent_id: int | None
    ctime: datetime
    id: int = 0
    source: str | None = None  # the names of its accounts
    target: str | None = None


class Executed(Struct, frozen=True, tag="executed"):
    """What became of a queued transaction."""

    command: Execute
    outcome: "Posted | Declined | Grouped"


class Grouped(Struct, frozen=True, tag="grouped"):
    """What became of each member of a group, or leg of a split. If it has an id, that is None until it is written."""

    command: Together | Split
    outcomes: "list[MemberOutcome]"
    group_id: int | None = None

    @property
    def has_id(self) -> bool:
        """Whether it has an id: a split, an exchange, or an atomic group."""
        return not isinstance(self.command, Group) or self.command.atomic


MemberOutcome: TypeAlias = "Opened | Found | Posted | Declined | Executed | Replayed | Grouped | LeftOut"
First: TypeAlias = Opened | Changed | Posted | Annotated | Queued | Grouped | Declined


class Replayed(Struct, frozen=True, tag="replayed"):
    """The answer that this key was given the first time."""

    first: First


Outcome: TypeAlias = First | Found | Executed | Replayed | LeftOut


class Facts(Struct, frozen=True):
    """What commands only read. `now` is the database's clock."""

    now: datetime
    scales: Mapping[str, int] = {}  # by currency code, of accounts to be opened
    shown: Mapping[int, Shown] = {}  # by account id, of what is queued


class State(Struct):
    """What outcomes change: of the accounts those that are locked, of the rest what the commands refer to."""

    accounts: dict[int, Account]  # by id
    receipts: dict[tuple[int, str], First] = field(default_factory=dict)  # by (ledger id, key)
    details: dict[int, AccountDetails] = field(default_factory=dict)  # by id, of accounts to be changed
    originals: dict[int, Original] = field(default_factory=dict)  # by id, of transactions that are referred to
    holds: dict[int, Decimal | Kind] = field(default_factory=dict)  # by id: what it reserves, or what has ended it
    refunded: dict[int, Decimal] = field(default_factory=dict)  # by the original's id: the sum of its refunds
    noted: dict[int, tuple[Posted, int]] = field(default_factory=dict)  # by id: with its notes of now, and its revision
    pending: dict[int, Pending] = field(default_factory=dict)  # by id, of what is referred to and not posted
    turnovers: Turnovers = field(default_factory=dict)  # of accounts that have limits by time, or may get some

    def copy(self) -> "State":
        """The same, to be changed without changing this one."""
        return State(*[getattr(self, name).copy() for name in self.__struct_fields__])


class Book(Struct):
    """All that a decision may look at, read after the locks."""

    facts: Facts
    state: State
