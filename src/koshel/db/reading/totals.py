"""What a whole ledger has, by currency, from one snapshot."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.core.money import ZEROS, subtract
from koshel.db.queries import Queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Totals(Struct, frozen=True):
    """The sums of a currency: what its accounts have, and what came in from outside and left."""

    currency: str
    accounts: int
    balance: Decimal
    held: Decimal
    paid_in: Decimal
    paid_out: Decimal

    @property
    def balanced(self) -> bool:
        """Whether the accounts have what came in and did not leave."""
        return self.balance == subtract(self.paid_in, self.paid_out)


async def of_ledger(connection: "AnyConnection", q: Queries, ledger_id: int) -> Sequence[Totals]:
    """The sums of each currency in which a ledger has accounts, by its code."""
    return [
        Totals(
            row["currency"],
            row["accounts"],
            row["balance"],
            row["held"],
            *(row[name] or ZEROS[row["scale"]] for name in ("paid_in", "paid_out")),
        )
        for row in await connection.fetch(q.sum_ledger, ledger_id)
    ]
