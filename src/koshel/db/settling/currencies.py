"""The currencies that ISO 4217 does not know; and the decimals of any."""

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from koshel.core.money import iso_scales
from koshel.db import namespace, queries

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class CurrencyTaken(Exception):
    """The code is registered already."""


def add(url: str, code: str, scale: int, schema: str | None = None) -> None:
    """Register a currency. Raises CurrencyTaken."""
    import psycopg  # noqa: PLC0415  the service has no use for this driver

    with psycopg.connect(url, cursor_factory=psycopg.RawCursor) as connection:
        q = queries.load(namespace.of_owner(connection, schema))
        if connection.execute(q.add_currency, (code, scale)).fetchone() is None:
            raise CurrencyTaken(code)


def registered(url: str, schema: str | None = None) -> list[tuple[str, int]]:
    """Codes and scales, in order of code."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url) as connection:
        q = queries.load(namespace.of_owner(connection, schema))
        return [(code, scale) for code, scale in connection.execute(q.list_currencies)]


async def scales(connection: "AnyConnection", q: queries.Queries, codes: AbstractSet[str]) -> dict[str, int]:
    """The decimals of these currencies, by code; of one that is not known, nothing."""
    iso = iso_scales()
    found = {code: iso[code] for code in codes & iso.keys()}
    if unknown := codes - iso.keys():
        rows = await connection.fetch(q.find_scales, unknown)
        found |= {row["code"]: row["scale"] for row in rows}
    return found
