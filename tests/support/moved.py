"""Transactions that are written to a table as they are, at whatever time, and gone after each look."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from koshel.core.commands import Kind
from koshel.db import queries
from koshel.db.pools import TimeLimits, connect
from koshel.db.reading import volume
from koshel.db.reading.volume import Grouping, Volume
from koshel.db.url import parse

ACCOUNTS: Mapping[int, tuple[str | None, str]] = {
    1: ("users:1:main", "USD"),
    2: ("users:1:savings", "USD"),
    3: ("users:2", "USD"),
    4: (None, "USD"),
    5: (":", "USD"),
    6: ("users:1:yen", "JPY"),
    7: ("shops", "JPY"),
}
DECIMALS = {"USD": 2, "JPY": 0}
BOTH, INTO, OUT = (True, True), (False, True), (True, False)  # whether there is a source, and a target
SIDES = {
    Kind.PAYMENT: [INTO],
    Kind.WITHDRAWAL: [OUT],
    Kind.TRANSFER: [BOTH],
    Kind.CAPTURE: [BOTH, OUT],
    Kind.REFUND: [BOTH, INTO, OUT],
    Kind.HOLD: [BOTH, OUT],
    Kind.VOID: [BOTH, OUT],
    Kind.EXPIRY: [BOTH, OUT],
}
MOVING = [kind for kind in Kind if kind not in {Kind.HOLD, Kind.VOID, Kind.EXPIRY}]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


BY_CURRENCY = Grouping()


class Moved(NamedTuple):
    """A transaction, as far as it concerns volume."""

    kind: Kind
    source: int | None
    target: int | None
    amount: Decimal
    ctime: datetime
    ledger_id: int = 1


class Books:
    """Books in which whatever is written is gone again after each look."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.connection = self.run(connect(parse(url), TimeLimits(), "volume tests"))
        self.run(
            self.connection.executemany(
                "INSERT INTO koshel.account SELECT l, $1, 'ann@example.com', $3, $4, 0, 0, 0, 0, NULL, 'open', '{}',"
                " NULL, now(), 0, $2 FROM generate_series(1, 2) AS l",
                [(id_, name, currency, 0) for id_, (name, currency) in ACCOUNTS.items()],
            )
        )

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.connection.close(timeout=5))
        self.loop.close()

    def volume(
        self,
        moved: Sequence[Moved],
        by: Grouping = BY_CURRENCY,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Sequence[Volume]:
        async def look() -> Sequence[Volume]:
            transaction = self.connection.transaction()
            await transaction.start()
            try:
                await self.connection.executemany(WRITE, [_row(id_, one) for id_, one in enumerate(moved, 1)])
                return await volume.of_ledger(
                    self.connection, queries.load(), ledger_id=1, grouping=by, since=since, until=until
                )
            finally:
                await transaction.rollback()

        found: Sequence[Volume] = self.run(look())
        return found


WRITE = """
INSERT INTO koshel.transaction (
    ledger_id, id, kind, source_account_id, target_account_id, amount, source_balance, target_balance, source_version,
    target_version, parent_id, expires_at, metadata, ctime
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '{}', $13)
"""


def _row(id_: int, one: Moved) -> tuple[Any, ...]:
    """What the table asks of a transaction of the kind, besides."""
    touches_target = one.target is not None and one.kind in MOVING
    is_of_another = one.kind in {Kind.CAPTURE, Kind.VOID, Kind.EXPIRY, Kind.REFUND}
    return (
        *(one.ledger_id, id_, one.kind.value, one.source, one.target, one.amount),
        *(None if one.source is None else Decimal(0), Decimal(0) if touches_target else None),
        *(None if one.source is None else id_, id_ if touches_target else None),
        *(1 if is_of_another else None, NOON if one.kind is Kind.HOLD else None, one.ctime),
    )
