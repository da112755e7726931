"""Many clients at once, each request over a connection of its own, so that any worker may get it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp

ANSWER_TIMEOUT_S = 60
REPEATS_MAX = 20
REPEATS_AFTER_S = 0.1


class Reply(NamedTuple):
    """One reply, its body as it came."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any

    @property
    def is_replayed(self) -> bool:
        """Whether it says that it is the answer to an earlier request with the same key."""
        return self.headers.get("Idempotent-Replayed") == "true"


class Clients:
    """Open it with `clients_of`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, path: str, body: object = None, key: str | None = None) -> Reply:
        """One request."""
        headers = {} if key is None else {"Idempotency-Key": key}
        async with self._session.request(method, path, json=body, headers=headers) as reply:
            return Reply(reply.status, reply.headers, await reply.read(), await reply.json(content_type=None))

    async def post(self, path: str, body: object, key: str | None = None) -> Reply:
        """One POST."""
        return await self.call("POST", path, body, key)

    async def post_patiently(self, path: str, body: object) -> Reply:
        """One POST; again while it is refused as the database is away, or an account was locked for too long."""
        reply = await self.post(path, body)
        for _ in range(REPEATS_MAX):
            if reply.body.get("code") != "database-unavailable":
                break
            await asyncio.sleep(REPEATS_AFTER_S)
            reply = await self.post(path, body)
        return reply

    async def get(self, path: str) -> Reply:
        """One GET."""
        return await self.call("GET", path)

    async def transfer(self, source: int, target: int, amount: str, key: str | None = None) -> Reply:
        """One transfer."""
        body = {"source_account_id": source, "target_account_id": target, "amount": amount}
        return await self.post("/transaction", body, key)

    async def open(self, funds: str, **terms: str | None) -> int:
        """A new account with money in it."""
        account_id: int = (await self.post("/account", {"email": "ann@example.com", **terms})).body["id"]
        paid = await self.post(f"/account/{account_id}/payment", {"amount": funds})
        assert paid.status == 201
        return account_id

    async def accounts(self, ids: list[int]) -> list[Any]:
        """The accounts, read one by one, all at once."""
        return [reply.body for reply in await asyncio.gather(*(self.get(f"/account/{id_}") for id_ in ids))]


@asynccontextmanager
async def clients_of(url: str) -> AsyncIterator[Clients]:
    """Clients of the service at this address."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield Clients(session)
