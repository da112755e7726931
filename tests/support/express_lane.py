"""A service whose express lane is watched, and requests to it."""

import time
from collections.abc import AsyncIterator

from koshel.app import open_service
from koshel.config.settings import Settings
from koshel.descriptors import CONNECTIONS_MAX
from koshel.http.connection import protocol
from koshel.http.connection.runner import Runner
from koshel.http.connection.watch import Watch
from koshel.http.server import SERVICE, application
from tests.support.database import Database
from tests.support.waiting import until
from tests.support.ways import BYE, Watched, Way, post, statuses


async def served(
    database: Database,
    chosen: Settings,
    token: str,
    watch: Watch | None = None,
    connections_max: int = CONNECTIONS_MAX,
) -> AsyncIterator[Way]:
    """A service with an account, which the token's caller has opened."""
    app = application(chosen, open_service(chosen, database.service_url))
    runner = Runner(app, chosen, watch, connections_max)
    await runner.setup()
    authentication = runner.app[SERVICE].authentication
    assert authentication is not None
    # Before that what is remembered of keys is forgotten once.
    await until(lambda: authentication.changes.is_listening(time.monotonic()), "changes of keys are heard of")
    assert isinstance(runner.server, protocol.Server)
    runner.server.connect = Watched
    way = Way(runner)
    account = post("/account", b'{"email": "ann@example.com"}', f"Authorization: Bearer {token}")
    assert (await ask(way, account))[0] == 201
    yield way
    await runner.cleanup()


async def ask(way: Way, request: bytes) -> tuple[int, bool, bytes]:
    """The status, whether the express lane has answered itself, and all that was answered."""
    connection, answers = await way.say([request, BYE])
    assert isinstance(connection, Watched)
    first, last = statuses(answers)
    assert last == 200
    return first, bool(connection.taken), answers


def payment(token: str, *lines: str) -> bytes:
    """A request that pays one into that account."""
    return post("/account/1/payment", b'{"amount": "1"}', f"Authorization: Bearer {token}", *lines)
