"""A service that asks for keys, and keys to call it with."""

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from koshel.callers import Scope
from koshel.db.access import api_keys, ledgers
from koshel.db.access.api_keys import NewKey
from koshel.db.access.ledgers import LedgerRow
from koshel.db.starting import once
from tests.support.service import Answer, Running

OWN_EACH_TIME = {"Date", "X-Request-Id"}
OTHER_LANE = {"X-Unknown": "1"}  # what the express lane does not know, it leaves to aiohttp


class Keyed(NamedTuple):
    """A service that asks for keys, its database, and keys of each scope."""

    service: Running
    url: str
    keys: dict[Scope, NewKey]
    of_shop: NewKey  # of scope admin
    shop_id: int

    def call(self, method: str, path: str, body: Any = None, scope: Scope = Scope.ADMIN) -> Answer:
        """A request with the key of this scope."""
        return self.service.call(method, path, body, Authorization=f"Bearer {self.keys[scope].text}")


class Said(NamedTuple):
    """A reply, without what is another one each time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Client:
    """One connection to a service, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: bytes | None = None, /, *headers: tuple[str, str]) -> Said:
        """Send a request with these headers, of which one may come twice."""
        connection = self._connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        content = reply.read()
        kept = tuple((name, value) for name, value in reply.getheaders() if name not in OWN_EACH_TIME)
        return Said(reply.status, kept, content)

    def close(self) -> None:
        """End it."""
        self._connection.close()


def bearer(key: str) -> tuple[str, str]:
    """The header that a key is sent in."""
    return "Authorization", f"Bearer {key}"


async def new_key(
    url: str, scope: Scope | str, *, ledger_id: int = 1, name: str = "", lasts_s: int | None = None
) -> NewKey:
    """A key of a ledger."""
    return await once.transact(
        url,
        lambda connection, q: api_keys.add(connection, q, ledger_id, Scope(scope), name=name, lasts_s=lasts_s),
        ledger_id=ledger_id,
    )


async def new_ledger(url: str, name: str) -> LedgerRow:
    """A ledger."""
    return await once.transact(url, lambda connection, q: ledgers.add(connection, q, name))


async def revoke(url: str, key: NewKey, ledger_id: int = 1) -> None:
    """Revoke a key, even the last one."""
    await once.transact(
        url,
        lambda connection, q: api_keys.revoke(connection, q, ledger_id, key.row.id, even_the_last=True),
        ledger_id=ledger_id,
    )


def headers_of(said: Said) -> Mapping[str, Any]:
    """The headers by name."""
    return dict(said.headers)


def code(said: Said) -> str:
    """That of a problem."""
    return str(json.loads(said.body)["code"])


class Authorized(Running):
    """A running service, where each request comes with a key."""

    def __init__(self, running: Running, key: str) -> None:
        super().__init__(running.process, running.port)
        self.key = key

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request, with the key."""
        return super().call(method, path, body, **{"Authorization": f"Bearer {self.key}", **headers})
