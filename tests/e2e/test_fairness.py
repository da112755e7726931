"""Heavy work has a bounded share: callers of large batches do not keep single transfers out."""

import asyncio
import itertools
import time
from collections import Counter
from statistics import median

import pytest

from tests.support.clients import Clients

pytestmark = pytest.mark.alone
BATCH_CALLERS = 40
MEMBERS = 1_000
SINGLE_CALLERS = 4
SINGLES = 20  # of each
LASTS_S = 150


async def test_single_transfers_are_settled_beside_forty_callers_of_large_batches(clients: Clients) -> None:
    ids = [await clients.open("1000000", max_balance=None) for _ in range(20)]
    pairs = itertools.cycle(itertools.permutations(ids, 2))
    batches: Counter[int] = Counter()
    took: list[float] = []
    over = asyncio.Event()

    async def send_batches() -> None:
        while not over.is_set():
            members = [
                {"source_account_id": source, "target_account_id": target, "amount": "0.01"}
                for source, target in itertools.islice(pairs, MEMBERS)
            ]
            reply = await clients.post("/transaction/batch", {"transactions": members})
            batches[reply.status] += 1
            if reply.status == 503:
                await asyncio.sleep(0.1)

    async def send_singles() -> None:
        for _ in range(SINGLES):
            source, target = next(pairs)
            start = time.monotonic()
            body = {"source_account_id": source, "target_account_id": target, "amount": "0.01"}
            # All accounts are always locked: on a machine that stands still, for longer than `lock_timeout_ms`.
            reply = await clients.post_patiently("/transaction", body)
            took.append(time.monotonic() - start)
            assert reply.status == 201, reply  # it is not kept out

    crowd = [asyncio.ensure_future(send_batches()) for _ in range(BATCH_CALLERS)]
    async with asyncio.timeout(LASTS_S):
        await asyncio.gather(*(send_singles() for _ in range(SINGLE_CALLERS)))
    over.set()
    await asyncio.gather(*crowd)
    assert batches[201] > 10, batches  # they are settled too
    assert batches.keys() <= {201, 503}
    assert median(took) < 5, "light ones overtake"
