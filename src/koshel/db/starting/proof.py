"""What the start proves of a database before anybody hears of the service, through the service's own driver."""

import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from msgspec import Struct

from koshel.db import queries
from koshel.db.errors import Away, Unfit
from koshel.db.namespace import Namespace, Wish
from koshel.db.pools import TimeLimits, connect
from koshel.db.starting import schema as migrations
from koshel.db.starting.advice import advice
from koshel.db.url import Target, parse, place

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

VERSION_MIN = 15
LOOKS = 10  # at who answers; PgBouncer needs one or two of them to be seen
RISKS = {
    "fsync": "what was acknowledged may be lost, and the database broken, when its host crashes",
    "full_page_writes": "the database may be broken when its host crashes",
    "synchronous_commit": "what was acknowledged may be lost when the database crashes",
}

_SHARED = (
    "a pooler before the database deals out its connections by transaction or by statement, and Koshel keeps settings"
    " and prepared statements in its sessions; let the pooler deal them out by session (PgBouncer: pool_mode ="
    " session), or name the database itself"
)
_AWAY = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections
    asyncpg.InsufficientResourcesError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.DatabaseDroppedError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ConnectionFailureError,
    asyncpg.TargetServerAttributeNotMatched,
)
# Though OSErrors too: no waiting mends them.
_FINAL = (ssl.SSLError, PermissionError)
_NO_TLS = "rejected SSL upgrade"
# PgBouncer's words for a server of its own that is away; what it says of a client has the same code.
_BEHIND_A_POOLER = ("cannot connect to server", "server login has been failing", "server_login_retry")


class Inspected(Struct, frozen=True):
    """A database that is fit, and what it says before a worker asks it for anything."""

    database: str
    role: str
    version: str
    room: int  # connections that this role may have at once
    due: list[str]  # migrations that the schema lacks
    unknown: list[str]  # ... and that it has of a newer version of Koshel
    unsafe: list[str]  # settings that are off, since somebody said that they know
    advice: list[str]  # what would make it faster


async def inspect(
    url: str | Target,
    limits: TimeLimits,
    known: Collection[str],
    *,
    schema: str | None = None,
    row_security: Wish = None,
    granted_later: bool = False,
) -> Inspected:
    """What database this is, if it is fit. `known` are the settings that may be off. Raises Unfit or Away.

    `granted_later`: rights are no matter yet, nor is `row_security`, since the owner will have seen to both before
    `check_rights` asks.
    """
    async with connect_to(url, limits) as connection:
        row = await connection.fetchrow(queries.load().read_server)
        assert row is not None, "every database is in the catalogue"
        if connection.get_server_pid() != row["pid"]:  # as the server said it, if nobody stands in between
            async with connect_to(url, limits) as other:
                await _look_who_answers(connection, other)
        _refuse_unfit(row)
        if row["is_standby"]:
            raise Away("it is a standby, and takes no writes until it is promoted")
        unsafe = [one["name"] for one in await connection.fetch(queries.load().read_durability)]
        speed = {row["name"]: row["setting"] for row in await connection.fetch(queries.load().read_speed_settings)}
        namespace = Namespace(schema)
        await namespace.look(connection)
        if not granted_later:
            await _refuse_missing(connection, namespace)
            await _refuse_unconfined(connection, namespace, row_security)
        found = await _compared(connection, namespace)
    for name in unsafe:
        if name not in known:
            raise Unfit(f"{name} is off: {RISKS[name]}; set it on, or say KOSHEL_ALLOW_{name.upper()}_OFF=true")
    return Inspected(
        row["database"], row["role"], row["version"], row["room"], found.due, found.unknown, unsafe, advice(speed)
    )


async def check_rights(
    url: str | Target, limits: TimeLimits, schema: str | None = None, row_security: Wish = None
) -> None:
    """The rights and row-level security alone, once there is a schema. Raises Unfit or Away."""
    async with connect_to(url, limits) as connection:
        namespace = Namespace(schema)
        await namespace.look(connection)
        await _refuse_missing(connection, namespace)
        await _refuse_unconfined(connection, namespace, row_security)


async def _compared(connection: "Connection", namespace: Namespace) -> migrations.Compared:
    try:
        applied = {name for (name,) in await connection.fetch(namespace.queries.applied_migrations)}
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        applied = set()  # the latter only where rights are granted later: whoever grants them migrates first
    return migrations.compared(applied)


