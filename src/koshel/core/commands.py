"""What somebody wants. Each is an imperative, and names its ledger and, if it has one, its idempotency key.

    accounts      OpenAccount · EnsureAccount · ChangeAccount
    transactions  Move · Hold · Capture · Void · Refund; Expire, the sweeper's; Annotate, which changes the notes on one
    a group       Split        one amount from or to several accounts, a transaction for each
                  EndSplit     capture or void all holds of a split, a transaction for each
                  Exchange     money of one currency for money of another, two transactions
    together      Group        members that are decided one after the other, all or nothing if atomic
    later         Enqueue      keep a transaction's command, until a time or not; Execute decides it, in the background

Amounts are as they were sent, not rounded yet; None where all that is left is meant. An account is asked for by its id
or by its name. Beside a name the id is UNRESOLVED until `resolve` finds it.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field

from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.labelled import Labelled, Metadata, MetadataPatch
from koshel.core.legs import Legs
from koshel.core.notes import Annotate
from koshel.core.turnovers import Limit

UNRESOLVED = 0  # in the place of the id of an account that is asked for by a name: no account has it
ERASED = "erased@erased.invalid"  # the email of an account, or in a command, whose personal data was erased


class Kind(StrEnum):
    """Where a transaction's money comes from and goes to."""

    PAYMENT = "payment"  # from outside, into a target
    WITHDRAWAL = "withdrawal"  # out of a source, to the outside
    TRANSFER = "transfer"  # from a source to a target
    HOLD = "hold"  # stays on the source, reserved for a target or for the outside
    CAPTURE = "capture"  # what a hold has reserved goes where it was meant for
    VOID = "void"  # what a hold has reserved is free again
    EXPIRY = "expiry"  # the same, since its time was up
    REFUND = "refund"  # back the way it came


class Status(StrEnum):
    """What an account lets happen."""

    OPEN = "open"
    FROZEN = "frozen"  # no money in or out; voids and expiries
    CLOSED = "closed"  # nothing, for ever


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
    name: str | None = None  # unique in its ledger, for ever
    id: int = UNRESOLVED  # of the account that has the name, or else will have it; UNRESOLVED if it is to have no name
    limits: tuple[Limit, ...] = ()


class EnsureAccount(Struct, frozen=True, gc=False, tag="ensure-account"):
    """Open an account of this name, unless there is one that is as it is asked for. What is UNSET may be anything.

    It has no key: asked again, it finds what it has opened.
    """

    ledger_id: int
    name: str
    email: str
    currency: str | UnsetType = UNSET
    min_balance: Decimal | UnsetType = UNSET
    max_balance: Decimal | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    default_currency: str = "USD"
    default_max_balance: Decimal | None = None
    id: int = UNRESOLVED  # of the account that has the name, or else will have it
    limits: tuple[Limit, ...] | UnsetType = UNSET
    key: ClassVar[None] = None


class ChangeAccount(Struct, frozen=True, gc=False, tag="change-account"):
    """Change what is not UNSET, if the account is at one of the (version, revision)s that are expected."""

    ledger_id: int
    account_id: int
    email: str | UnsetType = UNSET
    min_balance: Decimal | UnsetType = UNSET
    max_balance: Decimal | UnsetType | None = UNSET
    status: Status | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET  # replaces what is there
    metadata_patch: MetadataPatch | UnsetType = UNSET  # is merged into it; one at most of the two is given
    expected: tuple[tuple[int, int], ...] | None = None  # None: whichever it is at
    unexpected: tuple[tuple[int, int], ...] | None = ()  # where it must not be; None: anywhere
    key: str | None = None
    account: str | None = None  # its name, if it was asked for by that
    limits: tuple[Limit, ...] | UnsetType = UNSET


class Move(Labelled, frozen=True, gc=False, tag="move"):
    """Move `amount` from source to target; a side that is None is the world outside."""

    ledger_id: int
    kind: Kind
    source_account_id: int | None
    target_account_id: int | None
    amount: Decimal
    key: str | None = None
    source: str | None = None  # its name, if it was asked for by that
    target: str | None = None
    parent_id: ClassVar[None] = None


