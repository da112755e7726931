"""Races: requests that leave at the same moment for whichever worker gets them, and what is then on the books."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import psycopg

from tests.support.clients import Clients, Reply, clients_of

ROUNDS = 60
AT_ONCE = 12  # rounds that go on at the same time
HEAD_START_MS = 4  # which a runner may have over another

RunnerT = TypeVar("RunnerT")


class Racers(Clients):
    """Clients with more to say. Open it with `racers_of`."""

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """One request; `If_Match` becomes the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, path, json=body, headers=named) as reply:
            return Reply(reply.status, reply.headers, await reply.read(), await reply.json(content_type=None))

    async def hold(self, source: int, target: int, amount: str, seconds: int = 60) -> Any:
        """A hold's transaction."""
        body = {"source_account_id": source, "target_account_id": target, "amount": amount}
        held = await self.post("/transaction", body | {"hold": {"expires_in": seconds}})
        assert held.status == 201, held
        return held.body

    async def capture(self, hold_id: int, amount: str, *, final: bool = True) -> Reply:
        """One capture."""
        return await self.post(f"/transaction/{hold_id}/capture", {"amount": amount, "final": final})

    async def void(self, hold_id: int) -> Reply:
        """One void."""
        return await self.post(f"/transaction/{hold_id}/void", {})

    async def pay(self, account_id: int, amount: str) -> Reply:
        """One payment."""
        return await self.post(f"/account/{account_id}/payment", {"amount": amount})

    async def change(self, account_id: int, **changes: object) -> Reply:
        """One PATCH."""
        return await self.ask("PATCH", f"/account/{account_id}", changes)

    async def balances(self, *ids: int) -> list[str]:
        """Of each, in order."""
        return [account["balance"] for account in await self.accounts(list(ids))]


@asynccontextmanager
async def racers_of(url: str) -> AsyncIterator[Racers]:
    """Racers at the service at this address, each request over a connection of its own."""
    async with clients_of(url) as clients:
        yield Racers(clients._session)


async def race(*runners: Awaitable[RunnerT]) -> list[RunnerT]:
    """Their results in order; in which order they start is a matter of chance."""

    async def run(runner: Awaitable[RunnerT]) -> RunnerT:
        await asyncio.sleep(random.uniform(0, HEAD_START_MS) / 1_000)
        return await runner

    return list(await asyncio.gather(*map(run, runners)))


async def rounds(one_round: Any, number: int = ROUNDS) -> Counter[Any]:
    """Who won, and how often; a few rounds at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def run(index: int) -> Any:
        async with turn:
            return await one_round(index)

    return Counter(await asyncio.gather(*map(run, range(number))))


def won(replies: Iterable[Reply]) -> list[Reply]:
    """Those that did something."""
    return [reply for reply in replies if reply.status in {200, 201}]


def codes(replies: Iterable[Reply]) -> list[str]:
    """Why the others did not."""
    return sorted(reply.body["code"] for reply in replies if reply.status not in {200, 201})


def followers(owner_url: str, parent_ids: Sequence[int]) -> Mapping[int, list[tuple[str, str]]]:
    """What has followed each of these transactions, in order: its kind and its amount."""
    found: dict[int, list[tuple[str, str]]] = {id_: [] for id_ in parent_ids}
    query = "SELECT parent_id, kind, amount::text FROM transaction WHERE parent_id = ANY(%s) ORDER BY id"
    with psycopg.connect(owner_url) as connection:
        for parent_id, kind, amount in connection.execute(query, [list(parent_ids)]):
            found[parent_id].append((kind, amount))
    return found
