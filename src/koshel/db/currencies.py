"""The currencies that ISO 4217 does not know."""

import psycopg

from koshel.db import namespace, queries


class CurrencyTaken(Exception):
    """The code is registered already."""


def add(url: str, code: str, scale: int, schema: str | None = None) -> None:
    """Register a currency. Raises CurrencyTaken."""
    with psycopg.connect(url, cursor_factory=psycopg.RawCursor) as connection:
        q = queries.load(namespace.of_owner(connection, schema))
        if connection.execute(q.add_currency, (code, scale)).fetchone() is None:
            raise CurrencyTaken(code)


def registered(url: str, schema: str | None = None) -> list[tuple[str, int]]:
    """Codes and scales, in order of code."""
    with psycopg.connect(url) as connection:
        q = queries.load(namespace.of_owner(connection, schema))
        return [(code, scale) for code, scale in connection.execute(q.list_currencies)]
