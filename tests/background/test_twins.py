"""One key for now and for later: whichever batch is first, and in whichever order, the other sees it."""

import asyncio

import pytest

from koshel.core.model import Posted, Queued, Replayed
from koshel.db.store import Store
from koshel.retry import settle_again
from tests.support.database import Database
from tests.support.queued import accounts, balances, decided, working
from tests.support.settled import query
from tests.support.wallets import enqueue, transfer

ROUNDS = 20

pytestmark = pytest.mark.usefixtures("books")


async def test_twins_in_two_batches_never_wait_for_each_other_in_a_circle(store: Store, database: Database) -> None:
    # No account is in both batches, so only the keys meet; each batch has one key for now and the other for later.
    ann, bob, cyd, dan = await accounts(store, "100", "0", "100", "0")
    queued = []
    for number in range(ROUNDS):
        one, two = transfer(ann, bob, "1", key=f"one-{number}"), transfer(cyd, dan, "1", key=f"two-{number}")
        first, second = await asyncio.gather(
            settle_again(store, [one, enqueue(two)]), settle_again(store, [two, enqueue(one)])
        )
        for now, later in ((first[0], second[1]), (second[0], first[1])):
            original, twin = (one.first if isinstance(one, Replayed) else one for one in (now, later))
            assert original == twin
            assert isinstance(now, Replayed) != isinstance(later, Replayed)
            queued += [original.id] if isinstance(original, Queued) else []
            assert isinstance(original, Queued | Posted)
    async with working(store):
        assert await decided(database, queued) == ["posted"] * len(queued)
    assert balances(database, [ann, bob, cyd, dan]) == ["80.00", "20.00", "80.00", "20.00"]
    assert query(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
