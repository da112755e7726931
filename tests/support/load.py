"""Clients that pay each other without end, each transfer with a key.

A client repeats what was not answered, with its key, until it is; so in the end every key has an answer,
and `prove` holds the books to all of them.
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
import psycopg

from koshel.db.verify import verify
from tests.support.service import Running
from tests.support.waiting import TRUE_WITHIN_S, until

CLIENTS = 12
PAUSE_S = 0.005  # between two transfers of a client: the machine is needed for other things too
REPEAT_PAUSE_S = 0.05
ANSWER_TIMEOUT_S = 20
FUNDS = Decimal(100)
NO_ANSWER = "no answer"


class Got(NamedTuple):
    """A final answer."""

    status: int
    body: Any


class Load:
    """Open it with `loading`."""

    def __init__(self, account_ids: Sequence[int]) -> None:
        self.name = uuid4().hex
        self.account_ids = account_ids
        self.answered: dict[str, Got] = {}
        self.repeated: Counter[str] = Counter()  # why a transfer was sent again, and how often
        self._enough = False
        self._at_work = 0
        self._random = random.Random(self.name)

    async def more(self, answers: int) -> None:
        """Return when so many more transfers have been answered."""
        goal = len(self.answered) + answers
        await until(lambda: len(self.answered) >= goal, f"{answers} more answers; repeated: {self.repeated}")

    async def trouble(self) -> None:
        """Return when one more transfer had to be sent again."""
        past = self.repeated.total()
        await until(lambda: self.repeated.total() > past, "a transfer is not answered")

    async def finish(self) -> None:
        """Begin no more transfers, and return when all that were begun are answered."""
        self._enough = True
        await until(lambda: not self._at_work, f"the last answers; repeated: {self.repeated}")

    async def pay(self, session: aiohttp.ClientSession, client: int) -> None:
        """One client's life."""
        self._at_work += 1
        for number in count():
            if self._enough:
                break
            await self._transfer(session, f"{self.name}-{client}-{number}")
            await asyncio.sleep(PAUSE_S)
        self._at_work -= 1

    async def _transfer(self, session: aiohttp.ClientSession, key: str) -> None:
        source, target = self._random.sample(self.account_ids, 2)
        amount = f"{self._random.uniform(0.01, 20):.2f}"
        body = {"source_account_id": source, "target_account_id": target, "amount": amount}
        async with asyncio.timeout(TRUE_WITHIN_S):
            while key not in self.answered:
                await self._ask(session, key, body)

    async def _ask(self, session: aiohttp.ClientSession, key: str, body: object) -> None:
        try:
            async with session.post("/transaction", json=body, headers={"Idempotency-Key": key}) as reply:
                got = Got(reply.status, await reply.json(content_type=None))
        except (aiohttp.ClientError, OSError):
            await self._note_trouble(NO_ANSWER)
            return
        if got.status == 503:
            assert got.body["retryable"] is True
            await self._note_trouble(got.body["code"])
            return
        assert got.status in {201, 409}, got
        self.answered[key] = got

    async def _note_trouble(self, why: str) -> None:
        self.repeated[why] += 1
        await asyncio.sleep(REPEAT_PAUSE_S)


@asynccontextmanager
async def loading(url: str, account_ids: Sequence[int]) -> AsyncIterator[Load]:
    """Clients at work for as long as the block lasts; at its end every transfer has its answer."""
    load = Load(account_ids)
    timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    async with aiohttp.ClientSession(url, timeout=timeout) as session, asyncio.TaskGroup() as clients:
        for client in range(CLIENTS):
            clients.create_task(load.pay(session, client))
        yield load
        await load.finish()


def open_accounts(service: Running, number: int) -> list[int]:
    """So many new accounts, with FUNDS each."""
    ids = [service.call("POST", "/account", {"email": "ann@example.com"}).body["id"] for _ in range(number)]
    for id_ in ids:
        assert service.call("POST", f"/account/{id_}/payment", {"amount": str(FUNDS)}).status == 201
    return ids


def prove(load: Load, owner_url: str) -> None:
    """What was acknowledged is on the books exactly once, what was refused is not, and nothing else is."""
    query = """
        SELECT idempotency_key, id, source_account_id, target_account_id, amount::text
        FROM transaction WHERE idempotency_key LIKE %s
    """
    with psycopg.connect(owner_url) as connection:
        rows = connection.execute(query, [f"{load.name}%"]).fetchall()
        [(kept,)] = connection.execute("SELECT sum(balance) FROM account WHERE id = ANY(%s)", [load.account_ids])
    acknowledged = [_row(key, got.body) for key, got in load.answered.items() if got.status == 201]
    assert acknowledged
    assert sorted(rows) == sorted(acknowledged)
    assert kept == FUNDS * len(load.account_ids)
    assert verify(owner_url) == []


def _row(key: str, body: Any) -> tuple[Any, ...]:
    return key, body["id"], body["source_account_id"], body["target_account_id"], body["amount"]
