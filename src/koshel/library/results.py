"""What the library answers: small frozen values, each made from the core's in one place here.

    Account                     as it was when it was read, opened or changed
    Transaction ── Hold         posted: it never changes
    Promise                     not decided yet, or declined, or cancelled
Money is a `Decimal` with exactly as many decimals as its currency has. Times are in UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from koshel.core.book import available, effective_on
from koshel.core.commands import Kind
from koshel.core.enqueue import capture_at
from koshel.core.labelled import LABELS
from koshel.core.legs import LeftOut
from koshel.core.model import (
    AccountDetails,
    Changed,
    Declined,
    Executed,
    First,
    Found,
    Opened,
    Outcome,
    Posted,
    Queued,
    Replayed,
)
from koshel.core.originals import TransactionStatus
from koshel.core.turnovers import Limit
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.reading.lines import State
from koshel.errors import Promised, Refused


class Account(Struct, frozen=True, kw_only=True):
    """An account. `available` is what can be spent now: balance - held - min_balance."""

    id: int  # 0 in a rehearsal that has opened it
    email: str
    currency: str
    balance: Decimal
    held: Decimal  # reserved by open holds
    available: Decimal
    min_balance: Decimal
    max_balance: Decimal | None  # None: no limit
    status: str  # open, frozen or closed
    metadata: Mapping[str, str]
    version: int  # how many transactions have touched it
    revision: int  # how often it was changed otherwise
    ctime: datetime
    name: str | None = None  # the client's own
    limits: Sequence[Limit] = ()  # by time: of each `per`, and how much may go `out` and come `in_`


class Balance(Struct, frozen=True, kw_only=True):
    """What an account was left with after a line; of version 0, when it was opened."""

    version: int
    balance: Decimal
    held: Decimal
    ctime: datetime


class Transaction(Struct, frozen=True, kw_only=True):
    """A posted transaction. No source: money came in from outside; no target: it left."""

    id: int  # 0 in a rehearsal
    kind: Kind
    status: TransactionStatus
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal
    currency: str
    source_balance: Decimal | None  # after it; None where it touched no such side
    target_balance: Decimal | None
    parent_id: int | None  # the hold of a capture, void or expiry; what a refund sends back
    group_id: int | None  # of the atomic batch that it came with
    idempotency_key: str | None
    metadata: Mapping[str, str]
    ctime: datetime
    source: str | None = None  # the names of its accounts, if they have one
    target: str | None = None
    reference: str | None  # what it is about, in the caller's own words; what follows keeps it
    description: str | None
    effective_on: date  # the day that it counts for: that of ctime, unless another was given
    refunded: Decimal | None = None  # the sum of its refunds; only where it was read, and can be refunded


class Hold(Transaction, frozen=True, kw_only=True):
    """Money that is reserved until `expires_at`."""

    expires_at: datetime
    capture_at: datetime | None  # when the background captures it, if it is still open
    remaining: Decimal | None = None  # what it still reserves; only where it was read


class Promise(Struct, frozen=True, kw_only=True):
    """A transaction that is to be decided in the background, or was declined there, or cancelled before."""

    id: int  # that of the transaction, once it is posted
    kind: Kind
    status: Literal["queued", "declined", "cancelled"]
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal | None  # None while a capture, void or refund does not know it
    currency: str | None  # None if its accounts do not exist
    parent_id: int | None
    idempotency_key: str | None
    metadata: Mapping[str, str]
    ctime: datetime
    source: str | None = None  # the names of its accounts, if they have one
    target: str | None = None
    reference: str | None  # as it was given; that of its parent comes when it is posted
    description: str | None
    effective_on: date | None  # None: the day on which it is posted
    execute_at: datetime | None = None  # until when it waits, if not as soon as can be
    capture_at: datetime | None = None  # of a hold: when it is captured by itself once it is placed
    refusal: Refused | None = None  # why it was declined, if it was
    cancelled_at: datetime | None = None
    cancelled_by: str | None = None  # the id of the HTTP request that did, if one did


def balance(state: State) -> Balance:
    """As the library answers it."""
    return Balance(version=state.version, balance=state.balance, held=state.held, ctime=state.ctime)


def account_of(outcome: Outcome) -> Account:
    """What an opening or a change has answered. Raises Refused."""
    first = outcome if isinstance(outcome, Found) else first_of(outcome)
    assert isinstance(first, Opened | Found | Changed)
    return account(first.account)


def transaction_of(outcome: Outcome) -> Transaction:
    """What a request that makes a transaction has answered. Raises Refused, Promised."""
    first = decided(outcome)
    assert isinstance(first, Posted)
    return transaction(first)


def hold_of(outcome: Outcome) -> Hold:
    """What a hold has answered. Raises Refused, Promised."""
    held = transaction_of(outcome)
    assert isinstance(held, Hold)
    return held


def account(details: AccountDetails) -> Account:
    """The account, as the library shows it."""
    own = {name: getattr(details, name) for name in Account.__struct_fields__ if name != "available"}
    return Account(**own, available=available(details))


def transaction(posted: Posted) -> Transaction:
    """The transaction as it was when it was made."""
    source, target = posted.source, posted.target
    made = Transaction(
        id=posted.id,
        kind=posted.kind,
        status="posted",
        source_account_id=None if source is None else source.account_id,
        target_account_id=None if target is None else target.account_id,
        amount=posted.amount,
        currency=posted.currency,
        source_balance=None if source is None else source.balance,
        target_balance=None if target is None else target.balance,
        parent_id=posted.parent_id,
        group_id=posted.group_id,
        idempotency_key=posted.key,
        **{name: getattr(posted, name) for name in LABELS} | {"effective_on": effective_on(posted)},
        ctime=posted.ctime,
        source=None if source is None else source.name,
        target=None if target is None else target.name,
    )
    if posted.kind is not Kind.HOLD:
        return made
    assert posted.expires_at is not None, "a hold has a time at which it expires"
    return Hold(**asdict(made) | {"status": "held"}, expires_at=posted.expires_at, capture_at=posted.capture_at)


def queued_transaction(queued: Queued, refused: Refused | None = None) -> Promise:
    """The queued transaction as it was made, or with why it was declined."""
    request = queued.command.command
    return Promise(
        id=queued.id,
        kind=queued.kind,
        status="queued" if refused is None else "declined",
        source_account_id=queued.source_account_id,
        target_account_id=queued.target_account_id,
        amount=queued.amount,
        currency=queued.currency,
        parent_id=queued.parent_id,
        idempotency_key=queued.command.key,
        **{name: getattr(request, name) for name in LABELS},
        ctime=queued.ctime,
        source=queued.source,
        target=queued.target,
        execute_at=queued.command.execute_at or None,
        capture_at=capture_at(queued),
        refusal=refused,
    )


def read(found: FoundTransaction) -> Transaction | Promise:
    """A transaction as it stands now."""
    if isinstance(found.transaction, Queued):
        queued = queued_transaction(found.transaction, None if found.refusal is None else refusal(found.refusal))
        return replace(queued, status=found.status, cancelled_at=found.cancelled_at, cancelled_by=found.cancelled_by)
    made = transaction(found.transaction)
    if isinstance(made, Hold):
        return replace(made, status=found.status, remaining=found.remaining)
    return replace(made, status=found.status, refunded=found.refunded)


def refusal(declined: Declined) -> Refused:
    """The exception that a refusal is to a caller of the library."""
    return Refused(str(declined.refusal), declined.facts, None if declined.cause is None else refusal(declined.cause))


def decided(outcome: Outcome) -> First:
    """The answer, if it is not that of a queued transaction. Raises Refused, Promised."""
    first = first_of(outcome)
    if isinstance(first, Queued):
        raise Promised(first.id)
    return first


def first_of(outcome: Outcome) -> First:
    """The answer, whichever time it is given. Raises Refused."""
    first = outcome.first if isinstance(outcome, Replayed) else outcome
    assert not isinstance(first, Executed | Found | LeftOut)
    if isinstance(first, Declined):
        raise refusal(first)
    return first
