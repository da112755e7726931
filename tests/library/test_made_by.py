"""By a key all transactions are found that it has made, for a program too, over whatever connection."""

import psycopg

from koshel import Ledger, Target, Transaction
from tests.support.database import Database


async def listed(ledger: Ledger, key: str) -> list[int]:
    by_filter = [one.id async for one in ledger.transactions(filter=f'idempotency_key = "{key}"', newest_first=False)]
    assert [one.id async for one in ledger.transactions(key=key, newest_first=False)] == by_filter
    return by_filter


async def test_by_the_key_of_a_split_an_exchange_and_a_batch_all_that_they_have_made(
    ledger: Ledger, database: Database, ann: int, bob: int
) -> None:
    halves = [Target(one, share="50%") for one in (bob, (await ledger.open_account("c@example.com")).id)]
    euros = (await ledger.open_account("e@example.com", currency="EUR")).id
    split = await ledger.split(amount=10, source=ann, targets=halves, key="split")
    exchange = await ledger.exchange(source=ann, target=euros, source_amount="10", rate="0.9", key="exchange")
    make = ledger.requests
    members = [make.transfer(source=ann, target=bob, amount=10), make.payment(bob, amount=4, key="own")]
    batch = [one.id for one in await ledger.batch(members, key="batch") if isinstance(one, Transaction)]
    made = {
        "split": [one.id for one in split.transactions if isinstance(one, Transaction)],
        "exchange": [exchange.source.id, exchange.target.id],
        "batch": batch,
        "own": batch[1:],
        "nobody": [],
    }
    assert [len(ids) for ids in made.values()] == [2, 2, 2, 1, 0]
    assert {key: await listed(ledger, key) for key in made} == made
    async with await psycopg.AsyncConnection.connect(database.service_url) as connection:
        assert {key: await listed(ledger.within(connection), key) for key in made} == made