class Hold(Labelled, frozen=True, gc=False, tag="hold"):
    """Reserve `amount` on the source, for a target or, if that is None, for the world outside."""

    ledger_id: int
    source_account_id: int
    target_account_id: int | None
    amount: Decimal
    expires_in: int | UnsetType = UNSET  # seconds
    key: str | None = None
    default_expires_in: int = 0  # seconds
    source: str | None = None  # its name, if it was asked for by that
    target: str | None = None
    capture_at: datetime | UnsetType = UNSET  # when the background captures it, if it is still open then
    kind: ClassVar[Kind] = Kind.HOLD
    parent_id: ClassVar[None] = None


class Capture(Labelled, frozen=True, gc=False, tag="capture"):
    """Move what the hold `parent_id` has reserved; the rest is released if this is the final capture."""

    ledger_id: int
    parent_id: int
    amount: Decimal | None = None
    final: bool = True
    key: str | None = None
    kind: ClassVar[Kind] = Kind.CAPTURE


class Void(Labelled, frozen=True, gc=False, tag="void"):
    """Release what the hold `parent_id` still has reserved."""

    ledger_id: int
    parent_id: int
    key: str | None = None
    amount: ClassVar[None] = None
    kind: ClassVar[Kind] = Kind.VOID


class Expire(Labelled, frozen=True, gc=False, tag="expire"):
    """Release what the hold `parent_id` still has reserved, since its time is up."""

    ledger_id: int
    parent_id: int
    key: ClassVar[str | None] = None
    amount: ClassVar[None] = None
    kind: ClassVar[Kind] = Kind.EXPIRY


class AutoCapture(Labelled, frozen=True, gc=False, tag="auto-capture"):
    """Move all that the hold `parent_id` still has reserved, since that was to be done by now."""

    ledger_id: int
    parent_id: int
    final: ClassVar[bool] = True
    key: ClassVar[str | None] = None
    amount: ClassVar[None] = None
    kind: ClassVar[Kind] = Kind.CAPTURE


class Refund(Labelled, frozen=True, gc=False, tag="refund"):
    """Send back what the transaction `parent_id` has moved, or a part of it."""

    ledger_id: int
    parent_id: int
    amount: Decimal | None = None
    key: str | None = None
    kind: ClassVar[Kind] = Kind.REFUND


class Split(Legs, frozen=True, gc=False, tag="split"):
    """Move or reserve `amount` in legs, each of this kind."""

    ledger_id: int
    kind: Kind
    amount: Decimal
    expires_in: int | UnsetType = UNSET  # seconds, of holds
    key: str | None = None
    default_expires_in: int = 0  # seconds
    capture_at: datetime | UnsetType = UNSET  # when the background captures its holds, if they are still open then
    parent_id: ClassVar[None] = None


Request: TypeAlias = Move | Hold | Capture | Void | Refund | Split  # makes one transaction; a split: one for each leg
Direct: TypeAlias = Move | Hold  # names its accounts
HoldEnd: TypeAlias = Capture | AutoCapture | Void | Expire  # follows a hold, between the same accounts
Following: TypeAlias = HoldEnd | Refund | EndSplit  # names transactions, and these name the accounts
Deferrable: TypeAlias = Request | Exchange | EndSplit  # can be decided at once, and later


class Execute(Struct, frozen=True, gc=False, tag="execute"):
    """Decide what was queued; its transaction has its id already, and its key, if any, its receipt."""

    ledger_id: int
    id: int
    command: Deferrable
    key: ClassVar[str | None] = None


Due: TypeAlias = AutoCapture | Expire  # what the background does to a hold
Member: TypeAlias = Request | Exchange | EnsureAccount | Due | Execute


class Group(Struct, frozen=True, gc=False, tag="group"):
    """Decide the members in order, each seeing those before it; if atomic, all of them or none."""

    ledger_id: int
    members: tuple[Member, ...]
    atomic: bool = True
    key: str | None = None


class Enqueue(Struct, frozen=True, gc=False, tag="enqueue"):
    """Keep the command, to be executed in the background, not before a time; `key` is the command's own."""

    ledger_id: int
    command: Deferrable
    key: str | None = None
    execute_at: datetime | UnsetType = UNSET  # by the database's clock
    schedule_max_s: int | UnsetType = UNSET  # how many seconds ahead that may be


Opening: TypeAlias = OpenAccount | EnsureAccount
Sided: TypeAlias = Direct | Exchange  # names its source and its target
Together: TypeAlias = Group | Exchange | EndSplit  # makes transactions with an id that they have in common
Command: TypeAlias = Opening | ChangeAccount | Annotate | Member | Together | Enqueue
