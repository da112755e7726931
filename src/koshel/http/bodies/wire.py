"""What both requests and replies are made of; and the bodies of replies.

An amount arrives as Raw, the text that was sent, and never passes through a binary float; it leaves as a string with
exactly the decimals of its currency.
"""

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from msgspec.structs import replace

from koshel.core import turnovers
from koshel.core.book import available, effective_on
from koshel.core.commands import Kind
from koshel.core.enqueue import capture_at
from koshel.core.labelled import Metadata
from koshel.core.model import AccountDetails, Posted, Queued
from koshel.core.money import plain
from koshel.core.originals import TransactionStatus
from koshel.core.turnovers import Period
from koshel.db.mapping.rows import FoundTransaction
from koshel.http.bodies import asked
from koshel.http.preconditions import tag
from koshel.inputs.labels import Labels
from koshel.inputs.values import AMOUNT_PATTERN, AccountName, Id

_ROUNDED = "Rounded half-even to the currency's decimals. A JSON number is taken as well, exactly as it is written."


def money(description: str, *, sign: str = "", nullable: bool = False) -> Meta:
    """An amount in a request, as JSON Schema has it: text. Clients in Rust or Kotlin have no type for two at once."""
    schema: dict[str, Any] = {"type": "string", "pattern": f"^{sign}{AMOUNT_PATTERN}$"}
    if nullable:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return Meta(description=f"{description} {_ROUNDED}", extra_json_schema=schema)


Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
# Types that the OpenAPI document knows by a name; the reply has their values as plain text or as a dictionary.
AccountStatus = Annotated[str, Meta(extra_json_schema={"$ref": "#/components/schemas/AccountStatus"})]
AnyRefusal = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Refusal"})]
AnyDeclination = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/Declination"})]
Amount = Annotated[Raw, money("More than zero.")]


