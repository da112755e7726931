"""Migrations: plain SQL files, applied in order by yoyo, by one process at a time."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import structlog
from psycopg.rows import tuple_row

from koshel.db import namespace, queries
from koshel.db.errors import Unfit
from koshel.db.namespace import Wish
from koshel.db.patience import be_patient
from koshel.db.starting import policies, words
from koshel.db.starting import schema as migrations
from koshel.db.starting.schema import Compared
from koshel.db.url import parse

if TYPE_CHECKING:
    from yoyo.backends import DatabaseBackend

known = migrations.known

LOCK_TIMEOUT_MS = 10_000  # for one lock on a table: whoever comes later waits behind us
TURN_TIMEOUT_MS = 600_000  # while another process migrates
PARTITIONED = "0021.partitions"  # transactions are, since then
HOLDERS_SHOWN = 3  # of a lock that is waited for in vain

_log = structlog.get_logger()


class MigrationError(Exception):
    """The schema could not be read or brought up to date."""


def compare(url: str, schema: str | None = None, lock_timeout_ms: int | None = None) -> Compared:
    """What it lacks, and what it has that this version does not know. Changes nothing. Raises MigrationError."""
    patience_ms = LOCK_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
    try:
        with psycopg.connect(url, row_factory=tuple_row) as connection:
            be_patient(connection, patience_ms, in_transaction=True)
            q = queries.load(namespace.of_owner(connection, schema))
            applied = {name for (name,) in connection.execute(q.applied_migrations)}
    except psycopg.errors.UndefinedTable:
        applied = set()
    except psycopg.Error as error:
        raise translated(error, patience_ms, url) from error
    return migrations.compared(applied)


def due(url: str, schema: str | None = None) -> list[str]:
    """Names of those that the database lacks, in order. Changes nothing. Raises MigrationError."""
    return compare(url, schema).due


def migrate(
    url: str,
    *,
    schema: str | None = None,
    service_role: str | None = None,
    row_security: Wish = None,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
) -> list[str]:
    """Apply what is due, then grant the service role what it needs. Returns the names applied.

    `schema`: that of the tables, made if it is not there; None: where they are, or `koshel`. `row_security`: see
    `policies`. Waits while another process does the same. Raises MigrationError; if there is no such role, nothing was
    done.
    """
    try:
        with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.RawCursor) as guard:
            _take_turn(guard)
            be_patient(guard, lock_timeout_ms, in_transaction=False)
            if service_role is not None:
                check_role(guard, service_role)
            found = namespace.of_owner(guard, schema)
            names = due(url, found)
            if names:
                for (statement,) in guard.execute(queries.load().create_schema, (found,)).fetchall():
                    guard.execute(statement)
                _apply(url, found, lock_timeout_ms)
            if service_role is not None:
                _grant(guard, service_role, found)
            policies.secure(guard, found, row_security)
            if PARTITIONED in known():
                _make_partitions(guard, found)
    except Unfit as error:
        raise MigrationError(str(error)) from error
    except psycopg.Error as error:
        raise translated(error, lock_timeout_ms, url) from error
    return names


def _make_partitions(connection: "psycopg.Connection[Any]", schema: str) -> None:
    try:
        connection.execute(queries.load(schema).make_partitions)
    except psycopg.errors.LockNotAvailable as error:
        # There is room for a while: whatever serves makes them, and says it if it cannot.
        _log.warning("partitions of transactions are not made yet", error=str(error).splitlines()[0])


def check_role(connection: "psycopg.Connection[Any]", role: str) -> None:
    """Raises MigrationError if there is no such role."""
    row = psycopg.RawCursor(connection, row_factory=tuple_row).execute(queries.load().make_role, (role,)).fetchone()
    if row is not None:
        said = f"there is no database role {role!r}, so nothing was done"
        raise MigrationError(f"{said}: make it first, as a superuser: {row[0]}")


def _role(url: str) -> str:
    return str(parse(url).arguments["user"])


def translated(error: psycopg.Error, lock_timeout_ms: int, url: str) -> MigrationError:
    """What the driver says, in our words."""
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return MigrationError(
            f"the migration gave up after {lock_timeout_ms / 1_000:g} s of waiting for a lock that another transaction "
            f"holds, and nothing of it was done; end that transaction{_holders(url)}, or raise "
            "KOSHEL_MIGRATION_LOCK_TIMEOUT_MS"
        )
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return MigrationError(
            f"the role {_role(url)} may not do this ({error.diag.message_primary}); run it as the owner of the database"
        )
    return MigrationError(words.of(error))


def _holders(url: str) -> str:
    """Who holds locks on tables now, in words; nothing if that cannot be said."""
    try:
        with psycopg.connect(url, row_factory=tuple_row) as connection:
            found = connection.execute(queries.load().find_holders).fetchmany(HOLDERS_SHOWN)
    except psycopg.Error:
        return ""
    words = [
        f"process {pid} of {user or 'another user'}"
        + (f", {name}" if name else "")
        + ("" if age_s is None else f", for {age_s:.0f} s")
        + f", on {tables}"
        for pid, user, name, age_s, tables in found
    ]
    return f" ({'; '.join(words)})" if words else ""


def _take_turn(guard: "psycopg.Connection[tuple[str, ...]]") -> None:
    be_patient(guard, TURN_TIMEOUT_MS, in_transaction=False)
    try:
        # Held by this connection, so it goes when the process goes, however it goes.
        guard.execute(queries.load().lock_migrations)
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationError(f"another process has been migrating for {TURN_TIMEOUT_MS / 60_000:g} minutes") from error


def _apply(url: str, schema: str, lock_timeout_ms: int) -> None:
    from yoyo import get_backend, read_migrations  # noqa: PLC0415  nearly always there is nothing to apply

    backend: DatabaseBackend = get_backend(_yoyo_url(url))
    try:
        be_patient(backend.connection, lock_timeout_ms, in_transaction=False)
        # What the migrations name, and yoyo's own tables, are looked for, and made, there.
        psycopg.RawCursor(backend.connection).execute(queries.load().search_schema, (schema,))
        if backend.lock_table not in backend.list_tables():
            # Yoyo hides why it could not make it. This fails likewise, and says so.
            backend.execute(backend.format_sql(backend.create_lock_table_sql))
        # Yoyo's own lock is a row, which a process that is killed leaves behind; ours keeps others out.
        backend.break_lock()
        for migration in backend.to_apply(read_migrations(str(migrations.DIRECTORY))):
            # With its mark in one transaction: yoyo's apply_one commits the steps first, and a kill
            # in between would leave a migration that can be neither skipped nor applied again. And without
            # its log, which asks for the user's and the host's names: a container may have neither.
            with backend.transaction():
                migration.process_steps(backend, "apply")
                backend.mark_one(migration, log=False)
    finally:
        backend.connection.close()


def _yoyo_url(url: str) -> str:
    """The URL in yoyo's words, which name the driver too; whole, since yoyo knows fewer forms of it than the driver."""
    return f"postgresql+psycopg:?conninfo={quote(url, safe='')}"


def _grant(connection: "psycopg.Connection[tuple[str, ...]]", role: str, schema: str) -> None:
    connection.execute(queries.load().search_schema, (schema,))
    for (statement,) in connection.execute(queries.load().grant_service, (role, schema)).fetchall():
        connection.execute(statement)
