"""What a whole ledger has, by currency, from one snapshot."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from koshel.core.money import ZEROS, subtract
from koshel.db.lease import undo
from koshel.db.queries import Queries
from koshel.db.reading import archived

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

# For a million accounts and ten million transactions it takes a second and a half. Few are at once, and nobody waits.
TIME_LIMIT_MS = 30_000


class Totals(Struct, frozen=True):
    """The sums of a currency: what its accounts have, and what came in from outside and left.

    The latter two are None if transactions were archived, since nobody can add them up here.
    """

    currency: str
    accounts: int
    balance: Decimal
    held: Decimal
    paid_in: Decimal | None
    paid_out: Decimal | None

    @property
    def balanced(self) -> bool | None:
        """Whether the accounts have what came in and did not leave; None: transactions were archived."""
        if self.paid_in is None or self.paid_out is None:
            return None
        return self.balance == subtract(self.paid_in, self.paid_out)


async def of_ledger(
    connection: "AnyConnection", q: Queries, ledger_id: int, *, at_length: bool = True
) -> Sequence[Totals]:
    """The sums of each currency in which a ledger has accounts, by its code.

    `at_length`: it may take longer than other statements, over a connection of Koshel's own. One of the
    caller's is left as the caller has set it.
    """
    found = await (_at_length(connection, q, ledger_id) if at_length else connection.fetch(q.sum_ledger, ledger_id))
    is_archived = await archived.is_any(connection, q)
    return [
        Totals(
            row["currency"],
            row["accounts"],
            row["balance"],
            row["held"],
            *(None if is_archived else row[name] or ZEROS[row["scale"]] for name in ("paid_in", "paid_out")),
        )
        for row in found
    ]


async def _at_length(connection: "AnyConnection", q: Queries, ledger_id: int) -> Sequence[Any]:
    """The rows, in a database transaction of their own, for which alone the connection is set otherwise."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        limit_ms: int = await connection.fetchval(q.plan_for_sum, TIME_LIMIT_MS)
        found = await connection.fetch(q.sum_ledger, ledger_id, timeout=(limit_ms + 1_000) / 1_000)
    except BaseException as error:
        await undo(connection, transaction, error)
        raise
    await transaction.commit()
    return found
