"""One running service for all the tests of this folder; each opens accounts of its own."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
import uvloop

from koshel.callers import Scope
from koshel.db.access.api_keys import NewKey
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.support.clone import cloned
from tests.support.keyed import Client, Keyed, new_key, new_ledger
from tests.support.room import Room
from tests.support.service import Answer, Running, serving
from tests.support.till import Till
from tests.support.ways import ABROAD, ACCOUNTS, BYE, WAYS, Ways, open_ways, post

DATABASE = "http_tests"
LIMITS = {
    "auth": "off",  # here; others test who is asked for a key
    "body_bytes_max": "20000",
    "receive_timeout_ms": "1000",
    "keepalive_timeout_s": "3",
    "background_poll_ms": "100",
}

Headers = Mapping[str, str] | Sequence[tuple[str, str]]  # the latter where one comes twice
OpenAccount = Callable[..., int]
Send = Callable[..., Answer]
Lock = Callable[[int], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def service(cluster: Cluster) -> Iterator[Running]:
    """The service, connected as the role that may do least."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    with serving(cluster.url(embedded.SERVICE, DATABASE), **LIMITS) as service:
        yield service


@pytest.fixture(scope="session")
def till(service: Running) -> Till:
    """The service, in the words of its business."""
    return Till(service)


@pytest.fixture
def open_account(service: Running) -> OpenAccount:
    """Opens an account, pays money in, and gives its id."""

    def open_account(balance: str | None = None, **fields: Any) -> int:
        account = service.call("POST", "/account", {"email": "ann@example.com"} | fields)
        assert account.status == 201, account
        account_id: int = account.body["id"]
        if balance is not None:
            assert service.call("POST", f"/account/{account_id}/payment", {"amount": balance}).status == 201
        return account_id

    return open_account


@pytest.fixture
def send(service: Running) -> Send:
    """Sends bytes as they are, with no header that was not asked for."""

    def send(method: str, path: str, body: bytes = b"", headers: Headers | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        try:
            chosen = headers or {"Content-Type": "application/json", "Content-Length": str(len(body))}
            connection.putrequest(method, path, skip_host="Host" in dict(chosen), skip_accept_encoding=True)
            for name, value in chosen.items() if isinstance(chosen, Mapping) else chosen:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        is_json = "json" in reply.headers.get("Content-Type", "")
        return Answer(reply.status, dict(reply.headers), json.loads(content) if content and is_json else content)

    return send


@pytest.fixture(scope="module")
def room(cluster: Cluster) -> Iterator[Room]:
    """Both ways, over two ledgers with the same accounts."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for name in WAYS:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    plain_url, express_url = (cluster.url(embedded.SERVICE, name) for name in WAYS)

    async def serve() -> AsyncIterator[Ways]:
        async with open_ways(plain_url, express_url) as ways:
            yield ways

    async def end() -> None:
        assert [one async for one in running] == []

    running = serve()
    room = Room(loop.run_until_complete(anext(running)), loop)
    try:
        for number, limit in enumerate([b"5000"] * ACCOUNTS + [b"null"] * 2, start=1):
            body = b'{"email": "ann@example.com", "max_balance": %b, "name": "users:%d"}' % (limit, number)
            opened = room.agree([post("/account", body), BYE])
            assert b"201 Created" in opened
        abroad = b'{"email": "ann@example.com", "currency": "EUR", "name": "users:%d"}' % ABROAD
        assert b"201 Created" in room.agree([post("/account", abroad), BYE])
        yield room
    finally:
        loop.run_until_complete(end())
        loop.close()
        asyncio.set_event_loop(None)


def locking(url: str) -> Lock:
    """Keeps an account's row locked for the length of a block, as a long transaction of somebody else would."""

    @contextmanager
    def lock(account_id: int) -> Iterator[None]:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [account_id])
            yield

    return lock


@pytest.fixture(scope="session")
def keyed(cluster: Cluster) -> Iterator[Keyed]:
    """A service that asks for keys."""
    with cloned(cluster, "authorization_tests") as database:
        url = database.service_url

        async def make() -> tuple[dict[Scope, NewKey], NewKey, int]:
            shop = await new_ledger(url, "shop")
            keys = {scope: await new_key(url, scope) for scope in Scope}
            return keys, await new_key(url, Scope.ADMIN, ledger_id=shop.id), shop.id

        made = asyncio.run(make())
        with serving(url, workers="2") as service:
            yield Keyed(service, url, *made)


@pytest.fixture
def client(keyed: Keyed) -> Iterator[Client]:
    """A connection to the service that asks for keys."""
    client = Client(keyed.service.port)
    yield client
    client.close()
