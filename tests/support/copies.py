"""Copies of the tables of books, to put them right again. Computed columns are not copied: nobody can write them."""

from collections.abc import Iterable, Iterator

COMPUTED = ("source_account_id", "target_account_id", "parent_id", "reference")
PENDING = {"queued", "declined", "cancelled"}


def copying(tables: Iterable[str]) -> Iterator[str]:
    """The statements that copy each table."""
    for name in tables:
        yield f"CREATE TABLE right_{name} AS TABLE {name}"
        for column in COMPUTED if name in PENDING else ():
            yield f"ALTER TABLE right_{name} DROP COLUMN {column}"
