"""The keys of a page of transactions, in the order of the list: by which index each way finds them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.commands import Kind
from koshel.db.queries import Queries
from koshel.db.reading import lines
from koshel.db.reading.access_paths import AccessPath
from koshel.db.reading.filter_fields import TRANSACTION_FIELDS, Listing, touched
from koshel.db.reading.lines import Versions
from koshel.db.reading.made_by import Made
from koshel.db.reading.pages import Keyed, turned
from koshel.db.reading.wanted import (
    FIRST_MOMENT,
    LAST_MOMENT,
    PENDING,
    STATUSES,
    Driver,
    Order,
    Position,
    Statuses,
    TransactionsWanted,
    driver,
    kinds_of,
    tables_of,
)

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

ALL_VERSIONS = (1, 2**63 - 1)
_MICROSECOND = timedelta(microseconds=1)
_DRIVERS = {
    "id": Driver.ID,
    "idempotency_key": Driver.KEY,
    "group_id": Driver.GROUP,
    "parent_id": Driver.PARENT,
    "reference": Driver.REFERENCE,
    **dict.fromkeys(("account_id", "account", "source_account_id", "source"), Driver.ACCOUNT),
}

Stretch: TypeAlias = tuple[datetime, datetime]  # from the one on, and before the other


class Way(Struct, frozen=True):
    """By which index transactions are found, and between which moments; what it finds of each never changes.

    `kinds` count where they are found by time. `value` is the ids, in order, where they are found by id.
    """

    by: Driver
    value: Any
    kinds: Statuses
    tables: Statuses
    between: Stretch

    def finds(self, one: Listing) -> bool:
        """Whether the transaction is among what it finds."""
        table = one.found.status if one.found.status in PENDING else "posted"
        if table not in self.tables or not self.between[0] <= one.moment < self.between[1]:
            return False
        match self.by:
            case Driver.TIME:
                return table != "posted" or one.found.transaction.kind in self.kinds
            case Driver.ID:
                return one.found.transaction.id in self.value
            case Driver.ACCOUNT:
                return self.value in touched(one.found)
            case _:
                return bool(TRANSACTION_FIELDS[self.by.value].of(one) == self.value)


def given(wanted: TransactionsWanted) -> AccessPath:
    """What the parameters say beside a filter."""
    probes = {name: getattr(wanted, name, None) for name in _DRIVERS}
    choices = {"kind": wanted.kind, "status": wanted.status}
    until = None if wanted.until is None else max(wanted.until, FIRST_MOMENT + _MICROSECOND) - _MICROSECOND
    is_between = wanted.since is not None or until is not None
    said = {name: value for name, value in probes.items() if value is not None}
    return AccessPath(
        said,
        {name: frozenset({value}) for name, value in choices.items() if value is not None},
        {"ctime": (wanted.since, until)} if is_between else {},
        max(
            [TRANSACTION_FIELDS[name].rank for name in said],
            default=int(is_between or wanted.kind is not None or wanted.status not in {None, "posted"}),
        ),
    )


def moments(path: AccessPath) -> Stretch:
    """The moments of the path, from the first on, and before the second."""
    low, high = path.bounds("ctime")
    return low or FIRST_MOMENT, LAST_MOMENT if high is None or high >= LAST_MOMENT else high + _MICROSECOND


class Finder:
    """Finds the keys of a ledger's transactions. `made`: what the idempotency keys that are wanted have made."""

    def __init__(
        self, connection: "AnyConnection", q: Queries, ledger_id: int, order: Order, made: Made | None = None
    ) -> None:
        self._connection = connection
        self._q = q
        self._ledger_id = ledger_id
        self._order: Order = order
        self._made = made or {}

    def way_of(self, wanted: TransactionsWanted) -> Way:
        """How a list without a filter finds what is wanted. Raises NotIndexed."""
        by = driver(wanted)
        since, until = wanted.since or FIRST_MOMENT, wanted.until or LAST_MOMENT
        return self._known(Way(by, getattr(wanted, by.value), wanted.kinds, wanted.tables, (since, until)))

    async def way_along(self, path: AccessPath, *, alone: bool) -> Way:
        """How a list with a filter finds what a path leads to.

        `alone`: there is no other path, and so the list may be in the order of the index of open holds.
        """
        statuses = path.choices.get("status", frozenset(STATUSES))
        kinds = kinds_of(path.choices.get("kind", frozenset(Kind)), statuses)
        tables, between = tables_of(statuses), moments(path)
        if not path.probes:
            by = Driver.HOLDS if alone and statuses == {"held"} else Driver.TIME
            return Way(by, None, kinds, tables, between)
        field = max(path.probes, key=lambda name: TRANSACTION_FIELDS[name].rank)
        value = path.probes[field]
        if field in {"account", "source"}:
            row = await self._connection.fetchrow(self._q.get_account_named, self._ledger_id, value)
            value = 0 if row is None else row["id"]
        return self._known(Way(_DRIVERS[field], value, kinds, tables, between))

    def _known(self, way: Way) -> Way:
        """By ids, if it is by one, or by an idempotency key: by those of what it has made."""
        if way.by is Driver.KEY:
            return replace(way, by=Driver.ID, value=self._made.get(way.value, []))
        return replace(way, value=[way.value]) if way.by is Driver.ID else way

    async def versions(self, way: Way) -> Versions:
        """The versions of its account between the moments of the way; all, if it is not by one."""
        if way.by is not Driver.ACCOUNT or way.between == (FIRST_MOMENT, LAST_MOMENT):
            return ALL_VERSIONS
        account = (self._ledger_id, way.value)
        return await lines.versions_between(self._connection, self._q, account, *way.between)

    async def keys(self, way: Way, versions: Versions, position: Position, count: int) -> Sequence[Keyed]:
        """So many keys after a position, or all that there are."""
        q, page = self._q, (*self._from(way, position), count)
        arguments: tuple[Any, ...]
        match way.by:
            case Driver.TIME:
                arguments = (q.list_transactions, way.kinds, *page, way.tables)
            case Driver.ID:
                arguments = (q.list_transactions_of_ids, way.value, *page, way.tables)
            case Driver.PARENT:
                arguments = (q.list_transactions_of_parent, way.value, *page, way.tables)
            case Driver.REFERENCE:
                arguments = (q.list_transactions_of_reference, way.value, *page, way.tables)
            case Driver.GROUP:
                arguments = (q.list_transactions_of_group, way.value, *page)
            case Driver.ACCOUNT:
                bounds = (*versions, position.version)
                arguments = (q.list_transactions_of_account, way.value, *page, way.tables, *bounds)
            case _:
                arguments = (q.list_open_holds, position.id, count)
        statement, *rest = arguments
        return await self._connection.fetch(turned(statement, self._order), self._ledger_id, *rest)

    def _from(self, way: Way, position: Position) -> tuple[datetime, datetime, int]:
        """How far it goes; and after which time and id it begins: the position, or the edge of the time."""
        since, until = way.between
        at = (position.ctime, position.id)
        if self._order == "desc":
            return (since, *min(at, (until, 0)))
        return (until, *max(at, (since, 0)))
