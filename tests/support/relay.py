"""A relay in front of PostgreSQL that loses a connection exactly during COMMIT.

    store ──TCP──▶ relay ──unix socket──▶ PostgreSQL
                     └── armed with a Cut, it waits for the next COMMIT to come by

Only what the client says is read message by message; what the server says passes as it comes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from koshel.db.server.embedded import Cluster

QUERY = b"Q"
COMMIT = b"COMMIT"
CHUNK = 65_536


class Cut(Enum):
    """What becomes of the next COMMIT and of its connection."""

    REPLY_LOST = "the server commits, its reply does not come back"
    COMMIT_LOST = "the server never sees it, and its side is closed at once"
    BACKEND_LIVES = "the server never sees it, and its side stays open and silent"
    COMMIT_LATE = "the client is cut off at once, the server sees it when `deliver` is called"
    SILENCE = "the server never sees it, and neither side is told"


class _Way(NamedTuple):
    """One connection's way to PostgreSQL and back."""

    from_client: asyncio.StreamReader
    to_server: asyncio.StreamWriter
    from_server: asyncio.StreamReader


class Relay:
    """Open it with `relaying`."""

    def __init__(self, socket: Path) -> None:
        self.cuts = 0
        self._socket = socket
        self._armed: Cut | None = None
        self._late: list[tuple[asyncio.StreamWriter, bytes]] = []
        self._kept: list[asyncio.StreamWriter] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.port = 0

    def url(self, url: str) -> str:
        """The URL of a database behind the relay."""
        parts = urlsplit(url)
        role = parts.netloc.removesuffix("@")
        return f"postgresql://{role}@127.0.0.1:{self.port}{parts.path}?sslmode=disable"

    def cut_next_commit(self, cut: Cut) -> None:
        """Lose the next COMMIT in this way; those after it pass."""
        self._armed = cut

    async def deliver(self) -> None:
        """Hand the server the late COMMIT."""
        for to_server, message in self._late:
            to_server.write(message)
            await to_server.drain()
        self._late.clear()

    async def accept(self) -> None:
        """Take connections, always on the same port."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Take no new connections: the database is out of reach."""
        if self._listener is not None:
            self._listener.close()

    async def close(self) -> None:
        """End every connection."""
        self.refuse()
        for writer in self._kept:
            writer.transport.abort()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        from_server, to_server = await asyncio.open_unix_connection(self._socket)
        way = _Way(from_client, to_server, from_server)
        back = asyncio.create_task(_pass_on(from_server, to_client))
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._read_client(way, back)
        finally:
            back.cancel()
            to_client.transport.abort()
            if to_server not in self._kept:
                to_server.transport.abort()

    async def _read_client(self, way: _Way, back: "asyncio.Task[None]") -> None:
        way.to_server.write(await _read_message(way.from_client, type_bytes=0))  # the first message has no type
        while True:
            message = await _read_message(way.from_client, type_bytes=1)
            if self._armed and message[:1] == QUERY and message[5:].startswith(COMMIT):
                cut, self._armed = self._armed, None
                back.cancel()
                await asyncio.wait([back])
                await self._cut(cut, message, way)
                self.cuts += 1
                return
            way.to_server.write(message)
            await way.to_server.drain()

    async def _cut(self, cut: Cut, commit: bytes, way: _Way) -> None:
        match cut:
            case Cut.REPLY_LOST:
                way.to_server.write(commit)
                await way.from_server.readexactly(1)  # it has committed when it begins to say so
            case Cut.COMMIT_LOST:
                pass
            case Cut.BACKEND_LIVES:
                self._kept.append(way.to_server)
            case Cut.COMMIT_LATE:
                self._kept.append(way.to_server)
                self._late.append((way.to_server, commit))
            case Cut.SILENCE:
                self._kept.append(way.to_server)
                # The client has had enough of it by and by.
                await way.from_client.read()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _read_message(reader: asyncio.StreamReader, *, type_bytes: int) -> bytes:
    head = await reader.readexactly(type_bytes + 4)
    return head + await reader.readexactly(int.from_bytes(head[type_bytes:]) - 4)


@asynccontextmanager
async def relaying(cluster: Cluster) -> AsyncIterator[Relay]:
    """A relay to the cluster's server."""
    relay = Relay(cluster.sockets / ".s.PGSQL.5432")
    await relay.accept()
    try:
        yield relay
    finally:
        await relay.close()
