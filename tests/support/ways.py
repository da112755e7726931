"""Both ways in one process: the same bytes go to aiohttp alone and to the express lane, over two identical ledgers.

A connection is a real one, but for its transport, which is a list here: so each piece of a request arrives just when
and just as the test wants it.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp.web_protocol import RequestHandler

from koshel.app import open_service
from koshel.config.settings import Settings
from koshel.http.connection import protocol
from koshel.http.connection.express import Connection
from koshel.http.connection.plain import Plain
from koshel.http.connection.runner import Runner
from koshel.http.server import application

ANSWERED_WITHIN_S = 30
CLOGGED = 100_000  # bytes that a client does not read
WAYS = ("way_aiohttp", "way_express")  # their databases
ACCOUNTS = 4  # that take at most 5,000, with the ids from 1
ALWAYS = ACCOUNTS + 1  # one that takes any amount, and that no random request touches; and so is the next
ABROAD = ALWAYS + 2  # one in euros
SETTINGS = Settings(receive_timeout_ms=300, body_bytes_max=8_000, settle_connections=2, read_connections=2)

BYE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

# What may be different each time: the moment, and the names that requests are given.
_MOMENT = re.compile(rb"Date: [^\r]+|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NAME = re.compile(rb"\b[0-9a-f]{8}-[0-9]+\b")


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and hangs up or takes no more when it is told to."""

    def __init__(self, connection: RequestHandler) -> None:
        super().__init__({"peername": ("127.0.0.1", 4_711)})
        self.sent = bytearray()
        self.reading = asyncio.Event()
        self.reading.set()
        self._loop = asyncio.get_running_loop()
        self.closed = self._loop.create_future()
        self._connection = connection
        self._is_closing = False
        self._unsent = 0
        connection.connection_made(self)

    def write(self, data: Any) -> None:
        assert not self._is_closing, "nothing is written to a connection that was closed"
        self.sent += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self.reading.set()
            self._loop.call_soon(self._lose)

    abort = close

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def take_no_more(self) -> None:
        """The client does not read: so much has gathered that the connection is told to pause."""
        self._unsent = CLOGGED
        self._connection.pause_writing()

    def take_all(self) -> None:
        self._unsent = 0
        self._connection.resume_writing()

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()

    def _lose(self) -> None:
        self._connection.connection_lost(None)
        if not self.closed.done():
            self.closed.set_result(None)


class Watched(Connection):
    """A connection of the express lane that notes what it takes off, and what it hands on to aiohttp."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.taken: list[bytes] = []
        self.pieces: list[bytes] = []

    def _take_off(self, plain: Plain) -> bool:
        start, unread = self._at, self._unread
        is_taken = super()._take_off(plain)
        if is_taken and self._at == plain.end:  # else it is looked up who sends it, and it is read again
            self.taken.append(unread[start : plain.end])
            self.pieces.append(self.taken[-1])
        return is_taken

    def _hand_over(self) -> None:
        self.pieces.append(self._unread[self._at :])
        super()._hand_over()


class Way:
    """One service, and connections to it."""

    def __init__(self, runner: protocol.Runner) -> None:
        self._runner = runner

    async def connect(self) -> tuple[RequestHandler, Wire]:
        """A new connection."""
        server = self._runner.server
        assert server is not None
        connection = server()
        return connection, Wire(connection)

    async def say(
        self, pieces: Sequence[bytes], *, turns: int = 3, within_s: float = ANSWERED_WITHIN_S
    ) -> tuple[RequestHandler, bytes]:
        """Send the pieces one after the other, each a few turns of the loop after the last; all that was answered."""
        connection, wire = await self.connect()
        for piece in pieces:
            for _ in range(turns):
                await asyncio.sleep(0)
            await wire.reading.wait()
            if not wire.is_closing():
                connection.data_received(piece)
        try:
            async with asyncio.timeout(within_s):
                await wire.closed
        finally:
            wire.close()
        return connection, comparable(bytes(wire.sent))


class Ways:
    """The two ways."""

    def __init__(self, plain: Way, express: Way) -> None:
        self.plain = plain
        self.express = express

    async def both(self, pieces: Sequence[bytes]) -> tuple[bytes, bytes, int]:
        """What aiohttp answers, what the express lane does, and how many requests that has answered itself.

        aiohttp gets what the express lane takes off a request at a time, the rest as that hands it on: of what comes
        at once, one bad request makes aiohttp forget those before it, so that its answers depend on the pieces.
        """
        connection, express = await self.express.say(pieces)
        assert isinstance(connection, Watched)
        _, plain = await self.plain.say(connection.pieces)
        return plain, express, len(connection.taken)


def cut(sent: bytes, places: Sequence[int]) -> list[bytes]:
    """The bytes, in pieces that end at these places."""
    return [sent[start:end] for start, end in zip([0, *places], [*places, len(sent)], strict=True)]


def comparable(answers: bytes) -> bytes:
    """Answers without moments and without the names that requests are given."""
    return _NAME.sub(b"<name>", _MOMENT.sub(b"<moment>", answers))


@asynccontextmanager
async def open_ways(plain_url: str, express_url: str) -> AsyncIterator[Ways]:
    """Both ways, each over a database of its own."""
    async with AsyncExitStack() as stack:
        ways = []
        for make, url in ((protocol.Runner, plain_url), (Runner, express_url)):
            runner = make(application(SETTINGS, open_service(SETTINGS, url)), SETTINGS, None)
            await runner.setup()
            if isinstance(runner, Runner):
                assert isinstance(runner.server, protocol.Server)
                runner.server.connect = Watched
            stack.push_async_callback(runner.cleanup)
            ways.append(Way(runner))
        yield Ways(*ways)


def post(path: str, body: bytes, *lines: str) -> bytes:
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", *lines, "", ""]).encode() + body


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]
