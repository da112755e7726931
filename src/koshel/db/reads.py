"""What is read of accounts and transactions, whichever connection it is read over."""

from typing import TYPE_CHECKING, Any

from koshel.core.model import AccountDetails
from koshel.db import queries, rows
from koshel.db.rows import Found

if TYPE_CHECKING:
    import asyncpg

    from koshel.db.batches import Batches


class Reads:
    """The reads; who inherits them says where from."""

    rehearsals: "Batches"  # over the same connections
    _queries: queries.Queries

    async def _fetchrow(self, query: str, *arguments: Any) -> "asyncpg.Record | None":
        raise NotImplementedError

    async def get_account(self, ledger_id: int, account_id: int) -> AccountDetails | None:
        """The account, None if there is none. Raises StoreError."""
        row = await self._fetchrow(self._queries.get_account, ledger_id, account_id)
        return None if row is None else rows.account_details(row)

    async def get_transaction(self, ledger_id: int, transaction_id: int) -> Found | None:
        """The transaction as it stands, None if there is none. Raises StoreError."""
        q = self._queries
        # The promise may be kept between the first look and the second: then the third finds the transaction.
        for query, found in ((q.get_transaction, rows.found), (q.get_promise, rows.promise)) * 2:
            row = await self._fetchrow(query, ledger_id, transaction_id)
            if row is not None:
                return found(row)
        return None