async def _refuse_missing(connection: "Connection", namespace: Namespace) -> None:
    found = await connection.fetch(queries.load().missing_rights, namespace.name, None)
    missing = [one["missing"] for one in found]
    if missing:
        row = await connection.fetchrow(queries.load().read_server)
        assert row is not None, "every database is in the catalogue"
        raise Unfit(
            f"the role {row['role']} lacks {', '.join(missing)}; run"
            f" `koshel migrate --service-role {row['role']}` as the owner of the database {row['database']}"
        )


async def _refuse_unconfined(connection: "Connection", namespace: Namespace, wish: Wish) -> None:
    """Raises Unfit if row-level security does not hold this role though it should, or is on though it should be off."""
    if wish == "off" and namespace.is_confined:
        raise Unfit(
            "KOSHEL_ROW_SECURITY is off, and the tables have row-level security for the service; run"
            " `koshel migrate --row-security off` as the owner of the database, or leave the setting out"
        )
    if wish != "on" and not namespace.is_confined:
        return
    row = await connection.fetchrow(queries.load().read_server)
    assert row is not None, "every database is in the catalogue"
    if reasons := [one["reason"] for one in await connection.fetch(queries.load().find_unconfined, namespace.name)]:
        raise Unfit(
            f"row-level security does not hold the role {row['role']}, which {'; '.join(reasons)}: let the service log"
            " in as a role that has only the rights that `koshel migrate --row-security on --service-role NAME` grants,"
            f" run as the owner of the database {row['database']}"
        )


def _refuse_unfit(row: asyncpg.Record) -> None:
    if row["version_number"] // 10_000 < VERSION_MIN:
        raise Unfit(f"the database is PostgreSQL {row['version']}; Koshel needs {VERSION_MIN} or newer")
    if row["encoding"] != "UTF8":
        raise Unfit(f"the database {row['database']} has the encoding {row['encoding']}; Koshel needs UTF8")


async def check_before_migrating(url: str | Target, limits: TimeLimits) -> None:
    """Whether it can be Koshel's, and each connection has a session to itself. Raises Unfit if not, or Away."""
    async with connect_to(url, limits) as one, connect_to(url, limits) as other:
        row = await one.fetchrow(queries.load().read_server)
        assert row is not None, "every database is in the catalogue"
        _refuse_unfit(row)
        await _look_who_answers(one, other)


async def _look_who_answers(one: "Connection", other: "Connection") -> None:
    """Raises Unfit if the two meet in one server process, or one of them in two: sessions never do."""
    statement = queries.load().read_backend
    seen = set()
    for _ in range(LOOKS):
        mine = await one.fetchval(statement)
        async with other.transaction():  # held, so that another process has to answer the next question
            theirs = await other.fetchval(statement)
            seen |= {mine}
            if mine == theirs or len(seen | {await one.fetchval(statement)}) > 1:
                raise Unfit(_SHARED)


@asynccontextmanager
async def connect_to(url: str | Target, limits: TimeLimits) -> AsyncIterator["Connection"]:
    """A connection as the service's are. Raises Unfit or Away, also for what is done with it."""
    target = parse(url)
    try:
        connection = await connect(target, limits, "start")
        try:
            yield connection
        finally:
            connection.terminate()
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError) as error:
        raise Unfit(_SHARED) from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise _as_ours(error, target) from error


def _as_ours(error: Exception, target: Target) -> Exception:
    text = _in_words(error, target)
    if "statement pooling" in text:
        return Unfit(_SHARED)
    is_away = isinstance(error, _AWAY) and not isinstance(error, _FINAL) and _NO_TLS not in text
    if is_away or any(words in text for words in _BEHIND_A_POOLER):
        return Away(text)
    return Unfit(f"the database cannot be used: {text}")


def _in_words(error: Exception, target: Target) -> str:
    """What the system says of a server that cannot be reached, and which server that is; else what is said anyway."""
    text = " ".join(str(error).split())
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
        return text or type(error).__name__
    if isinstance(error, socket.gaierror):
        why = error.strerror
    elif number := error.errno or _number_in(text):  # without one it is of several addresses, whose errors it quotes
        why = os.strerror(number)
    else:
        why = text or "no answer in time"
    return f"{place(target)}: {why}"


def _number_in(text: str) -> int:
    found = re.search(r"\[Errno (\d+)\]", text)
    return int(found[1]) if found else 0
