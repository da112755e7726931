"""Where a service stands with its database: which one it is, as whom, how far its schema is, how many may connect."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
from msgspec import Struct

from koshel.db import queries
from koshel.db.errors import DatabaseUnavailable, Unfit
from koshel.db.schema import known
from koshel.db.url import parse

CONNECTIONS_MIN = 2  # of a worker: one to settle, one to read

_log = structlog.get_logger()


class TooFewConnections(Exception):
    """The service could not work with so few; the message says which settings to change."""


class Standing(Struct, frozen=True):
    """What the database says, before a worker asks it for anything."""

    at: str  # host and port, or the directory of its socket; no password
    database: str
    role: str
    version: str
    room: int  # connections that this role may have at once
    due: list[str]  # migrations that the schema lacks


class Wanted(Struct, frozen=True):
    """The connections that the service may open."""

    workers: int
    connections: int  # of all workers together, at most
    said_by: str  # the settings, with their values


def look(url: str, timeout_ms: int) -> Standing:
    """Ask, over a connection of the service's own driver. Raises DatabaseUnavailable."""
    try:
        return asyncio.run(_look(url, timeout_ms / 1_000))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, Unfit) as error:
        raise DatabaseUnavailable(f"the database cannot be used: {str(error) or 'it does not answer'}") from error


async def _look(url: str, timeout_s: float) -> Standing:
    connection = await asyncpg.connect(
        **parse(url).arguments, timeout=timeout_s, command_timeout=timeout_s, statement_cache_size=0
    )
    try:
        (said,) = await connection.fetch(queries.load().read_standing)
        try:
            applied = {name for (name,) in await connection.fetch(queries.load().applied_migrations)}
        except asyncpg.UndefinedTableError:
            applied = set()
    finally:
        await connection.close(timeout=timeout_s)
    return Standing(at=_place(url), due=[name for name in known() if name not in applied], **dict(said))


def _place(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", ["the default host"]))


def say_which(found: Standing) -> None:
    """Which database it is, and as whom: a misspelt variable shows here."""
    _log.info("this is the database", at=found.at, database=found.database, role=found.role, version=found.version)


def check_connections(found: Standing, wanted: Wanted) -> None:
    """Warn if the workers may open more than there is room for. Raises TooFewConnections if they could not work."""
    if wanted.connections <= found.room:
        return
    said = (
        f"the workers may open {wanted.connections} connections, and {found.role} has room for {found.room}: "
        f"raise PostgreSQL's max_connections, or lower one of {wanted.said_by}"
    )
    if wanted.workers * CONNECTIONS_MIN > found.room:
        raise TooFewConnections(said)
    _log.warning(said)
