"""Migrations: plain SQL files, applied in order by yoyo, by one process at a time."""

from pathlib import Path

import psycopg
from psycopg.rows import tuple_row
from yoyo import get_backend, read_migrations

from koshel.db import queries

DIRECTORY = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """The schema could not be read or brought up to date."""


def known() -> list[str]:
    """Names of the migrations that this version of Koshel needs, in order."""
    return sorted(path.stem for path in DIRECTORY.glob("*.sql"))


def due(url: str) -> list[str]:
    """Names of those that the database lacks, in order. Changes nothing. Raises MigrationError."""
    try:
        with psycopg.connect(url, row_factory=tuple_row) as connection:
            applied = {name for (name,) in connection.execute(queries.load().applied_migrations)}
    except psycopg.errors.UndefinedTable:
        return known()
    except psycopg.Error as error:
        raise MigrationError(str(error).strip()) from error
    return [name for name in known() if name not in applied]


def migrate(url: str, *, service_role: str | None = None) -> list[str]:
    """Apply what is due, then grant the service role what it needs. Returns the names applied.

    Waits while another process does the same. Raises MigrationError.
    """
    try:
        with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as guard:
            # Held by this connection, so it goes when the process goes, however it goes.
            guard.execute(queries.load().lock_migrations)
            names = due(url)
            if names:
                _apply(url)
            if service_role is not None:
                _grant(guard, service_role)
    except psycopg.Error as error:
        raise MigrationError(str(error).strip()) from error
    return names


def _apply(url: str) -> None:
    backend = get_backend(_yoyo_url(url))
    try:
        if backend.lock_table not in backend.list_tables():
            # Yoyo hides why it could not make it. This fails likewise, and says so.
            backend.execute(backend.format_sql(backend.create_lock_table_sql))
        # Yoyo's own lock is a row, which a process that is killed leaves behind; ours keeps others out.
        backend.break_lock()
        for migration in backend.to_apply(read_migrations(str(DIRECTORY))):
            # With its mark in one transaction: yoyo's apply_one commits the steps first, and a kill
            # in between would leave a migration that can be neither skipped nor applied again. And without
            # its log, which asks for the user's and the host's names: a container may have neither.
            with backend.transaction():
                migration.process_steps(backend, "apply")
                backend.mark_one(migration, log=False)
    finally:
        backend.connection.close()


def _yoyo_url(url: str) -> str:
    """The URL in yoyo's words, which name the driver too."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}"


def _grant(connection: "psycopg.Connection[tuple[str, ...]]", role: str) -> None:
    for (statement,) in connection.execute(queries.load().grant_service, (role,)).fetchall():
        connection.execute(statement)