class Schedulable(Labels, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the body of a request that makes one transaction may say of it besides."""

    execute_at: (
        Annotated[Time, Meta(description="The transaction is queued, and not decided before this time.")] | UnsetType
    ) = UNSET


class Limit(Struct, frozen=True, gc=False):
    """A limit by time: how much may go out of an account, and come in, in any window of this length."""

    per: Period
    out: str | UnsetType = UNSET
    in_: str | UnsetType = field(default=UNSET, name="in")


class Account(Struct, frozen=True, gc=False):
    """An account. `available` is what can be spent now: balance - held - min_balance."""

    id: Id
    email: str
    currency: str
    balance: str
    held: str
    available: str
    min_balance: str
    max_balance: str | None
    status: AccountStatus
    metadata: Metadata
    version: Annotated[int, Meta(description="How many transactions have touched the account.")]
    ctime: Time
    name: Annotated[AccountName, Meta(description="If it has one.")] | UnsetType = UNSET
    limits: Annotated[list[Limit], Meta(description="By time; left out if there are none.")] | UnsetType = UNSET


_EFFECTIVE_ON = (
    "The day that it counts for: always when a posted one is read; else if it was given. By default the day of ctime."
)


class Transaction(Struct, frozen=True, gc=False):
    """A transaction. No source: money came in from outside; no target: it left."""

    id: Annotated[Id | None, Meta(description="null in a dry run")]
    kind: Kind
    status: TransactionStatus
    source_account_id: Id | None
    target_account_id: Id | None
    amount: Annotated[str | None, Meta(description="null while a queued capture, void or refund does not know it")]
    currency: Annotated[str | None, Meta(description="null if a queued transaction's accounts do not exist")]
    parent_id: Annotated[
        Id | None, Meta(description="The hold that it ends, the first one of a queued whole split; or what it refunds.")
    ]
    group_id: Annotated[Id | None, Meta(description="Its atomic batch or split.")]
    idempotency_key: str | None
    metadata: Metadata
    ctime: Time
    source: Annotated[AccountName, Meta(description="The name of the source, if it has one.")] | UnsetType = UNSET
    target: Annotated[AccountName, Meta(description="The name of the target, if it has one.")] | UnsetType = UNSET
    reference: Annotated[str, Meta(description="If it has one: what it is about.")] | UnsetType = UNSET
    description: Annotated[str, Meta(description="If it has one: in words.")] | UnsetType = UNSET
    effective_on: Annotated[date, Meta(description=_EFFECTIVE_ON)] | UnsetType = UNSET
    expires_at: Annotated[Time, Meta(description="A hold's, and only a hold's.")] | UnsetType = UNSET
    capture_at: Annotated[Time, Meta(description="When a hold is captured by itself.")] | UnsetType = UNSET
    execute_at: Annotated[Time, Meta(description="Until when a queued one waits, if not as soon as can be.")] | (
        UnsetType
    ) = UNSET
    remaining: Annotated[str, Meta(description="What a hold still reserves, when it is read.")] | UnsetType = UNSET
    refunded: Annotated[str, Meta(description="Of what can be refunded, when it is read.")] | UnsetType = UNSET
    problem: Annotated[AnyDeclination, Meta(description="Why it was declined, if it was.")] | UnsetType = UNSET
    cancelled_at: Time | UnsetType = UNSET
    cancelled_by: Annotated[str, Meta(description="The X-Request-Id of the request that did.")] | UnsetType = UNSET
    sources: Annotated[list[dict[str, Any]], Meta(description="Of a split, until it is made.")] | UnsetType = UNSET
    targets: Annotated[list[dict[str, Any]], Meta(description="Of a split, until it is made.")] | UnsetType = UNSET
    exchange: Annotated[dict[str, str], Meta(description="Of an exchange, until it is made.")] | UnsetType = UNSET


def account(details: AccountDetails) -> Account:
    """The reply's form of an account."""
    return Account(
        details.id,
        details.email,
        details.currency,
        plain(details.balance),
        plain(details.held),
        plain(available(details)),
        plain(details.min_balance),
        None if details.max_balance is None else plain(details.max_balance),
        details.status,
        details.metadata,
        details.version,
        time(details.ctime),
        UNSET if details.name is None else details.name,
        [limit(one) for one in details.limits] or UNSET,
    )


def limit(one: turnovers.Limit) -> Limit:
    """The reply's form of a limit by time."""
    out, in_ = (UNSET if most is None else plain(most) for most in (one.out, one.in_))
    return Limit(one.per, out, in_)


def transaction(posted: Posted) -> Transaction:
    """The reply's form of a transaction, as it was when it was made."""
    is_hold = posted.kind is Kind.HOLD
    source, target = posted.source, posted.target
    return Transaction(
        posted.id or None,
        posted.kind,
        "held" if is_hold else "posted",
        source.account_id if source else None,
        target.account_id if target else None,
        plain(posted.amount),
        posted.currency,
        posted.parent_id,
        posted.group_id,
        posted.key,
        posted.metadata,
        time(posted.ctime),
        UNSET if source is None or source.name is None else source.name,
        UNSET if target is None or target.name is None else target.name,
        UNSET if posted.reference is None else posted.reference,
        UNSET if posted.description is None else posted.description,
        UNSET if posted.effective_on is None else posted.effective_on,
        time(posted.expires_at) if is_hold and posted.expires_at else UNSET,
        UNSET if posted.capture_at is None else time(posted.capture_at),
    )


def standing(found: FoundTransaction) -> Transaction:
    """The reply's form of a posted transaction as it stands now."""
    posted = found.transaction
    assert isinstance(posted, Posted)
    return replace(
        transaction(posted),
        status=found.status,
        effective_on=effective_on(posted),
        remaining=UNSET if found.remaining is None else plain(found.remaining),
        refunded=UNSET if found.refunded is None else plain(found.refunded),
    )


def queued_transaction(queued: Queued, problem: dict[str, Any] | UnsetType = UNSET) -> Transaction:
    """The reply's form of a transaction that is queued, or with its problem: declined."""
    command, request = queued.command, queued.command.command
    return Transaction(
        queued.id or None,
        queued.kind,
        "queued" if problem is UNSET else "declined",
        queued.source_account_id,
        queued.target_account_id,
        None if queued.amount is None else plain(queued.amount),
        queued.currency,
        queued.parent_id,
        None,
        command.key,
        request.metadata,
        time(queued.ctime),
        UNSET if queued.source is None else queued.source,
        UNSET if queued.target is None else queued.target,
        UNSET if request.reference is None else request.reference,
        UNSET if request.description is None else request.description,
        UNSET if request.effective_on is None else request.effective_on,
        capture_at=UNSET if (captured := capture_at(queued)) is None else time(captured),
        execute_at=UNSET if command.execute_at is UNSET else time(command.execute_at),
        problem=problem,
        sources=asked.legs(queued, "sources"),
        targets=asked.legs(queued, "targets"),
        exchange=asked.exchange(queued),
    )


def cancelled_transaction(found: FoundTransaction) -> Transaction:
    """The reply's form of a transaction that was cancelled while it was queued."""
    assert isinstance(found.transaction, Queued)
    assert found.cancelled_at is not None
    return replace(
        queued_transaction(found.transaction),
        status=found.status,
        cancelled_at=time(found.cancelled_at),
        cancelled_by=found.cancelled_by or UNSET,
    )


@lru_cache(maxsize=64)  # a batch has one time
def time(moment: datetime) -> str:
    """RFC 3339 in UTC, with microseconds and Z; the moment is in UTC already."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class QueueHealth(Struct, frozen=True):
    """The queue of background transactions: those that are due, or were put off."""

    depth: int
    retrying: Annotated[int, Meta(description="Of them, those that an accident has stopped at least once.")]
    oldest_age_s: Annotated[float, Meta(description="Seconds since the oldest was queued, or was due.")]
    scheduled: Annotated[int, Meta(description="Not among them: those whose time has not come.")]


def etag(account: AccountDetails) -> str:
    """The account's ETag, as a header has it."""
    return tag(account.version, account.revision)
