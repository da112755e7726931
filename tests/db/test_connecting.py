"""Whatever a server or a pooler answers where a connection is to be made: the database is away, until one can be."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from koshel.db.errors import Away, DatabaseUnavailable, Unfit
from koshel.db.pools import TimeLimits
from koshel.db.starting import once
from koshel.db.store import StoreConfig, open_store
from koshel.errors import KoshelError

AWAY = {
    "08001": "the pooler cannot reach its server",
    "08004": "the server rejects the connection",
    "08006": "the connection has failed",
    "08P01": "PgBouncer: pgbouncer cannot connect to server",
    "25006": "the server takes no writes",
    "28000": "no pg_hba.conf entry, or the role may not log in",
    "28P01": "the password is another one just now",
    "3D000": "the database does not exist, while it is renamed or restored",
    "53000": "insufficient resources",
    "53100": "the disk is full",
    "53200": "out of memory",
    "53300": "too many connections",
    "53400": "a configured limit is exceeded",
    "55000": "the database is not currently accepting connections",
    "55006": "the database is being accessed by other users",
    "57000": "an operator has intervened",
    "57014": "canceling authentication due to timeout",
    "57P01": "terminating connection due to administrator command",
    "57P02": "terminating connection because of crash of another server process",
    "57P03": "the database system is starting up",
    "57P04": "the database was dropped",
    "57P05": "terminating connection due to idle-session timeout",
    "58000": "system error",
    "58P01": "the database's directory is missing",
    "F0000": "the configuration file has an error",
    "XX000": "a pooler: max clients reached",
}
FINAL = {"42501": "permission denied for database; the role does not have the CONNECT privilege"}
AT_THE_START = ["53300", "55000", "57P01", "57P02", "57P03", "57P04", "57P05", "08006"]  # what it waits for


@asynccontextmanager
async def refusing(sqlstate: str) -> AsyncIterator[str]:
    """A server that refuses every connection so; its URL."""
    fields = {"S": "FATAL", "V": "FATAL", "C": sqlstate, "M": (AWAY | FINAL)[sqlstate]}
    body = b"".join(f"{name}{text}\0".encode() for name, text in fields.items()) + b"\0"

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(b"E" + struct.pack("!i", len(body) + 4) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://nobody:secret@127.0.0.1:{port}/nothing?sslmode=disable"
    finally:
        server.close()


async def raised_by(url: str) -> list[KoshelError]:
    """What is raised by a read, a dry run's connection and a batch."""
    raised = []
    async with open_store(StoreConfig(url, limits=TimeLimits(connect_timeout_ms=2_000))) as store:
        for call in (store.get_account(1, 1), store.applied_migrations(), store.due(), _batch(store)):
            with pytest.raises(KoshelError) as told:
                await call
            raised.append(told.value)
    return raised


async def _batch(store: object) -> None:
    async with store.batch():  # type: ignore[attr-defined]
        raise AssertionError("there is no connection")


@pytest.mark.parametrize("sqlstate", AWAY)
async def test_a_connection_that_cannot_be_made_is_the_database_being_away(sqlstate: str) -> None:
    async with refusing(sqlstate) as url:
        for error in await raised_by(url):
            assert type(error) is DatabaseUnavailable
            assert AWAY[sqlstate] in str(error)
            assert "secret" not in str(error)


@pytest.mark.parametrize("sqlstate", FINAL)
async def test_a_right_that_is_missing_is_said_with_what_mends_it(sqlstate: str) -> None:
    async with refusing(sqlstate) as url:
        for error in await raised_by(url):
            assert type(error) is Unfit
            assert "run `koshel migrate --service-role`" in str(error)


@pytest.mark.parametrize("sqlstate", AT_THE_START)
async def test_the_start_waits_for_what_passes(sqlstate: str) -> None:
    async def nothing(*_: object) -> None:
        raise AssertionError("there is no connection")

    async with refusing(sqlstate) as url:
        with pytest.raises(Away, match=AWAY[sqlstate]):
            await once.transact(url, nothing)
