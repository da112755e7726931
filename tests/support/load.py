"""Clients at work without end, each request with a key: transfers, holds and what ends them, batches, enqueues.

A client repeats what was not answered, with its key, until it is; so in the end every key has an answer,
and all that was enqueued is posted or declined. `proof` holds the books to all of them.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp

from tests.support.service import Running
from tests.support.waiting import TRUE_WITHIN_S, until

CLIENTS = 12
PAUSE_S = 0.005  # between two errands of a client: the machine is needed for other things too
REPEAT_PAUSE_S = 0.05
ANSWER_TIMEOUT_S = 20
FUNDS = Decimal(100)
NO_ANSWER = "no answer"
LEGS = 3  # of a batch
QUEUED = "queued"


class Got(NamedTuple):
    """A final answer."""

    status: int
    body: Any


class Load:
    """Open it with `loading`."""

    def __init__(self, session: aiohttp.ClientSession, account_ids: Sequence[int]) -> None:
        self.name = uuid4().hex
        self.account_ids = account_ids
        self.answered: dict[str, Got] = {}  # by key
        self.kept: dict[int, Any] = {}  # by id: what has become of queued transactions
        self.repeated: Counter[str] = Counter()  # why a request was sent again, and how often
        self._session = session
        self._enough = False
        self._at_work = 0
        self._random = random.Random(self.name)
        self._errands = [self._transfer] * 4 + [self._hold, self._batch, self._enqueue, self._enqueue_capture]

    async def more(self, answers: int) -> None:
        """Return when so many more requests have been answered."""
        goal = len(self.answered) + answers
        await until(lambda: len(self.answered) >= goal, f"{answers} more answers; repeated: {self.repeated}")

    async def trouble(self) -> None:
        """Return when one more request had to be sent again."""
        past = self.repeated.total()
        await until(lambda: self.repeated.total() > past, "a request is not answered")

    async def finish(self) -> None:
        """Begin nothing more, and return when all that was begun is answered, and all that was enqueued decided."""
        self._enough = True
        await until(lambda: not self._at_work, f"the last answers; repeated: {self.repeated}")
        async with asyncio.timeout(TRUE_WITHIN_S):
            for got in list(self.answered.values()):
                if got.status == 202 and got.body["id"] not in self.kept:
                    self.kept[got.body["id"]] = await self._decided(got.body["id"])

    async def work(self, client: int) -> None:
        """One client's life."""
        self._at_work += 1
        for number in count():
            if self._enough:
                break
            await self._random.choice(self._errands)(f"{self.name}-{client}-{number}")
            await asyncio.sleep(PAUSE_S)
        self._at_work -= 1

    async def _transfer(self, key: str) -> None:
        await self._insist(key, "/transaction", self._body())

    async def _hold(self, key: str) -> None:
        """And what ends it: a capture, one more, or a void."""
        held = await self._insist(key, "/transaction", self._body() | {"hold": {}})
        if held.status != 201:
            return
        path = f"/transaction/{held.body['id']}"
        for step in range(self._random.randrange(3)):
            await self._insist(f"{key}-{step}", f"{path}/capture", {"amount": "0.01", "final": False})
        await self._insist(f"{key}-end", f"{path}/{self._random.choice(['capture', 'void'])}", {})

    async def _batch(self, key: str) -> None:
        legs = [self._body() | {"idempotency_key": f"{key}-{leg}"} for leg in range(LEGS)]
        await self._insist(key, "/transaction/batch", {"transactions": legs})

    async def _enqueue(self, key: str) -> None:
        await self._insist(key, "/transaction", self._body(), Prefer="respond-async")

    async def _enqueue_capture(self, key: str) -> None:
        held = await self._insist(key, "/transaction", self._body() | {"hold": {}})
        if held.status == 201:
            path = f"/transaction/{held.body['id']}/capture"
            await self._insist(f"{key}-end", path, {}, Prefer="respond-async")

    def _body(self) -> dict[str, Any]:
        source, target = self._random.sample(self.account_ids, 2)
        amount = f"{self._random.uniform(0.1, 20):.2f}"
        return {"source_account_id": source, "target_account_id": target, "amount": amount}

    async def _insist(self, key: str, path: str, body: object, **headers: str) -> Got:
        async with asyncio.timeout(TRUE_WITHIN_S):
            while key not in self.answered:
                got = await self._ask("POST", path, body, {"Idempotency-Key": key, **headers})
                if got is not None:
                    assert got.status in {201, 202, 409}, got
                    self.answered[key] = got
        return self.answered[key]

    async def _decided(self, id_: int) -> Any:
        while True:
            got = await self._ask("GET", f"/transaction/{id_}")
            if got is not None and got.body["status"] != QUEUED:
                return got.body
            await asyncio.sleep(PAUSE_S)

    async def _ask(self, method: str, path: str, body: object = None, headers: Any = None) -> Got | None:
        try:
            async with self._session.request(method, path, json=body, headers=headers) as reply:
                got = Got(reply.status, await reply.json(content_type=None))
        except (aiohttp.ClientError, OSError):
            await self._note_trouble(NO_ANSWER)
            return None
        if got.status == 503:
            assert got.body["retryable"] is True
            await self._note_trouble(got.body["code"])
            return None
        return got

    async def _note_trouble(self, why: str) -> None:
        self.repeated[why] += 1
        await asyncio.sleep(REPEAT_PAUSE_S)


@asynccontextmanager
async def loading(url: str, account_ids: Sequence[int]) -> AsyncIterator[Load]:
    """Clients at work for as long as the block lasts; at its end every request has its answer."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as session, asyncio.TaskGroup() as clients:
        load = Load(session, account_ids)
        for client in range(CLIENTS):
            clients.create_task(load.work(client))
        yield load
        await load.finish()


def open_accounts(service: Running, number: int) -> list[int]:
    """So many new accounts, with FUNDS each."""
    ids = [service.call("POST", "/account", {"email": "ann@example.com"}).body["id"] for _ in range(number)]
    for id_ in ids:
        assert service.call("POST", f"/account/{id_}/payment", {"amount": str(FUNDS)}).status == 201
    return ids
