"""Which schema Koshel's tables are in: the one that is named, or else the one where they are, or else `koshel`.

Every statement names it, so that nothing depends on a session's search_path, and no table of somebody else's that is
called `account` or `transaction` is ever meant.
"""

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import msgspec

from koshel.db import queries
from koshel.db.queries import Queries

if TYPE_CHECKING:
    import psycopg


Wish: TypeAlias = Literal["on", "off"] | None  # whether the service is to be confined; None: as it is


class Looks(Protocol):
    """A connection of either driver's, as far as it is needed here."""

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The first value."""


class Namespace(msgspec.Struct):
    """The schema; without a name it is found out over the first connection, and until then said to be `koshel`.

    So is whether its row-level security confines the service to the ledgers that it names.
    """

    name: str | None = None
    is_confined: bool = False
    _is_known: bool = False

    @property
    def queries(self) -> Queries:
        """The statements in it."""
        return queries.load(self.name or queries.SCHEMA)

    async def look(self, connection: Looks) -> None:
        """Find out where the tables are, unless that is known. Raises what the driver raises."""
        if self._is_known:
            return
        if self.name is None:
            self.name = await connection.fetchval(queries.load().find_schema) or queries.SCHEMA
        self.is_confined = await connection.fetchval(queries.load().is_confined, self.name)
        self._is_known = True


def of_owner(connection: "psycopg.Connection[Any]", named: str | None) -> str:
    """The schema, over a connection of the other driver. Raises what it raises."""
    if named is not None:
        return named
    import psycopg  # noqa: PLC0415  the service has no use for this driver

    with psycopg.RawCursor(connection, row_factory=psycopg.rows.scalar_row) as cursor:
        found: str | None = cursor.execute(queries.load().find_schema).fetchone()
    return found or queries.SCHEMA
