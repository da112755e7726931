"""Where a service stands with its database: which one it is, as whom, how far its schema is, how many may connect."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import asyncpg
from msgspec import Struct

from koshel.db import queries
from koshel.db.errors import DatabaseUnavailable
from koshel.db.schema import known


class Standing(Struct, frozen=True):
    """What the database says, before a worker asks it for anything."""

    at: str  # host and port, or the directory of its socket; no password
    database: str
    role: str
    version: str
    room: int  # connections that this role may have at once
    due: list[str]  # migrations that the schema lacks


def look(url: str, timeout_ms: int) -> Standing:
    """Ask, over a connection of the service's own driver. Raises DatabaseUnavailable."""
    try:
        return asyncio.run(_look(url, timeout_ms / 1_000))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ValueError) as error:
        raise DatabaseUnavailable(f"the database cannot be used: {str(error) or 'it does not answer'}") from error


async def _look(url: str, timeout_s: float) -> Standing:
    connection = await asyncpg.connect(url, timeout=timeout_s, command_timeout=timeout_s, statement_cache_size=0)
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
