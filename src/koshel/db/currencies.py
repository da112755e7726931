"""The currencies that ISO 4217 does not know."""

import psycopg

from koshel.db import queries


class CurrencyTaken(Exception):
    """The code is registered already."""


def add(url: str, code: str, scale: int) -> None:
    """Register a currency. Raises CurrencyTaken."""
    with psycopg.connect(url, cursor_factory=psycopg.RawCursor) as connection:
        if connection.execute(queries.load().add_currency, (code, scale)).fetchone() is None:
            raise CurrencyTaken(code)


def registered(url: str) -> list[tuple[str, int]]:
    """Codes and scales, in order of code."""
    with psycopg.connect(url) as connection:
        return [(code, scale) for code, scale in connection.execute(queries.load().list_currencies)]
