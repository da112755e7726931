"""A key that reads as fast as it can waits for itself: another ledger reads, pays and tries on, over a real process.

The figures are generous, as a test's machine has other things to do. First come, first served, they were ten times as
long: as long as the flood itself waits.
"""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from statistics import median

import aiohttp
import pytest
from msgspec import Struct, field

from tests.support import command
from tests.support.outage import Postgres
from tests.support.service import Running, serving

pytestmark = pytest.mark.alone
PAYMENTS = 3_000  # of the ledger that floods
FLOOD = 60  # connections
LASTS_S = 2.5
TIMES, AND_S = 10, 0.5  # what others may notice


class Key(Struct):
    """A key, and an account of its ledger."""

    token: str
    account: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """What its requests have."""
        return {"Authorization": f"Bearer {self.token}"}


class Became(Struct):
    """What became of requests."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class Ledgers(Struct):
    """A service, and the keys of two ledgers; the flood's may read only."""

    service: Running
    main: Key
    shop: Key
    flood: Key


def created_key(postgres: Postgres, ledger: str, scope: str) -> Key:
    made = command.run("key", "create", "--ledger", ledger, "--scope", scope, database_url=postgres.owner_url)
    assert made.returncode == 0, made.stderr
    return Key(made.stdout.strip())


@pytest.fixture(scope="module")
def ledgers(postgres: Postgres) -> Iterator[Ledgers]:
    """One worker; the shop has many payments."""
    assert command.run("ledger", "create", "shop", database_url=postgres.owner_url).returncode == 0
    main, shop = created_key(postgres, "main", "write"), created_key(postgres, "shop", "write")
    flood = created_key(postgres, "shop", "read")
    with serving(postgres.service_url, workers="1") as service:
        for key in (main, shop):
            body = {"email": "ann@example.com", "max_balance": None}
            key.account = service.call("POST", "/account", body, **key.headers).body["id"]
        member = {"source_account_id": None, "target_account_id": shop.account, "amount": "1", "description": "x" * 500}
        for _ in range(PAYMENTS // 1_000):
            batch = {"transactions": [member] * 1_000}
            assert service.call("POST", "/transaction/batch", batch, **shop.headers).status == 201
        flood.account = shop.account
        yield Ledgers(service, main, shop, flood)


async def repeat(url: str, key: Key, what: tuple[str, str, object], became: Became, over: asyncio.Event) -> None:
    """The same request again and again, over one connection, without a pause."""
    method, path, body = what
    async with aiohttp.ClientSession(url, headers=key.headers) as session:
        while not over.is_set():
            began = time.monotonic()
            async with session.request(method, path, json=body) as reply:
                await reply.read()
            became.took.append(time.monotonic() - began)
            became.statuses[reply.status] += 1


@contextlib.asynccontextmanager
async def flooding(
    ledgers: Ledgers, key: Key, what: tuple[str, str, object], connections: int = FLOOD
) -> AsyncIterator[Became]:
    became, over = Became(), asyncio.Event()
    async with asyncio.TaskGroup() as flood:
        for _ in range(connections):
            flood.create_task(repeat(ledgers.service.url, key, what, became, over))
        await asyncio.sleep(0.5)
        yield became
        over.set()


async def asked(ledgers: Ledgers, what: tuple[str, str, object]) -> Became:
    """What becomes of the main ledger's requests, one after another."""
    became, over = Became(), asyncio.Event()
    asyncio.get_running_loop().call_later(LASTS_S, over.set)
    await repeat(ledgers.service.url, ledgers.main, what, became, over)
    return became


def account_of(key: Key) -> tuple[str, str, object]:
    return "GET", f"/account/{key.account}", None


def payment_to(key: Key, query: str = "") -> tuple[str, str, object]:
    return "POST", f"/account/{key.account}/payment{query}", {"amount": "1"}


async def test_beside_a_flood_of_pages_another_ledger_reads_and_pays(ledgers: Ledgers) -> None:
    asks = account_of(ledgers.main), payment_to(ledgers.main)
    alone = await asyncio.gather(*(asked(ledgers, what) for what in asks))
    async with flooding(ledgers, ledgers.flood, ("GET", "/transaction?limit=500", None)) as flood:
        beside = await asyncio.gather(*(asked(ledgers, what) for what in asks))
    assert flood.statuses[200] > 5, "it has what the others leave"
    assert flood.statuses.keys() <= {200, 503}
    for (status, before), after in zip(((200, alone[0]), (201, alone[1])), beside, strict=True):
        assert before.statuses.keys() == after.statuses.keys() == {status}
        assert median(after.took) < TIMES * median(before.took) + AND_S


async def test_beside_a_flood_of_dry_runs_another_ledger_tries_too(ledgers: Ledgers) -> None:
    what = payment_to(ledgers.main, "?dry_run=true")
    alone = await asked(ledgers, what)
    async with flooding(ledgers, ledgers.shop, payment_to(ledgers.shop, "?dry_run=true"), 200) as flood:
        beside = await asked(ledgers, what)
    assert flood.statuses.keys() <= {200, 503}
    assert alone.statuses.keys() == beside.statuses.keys() == {200}
    assert median(beside.took) < TIMES * median(alone.took) + AND_S


def test_beside_statements_that_nobody_takes_another_ledger_has_its_own(ledgers: Ledgers) -> None:
    service, key = ledgers.service, ledgers.flood
    head = f"GET /account/{key.account}/statement HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key.token}\r\n"
    with contextlib.ExitStack() as stack:
        statuses = []
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", service.port))
            client.sendall(f"{head}\r\n".encode())
            statuses.append(client.recv(12))
        assert Counter(statuses) == {b"HTTP/1.1 200": 16, b"HTTP/1.1 503": 4}
        for other in (ledgers.main, ledgers.shop):
            path = f"/account/{other.account}/statement?until=0001-01-01T00:00:00Z"
            assert service.call("GET", path, **other.headers).status == 200
