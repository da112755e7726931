"""A connection of the caller's own may be one of a pool, and may have codecs of its own."""

import json
from typing import TYPE_CHECKING

import asyncpg
import pytest

from koshel import Ledger, Refused
from tests.library.conftest import balance
from tests.support.database import Database

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def test_the_connection_may_have_a_json_codec_of_its_own(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    async with connection.transaction():
        money = ledger.within(connection)
        await money.change_account(bob, metadata={"plan": "gold"}, key="gold")
        moved = await money.transfer(source=ann, target=bob, amount="12.50", metadata={"order": "17"}, key="order-17")
        assert (
            await money.transfer(source=ann, target=bob, amount="12.50", metadata={"order": "17"}, key="order-17")
        ).id == moved.id
        await money.refund(moved.id, amount="2", metadata={"why": "late"}, key="back")
        assert (await money.refund(moved.id, amount="2", metadata={"why": "late"}, key="back")).amount == 2
        await money.enqueue(money.requests.transfer(source=ann, target=bob, amount="1", key="later"))
        with pytest.raises(Refused):
            await money.transfer(source=ann, target=bob, amount="12.50", metadata={"order": "18"}, key="order-17")
        found = await money.transaction(moved.id)
        assert found is not None
        assert found.metadata == {"order": "17"}
    account = await ledger.account(bob)
    assert account is not None
    assert account.metadata == {"plan": "gold"}


async def test_a_connection_that_gives_binary_floats_moves_nothing(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=float)
    with pytest.raises(TypeError):
        async with connection.transaction():
            await ledger.within(connection).transfer(source=ann, target=bob, amount="12.50")
    assert await balance(ledger, bob) == "0.00"


async def test_a_pools_connection_will_do(ledger: Ledger, database: Database, ann: int, bob: int) -> None:
    async with (
        asyncpg.create_pool(database.owner_url, min_size=1, max_size=1) as pool,
        pool.acquire() as connection,
        connection.transaction(),
    ):
        await ledger.within(connection).transfer(source=ann, target=bob, amount="1")
    assert await balance(ledger, bob) == "1.00"
