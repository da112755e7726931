"""Pages of transactions, and of an account's lines: posted ones, and those that are queued or were."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from koshel.db import lines, rows
from koshel.db.lines import Line, Versions
from koshel.db.pages import Ask, Keyed, Keys, entries, page
from koshel.db.queries import Queries
from koshel.db.rows import FoundTransaction
from koshel.db.wanted import (
    FIRST_MOMENT,
    ID_MAX,
    LAST_MOMENT,
    Driver,
    Listed,
    Order,
    Position,
    Statuses,
    TransactionsWanted,
    driver,
)

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_BEGIN = {"desc": Position(LAST_MOMENT, ID_MAX, ID_MAX), "asc": Position(FIRST_MOMENT, 0, 0)}
_ALL_VERSIONS = (1, ID_MAX)


async def transactions(
    connection: "AnyConnection", q: Queries, ledger_id: int, wanted: TransactionsWanted, ask: Ask
) -> Listed[FoundTransaction, Position]:
    """A page of transactions. Raises NotIndexed."""
    by = driver(wanted)
    books = _Books(connection, q, ledger_id, wanted)
    if by is Driver.KEY:
        return Listed(list((await books.of_key()).values()), None)
    keys = await books.keys(ask, by, wanted.tables)
    return await page(keys, books.details, _after, _begun(ask))


async def account_lines(
    connection: "AnyConnection",
    q: Queries,
    ledger_id: int,
    wanted: TransactionsWanted,
    ask: Ask,
    *,
    versions: Versions | None = None,
) -> Listed[Line, Position]:
    """A page of the lines of the account that is wanted, in the order of its versions.

    `versions`: the first and the last that may be on it; None: those of the time that is wanted.
    """
    account_id = wanted.account_id
    assert account_id is not None
    books = _Books(connection, q, ledger_id, wanted)

    async def details(keys: Sequence[Keyed]) -> dict[int, Line]:
        return {id_: lines.line(account_id, found) for id_, found in (await books.details(keys)).items()}

    keys = await books.keys(ask, Driver.ACCOUNT, ("posted",), versions)
    return await page(keys, details, _after, _begun(ask))


def _begun(ask: Ask) -> Ask:
    return replace(ask, start=_BEGIN[ask.order]) if ask.start is None else ask


def _after(position: Position, key: Keyed) -> Position:
    """An account's own transactions are after a version of its, and what is pending between them after a time."""
    if key["version"] is None:
        return Position(key["ctime"], key["id"], position.version)
    return Position(position.ctime, position.id, key["version"])


class _Books:
    """What of one ledger is wanted."""

    def __init__(self, connection: "AnyConnection", q: Queries, ledger_id: int, wanted: TransactionsWanted) -> None:
        self._connection = connection
        self._q = q
        self._ledger_id = ledger_id
        self._wanted = wanted
        self._between = (wanted.since or FIRST_MOMENT, wanted.until or LAST_MOMENT)

    async def of_key(self) -> dict[int, FoundTransaction]:
        """The one that has the idempotency key, if it is as it is wanted."""
        found = await self._connection.fetchval(self._q.find_keyed, self._ledger_id, self._wanted.idempotency_key)
        return {} if found is None else await self.details([{"id": found, "is_posted": False}])

    async def keys(self, ask: Ask, by: Driver, tables: Statuses, versions: Versions | None = None) -> Keys[Position]:
        """What gives the keys after a position, of what is in these tables."""
        q, wanted = self._q, self._wanted
        if versions is None and by is Driver.ACCOUNT and (wanted.since or wanted.until):
            assert wanted.account_id is not None
            account = (self._ledger_id, wanted.account_id)
            versions = await lines.versions_between(self._connection, q, account, *self._between)

        def arguments(position: Position, count: int) -> tuple[Any, ...]:
            page = (*self._from(ask.order, position), count)
            match by:
                case Driver.TIME:
                    return q.list_transactions, [*wanted.kinds, *tables], *page
                case Driver.PARENT:
                    return q.list_transactions_of_parent, wanted.parent_id, *page, tables
                case Driver.REFERENCE:
                    return q.list_transactions_of_reference, wanted.reference, *page, tables
                case Driver.GROUP:
                    return q.list_transactions_of_group, wanted.group_id, *page
                case Driver.ACCOUNT:
                    bounds = (*(versions or _ALL_VERSIONS), position.version)
                    return q.list_transactions_of_account, wanted.account_id, *page, tables, *bounds
                case _:
                    return q.list_open_holds, position.id, count

        async def keys(position: Position, count: int) -> Sequence[Keyed]:
            statement, *rest = arguments(position, count)
            return await self._connection.fetch(ask.turned(statement), self._ledger_id, *rest)

        return keys

    def _from(self, order: Order, position: Position) -> tuple[datetime, datetime, int]:
        """How far it goes; and after which time and id it begins: the position, or the edge of the time."""
        since, until = self._between
        at = (position.ctime, position.id)
        return (since, *min(at, (until, 0))) if order == "desc" else (until, *max(at, (since, 0)))

    async def details(self, keys: Sequence[Keyed]) -> dict[int, FoundTransaction]:
        """Of the keys those that are as they are wanted.

        What is pending may be posted between two looks: what is not found there is looked for where it has gone.
        """
        wanted = self._wanted
        narrow = (
            None if wanted.status is None else [wanted.status],
            None if wanted.kind is None else [wanted.kind.value],
            *(wanted.account_id, wanted.parent_id, wanted.group_id, wanted.idempotency_key, wanted.reference),
            wanted.effective_on and wanted.effective_on.isoformat(),
            entries(wanted.metadata),
            *self._between,
        )
        pending = [key["id"] for key in keys if not key["is_posted"]]
        found: dict[int, FoundTransaction] = {}
        if pending:
            given = await self._fetch(self._q.find_listed_pending, pending, narrow)
            found |= {row["id"]: rows.queued(row) for row in given}
        posted = sorted(key["id"] for key in keys if key["id"] not in found)
        if posted:
            found |= {row["id"]: rows.found(row) for row in await self._fetch(self._q.find_listed, posted, narrow)}
        return found

    async def _fetch(self, statement: str, ids: Sequence[int], narrow: Sequence[Any]) -> Sequence[Any]:
        return await self._connection.fetch(statement, self._ledger_id, ids, *narrow)
