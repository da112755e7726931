"""What a list is asked for: its filters, its order, and where the last page ended. Data only.

    filters ──driver──▶ the index that gives the keys of a page in order; the rest narrows what it gives
            └───────▶ NotIndexed, with what would help

None: whatever it is. A moment is in UTC.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar, get_args

from msgspec import Meta, Struct, field

from koshel.core.commands import Kind
from koshel.core.originals import TransactionStatus

Order: TypeAlias = Literal["desc", "asc"]
Statuses: TypeAlias = Sequence[str]

PENDING: Statuses = ("queued", "declined", "cancelled")  # of what was queued, and is not posted
EVERYTHING: Statuses = ("posted", *PENDING)
STATUSES: tuple[str, ...] = get_args(TransactionStatus)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
ID_MAX = 2**63 - 1

# What a cursor may say; of whatever else it says, the database knows nothing.
Id: TypeAlias = Annotated[int, Meta(ge=0, le=ID_MAX)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]
Text: TypeAlias = Annotated[str, Meta(pattern=r"^[^\x00]*$", extra={"reason": "must be without the character NUL"})]

ItemT = TypeVar("ItemT")
PositionT = TypeVar("PositionT")


class NotIndexed(Exception):
    """No index finds what has these fields: one of those in `instead` has to come with them.

    `is_filter`: they are fields of a filter, which needs one in each part of an OR.
    """

    def __init__(self, fields: Sequence[str], instead: Sequence[str], *, is_filter: bool = False) -> None:
        super().__init__(fields, instead)
        self.fields = fields
        self.instead = instead
        self.is_filter = is_filter


class TooWide(Exception):
    """A filter whose rows are in too many places of the indexes."""

    def __init__(self, places: int, most: int) -> None:
        super().__init__(places, most)
        self.places = places
        self.most = most


class MixedOrders(Exception):
    """A filter of accounts that finds some in the order of names, and others in that of ids."""


class BadPosition(Exception):
    """A position of another kind of page."""


def tables_of(statuses: Collection[str]) -> Statuses:
    """`posted`, if anything that is can have one of these; and which of what is not."""
    posted = () if all(one in PENDING for one in statuses) else ("posted",)
    return (*posted, *(one for one in PENDING if one in statuses))


def kinds_of(kinds: Collection[str], statuses: Collection[str]) -> Statuses:
    """Of these kinds, those of which what is posted can have one of the statuses."""
    is_plain = "posted" in statuses
    is_hold = any(one != "posted" and one not in PENDING for one in statuses)
    return tuple(kind.value for kind in Kind if kind in kinds and (is_hold if kind is Kind.HOLD else is_plain))


class TransactionsWanted(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which transactions; those from `since` on, and before `until`."""

    account_id: Id | None = None
    kind: Kind | None = None
    status: TransactionStatus | None = None
    since: Moment | None = None
    until: Moment | None = None
    group_id: Id | None = None
    parent_id: Id | None = None
    idempotency_key: Text | None = None
    reference: Text | None = None
    effective_on: date | None = None
    metadata: Mapping[Text, Text] = field(default_factory=dict)
    filter: Text | None = None  # as it was sent

    @property
    def tables(self) -> Statuses:
        """`posted`, and which of what is not."""
        return tables_of(STATUSES if self.status is None else (self.status,))

    @property
    def kinds(self) -> Statuses:
        """Of what is posted, the kinds that can have the status."""
        kinds = [*Kind] if self.kind is None else [self.kind]
        return kinds_of(kinds, STATUSES if self.status is None else (self.status,))


class AccountsWanted(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Which accounts; `name` may end in `*`: those whose names begin so, in the order of names."""

    email: Text | None = None
    currency: Text | None = None
    status: Text | None = None
    name: Text | None = None
    metadata: Mapping[Text, Text] = field(default_factory=dict)
    filter: Text | None = None  # as it was sent


class Position(Struct, frozen=True, array_like=True):
    """Where a page of transactions has ended: at a time and an id; of an account's own, at one of its versions."""

    ctime: Moment
    id: Id
    version: Id = 0


class AccountPosition(Struct, frozen=True, array_like=True):
    """Where a page of accounts has ended."""

    id: Id
    name: Text = ""


class Listed(Struct, Generic[ItemT, PositionT], frozen=True):
    """A page. `ends_at`: where the next one goes on; None: there is no more."""

    items: list[ItemT]
    ends_at: PositionT | None


class Driver(Enum):
    """By what the transactions of a list are found: the first of these that is given."""

    ID = "id"
    KEY = "idempotency_key"
    GROUP = "group_id"
    PARENT = "parent_id"
    REFERENCE = "reference"
    ACCOUNT = "account_id"
    HOLDS = "status"
    TIME = "since"


_NARROWING = ("effective_on", "metadata")  # which no index finds by itself


def driver(wanted: TransactionsWanted) -> Driver:
    """By what they are found. Raises NotIndexed."""
    for one in Driver:
        if one is Driver.HOLDS:
            if wanted.status == "held":
                return one
        elif getattr(wanted, one.value, None) is not None:
            return one
    given = [name for name in _NARROWING if getattr(wanted, name)]
    if given:
        raise NotIndexed(given, [one.value for one in Driver if one not in {Driver.HOLDS, Driver.ID}])
    return Driver.TIME
