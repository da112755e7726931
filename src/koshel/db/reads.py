"""What is read of accounts and transactions, whichever connection it is read over."""

from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from koshel.core.model import AccountDetails
from koshel.db.errors import HistoryArchived
from koshel.db.mapping import rows
from koshel.db.mapping.rows import FoundTransaction
from koshel.db.namespace import Namespace
from koshel.db.queries import Queries
from koshel.db.settling.batches import Batches

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

ROWS_AS_A_READ = 25

T = TypeVar("T")
Work: TypeAlias = "Callable[[AnyConnection, Queries], Awaitable[T]]"


class Reads:
    """The reads; who inherits them says where from."""

    rehearsals: Batches  # over connections of the same kind
    namespace: Namespace
    owns_connections = True  # rather than the caller

    @property
    def _queries(self) -> Queries:
        return self.namespace.queries

    async def _read(
        self, ledger_id: int | None, look: "Callable[[AnyConnection], Awaitable[T]]", *, weight: int = 1
    ) -> T:
        """What is found over a connection, of one ledger or, if that is None, of all.

        `weight`: how many reads it counts as while it waits; 0 if the service itself asks.
        """
        raise NotImplementedError

    async def transact(self, ledger_ids: Collection[int], work: "Work[T]") -> T:
        """What the work returns, once it is committed, or is part of the caller's transaction. Raises StoreError."""
        raise NotImplementedError

    async def rehearse(self, call: Callable[[], Coroutine[Any, Any, T]], *, weight: int) -> T:  # noqa: ARG002  the store's counts
        """What the call, which settles in `rehearsals`, returns; `weight` is how many commands it settles."""
        return await call()

    async def get_account(self, ledger_id: int, account: int | str) -> AccountDetails | None:
        """The account of an id or a name, None if there is none. Raises StoreError."""
        q = self._queries
        query = q.get_account if isinstance(account, int) else q.get_account_named
        row = await self._read(ledger_id, lambda connection: connection.fetchrow(query, ledger_id, account))
        return None if row is None else rows.account_details(row)

    async def get_transaction(self, ledger_id: int, transaction_id: int) -> FoundTransaction | None:
        """The transaction as it stands, None if there is none. Raises StoreError."""
        return await self._read(
            ledger_id, lambda connection: find_transaction(connection, self._queries, ledger_id, transaction_id)
        )

    async def look_up(self, ledger_id: int, work: "Work[T]", *, weight: int = 1) -> T:
        """What the work finds in one ledger. Raises StoreError, and what the work raises.

        `weight`: how many reads it counts as while it waits; 0: it is never refused for what waits.
        """
        return await self._read(ledger_id, lambda connection: work(connection, self._queries), weight=weight)

    async def get_split(self, ledger_id: int, split_id: int) -> list[FoundTransaction] | None:
        """The transactions of a split as they stand, None if there is no such split.

        Raises HistoryArchived, if one of them is archived, and StoreError.
        """
        return await self._read(ledger_id, partial(self._find_split, ledger_id, split_id))

    async def _find_split(
        self, ledger_id: int, split_id: int, connection: "AnyConnection"
    ) -> list[FoundTransaction] | None:
        legs = await connection.fetch(self._queries.get_split, ledger_id, split_id)
        if any(leg["id"] is None for leg in legs):
            raise HistoryArchived(None, None)
        return [*map(rows.found, legs)] or None

    async def get_split_ids(self, ledger_id: int, split_id: int) -> tuple[int, ...] | None:
        """The ids of all transactions of a split, None if there is no such split. Raises StoreError."""
        query = self._queries.get_split_ids
        ids = await self._read(ledger_id, lambda connection: connection.fetchval(query, ledger_id, split_id))
        return None if ids is None else tuple(ids)


def weight_of(rows: int) -> int:
    """How much a read of so many rows waits as: a row costs a small part of what a read costs for being one."""
    return 1 + rows // ROWS_AS_A_READ


async def find_transaction(
    connection: "AnyConnection", q: Queries, ledger_id: int, transaction_id: int
) -> FoundTransaction | None:
    """The transaction as it stands, None if there is none."""
    # What is queued may be posted between the first look and the second: then the third finds it.
    for query, found in ((q.get_transaction, rows.found), (q.get_queued, rows.queued)) * 2:
        row = await connection.fetchrow(query, ledger_id, transaction_id)
        if row is not None:
            return found(row)
    return None
