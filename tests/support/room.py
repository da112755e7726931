"""Both ways through HTTP, on a loop of their own that turns while a test asks something of them."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from aiohttp.web_protocol import RequestHandler

from tests.support.ways import ANSWERED_WITHIN_S, BYE, Watched, Way, Ways, Wire, statuses

T = TypeVar("T")


class Room:
    """Open it with a fixture of that name."""

    def __init__(self, ways: Ways, loop: asyncio.AbstractEventLoop) -> None:
        self.answered = self.taken = 0
        self.ways = ways
        self._loop = loop

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(asked)

    def agree(self, pieces: Sequence[bytes]) -> bytes:
        """Send the pieces to both; what they answered, which is the same."""
        plain, express, taken = self.run(self.ways.both(pieces))
        assert express == plain, b"".join(pieces)
        self.answered += len(statuses(express))
        self.taken += taken
        return plain

    def connect(self) -> tuple[Watched, Wire]:
        """A new connection to the express lane."""
        connection, wire = self.connect_to("express")
        assert isinstance(connection, Watched)
        return connection, wire

    def connect_to(self, name: str) -> tuple[RequestHandler, Wire]:
        """A new connection to the way with this name."""
        way: Way = getattr(self.ways, name)
        connected = self.run(way.connect())
        self.wait(0.01)
        return connected

    def wait(self, seconds: float) -> None:
        """Let the loop turn for so long."""
        self.run(asyncio.sleep(seconds))

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Let the loop turn until that has happened."""

        async def until() -> None:
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                while not happened():  # noqa: ASYNC110  it is no event that anybody tells of
                    await asyncio.sleep(0.005)

        self.run(until())

    def version(self, account_id: int) -> int:
        """The account's, in the ledger of the express lane."""
        asked = b"GET /account/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % account_id
        answers = self.run(self.ways.express.say([asked, BYE]))[1]
        account = json.loads(answers.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0])
        return int(account["version"])
