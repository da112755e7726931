"""What `koshel migrate` would do, if it were told to: asked, and not done."""

from collections.abc import Iterator
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.rows import tuple_row

from koshel.db import namespace, queries
from koshel.db.namespace import Wish
from koshel.db.patience import be_patient
from koshel.db.starting import migrate
from koshel.db.starting.schema import Compared


class Checked(Struct, frozen=True):
    """What is to be done for a database."""

    migrations: Compared
    wanting: list[str]  # besides, in words


def check(
    url: str, *, schema: str | None, service_role: str | None, row_security: Wish, lock_timeout_ms: int
) -> Checked:
    """What is due, and what the service's role lacks if one is named. Changes nothing. Raises MigrationError."""
    found = migrate.compare(url, schema, lock_timeout_ms)
    if found.due:  # and with the tables the rights to them
        return Checked(found, [])
    try:
        with psycopg.connect(url) as connection:
            be_patient(connection, lock_timeout_ms, in_transaction=True)
            return Checked(
                found, [*_wanting(connection, namespace.of_owner(connection, schema), service_role, row_security)]
            )
    except psycopg.Error as error:
        raise migrate.translated(error, lock_timeout_ms, url) from error


def _wanting(connection: "psycopg.Connection[Any]", schema: str, role: str | None, wish: Wish) -> Iterator[str]:
    cursor = psycopg.RawCursor(connection, row_factory=tuple_row)
    if role is not None:
        migrate.check_role(connection, role)
        for missing, _ in cursor.execute(queries.load().missing_rights, (schema, role)).fetchall():
            yield f"the role {role} lacks {missing}"
    if wish is not None and cursor.execute(queries.load().is_confined, (schema,)).fetchone() != (wish == "on",):
        yield f"row-level security is not {wish}"
