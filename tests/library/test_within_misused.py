"""What is no transaction to be within is said at once, in a sentence, and nothing is done."""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg
import pytest
from psycopg.adapt import Loader

from koshel import Ledger, Misuse, Unavailable
from tests.library.conftest import balance
from tests.support.database import Database

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


async def test_a_connection_in_no_transaction_is_refused(
    ledger: Ledger, connection: "Connection", database: Database
) -> None:
    with pytest.raises(Misuse, match="not in a transaction"):
        ledger.within(connection)
    async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as other:
        with pytest.raises(Misuse, match="not in a transaction"):
            ledger.within(other)


async def test_a_connection_that_is_closed_or_given_back_is_refused(ledger: Ledger, database: Database) -> None:
    closed = await asyncpg.connect(database.owner_url)
    await closed.close()
    async with asyncpg.create_pool(database.owner_url, min_size=1, max_size=1) as pool:
        async with pool.acquire() as released:
            pass
        for one in (closed, released):
            with pytest.raises(Misuse):
                ledger.within(one)
    async with await psycopg.AsyncConnection.connect(database.owner_url) as other:
        await other.close()
        with pytest.raises(Misuse, match="closed"):
            ledger.within(other)


async def test_a_transaction_that_has_failed_is_refused_before_anything_is_sent(
    ledger: Ledger, database: Database
) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute("SELECT 1/0")
        with pytest.raises(Misuse, match="has failed"):
            ledger.within(connection)


async def test_what_is_no_connection_is_refused_by_its_type(ledger: Ledger, database: Database) -> None:
    with psycopg.connect(database.owner_url) as synchronous:
        for wrong in (synchronous, database.owner_url, None):
            with pytest.raises(Misuse, match=r"is no connection to be within; give one of asyncpg, or an AsyncConn"):
                ledger.within(wrong)  # type: ignore[arg-type]


async def test_a_transaction_that_has_ended_meanwhile_moves_no_money(
    ledger: Ledger, connection: "Connection", ann: int
) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
    with pytest.raises(Misuse, match="not in a transaction any more"):
        await money.pay(ann, amount=1)
    assert await balance(ledger, ann) == "100.00"


async def test_psycopg_begins_its_next_transaction_by_itself(ledger: Ledger, database: Database, ann: int) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_url) as connection:
        money = ledger.within(connection)
        await money.pay(ann, amount=1)
        await connection.commit()
        await money.pay(ann, amount=2)
        await connection.rollback()
    assert await balance(ledger, ann) == "101.00"


async def test_loaders_of_a_callers_own_do_no_harm(ledger: Ledger, database: Database, ann: int, bob: int) -> None:
    class Float(Loader):
        def load(self, data: Any) -> float:
            return float(bytes(data))

    async with await psycopg.AsyncConnection.connect(
        database.owner_url, row_factory=psycopg.rows.dict_row, cursor_factory=psycopg.AsyncClientCursor
    ) as connection:
        connection.adapters.register_loader("numeric", Float)
        connection.prepare_threshold = 0
        paid = await ledger.within(connection).transfer(source=ann, target=bob, amount="0.10")
        assert (type(paid.source_balance), paid.source_balance) == (Decimal, Decimal("99.90"))
        row: Any = await (await connection.execute("SELECT 1.5 AS one")).fetchone()
        assert row == {"one": 1.5}
    assert await balance(ledger, bob) == "0.10"


async def test_a_ledger_that_is_closed_is_not_within_anything(
    database: Database, connection: "Connection", ledger: Ledger, ann: int
) -> None:
    async with connection.transaction():
        async with Ledger.open(database.service_url) as other:
            money = other.within(connection)
        with pytest.raises(Misuse, match="closed"):
            await money.pay(ann, amount=1)
        with pytest.raises(Misuse, match="closed"):
            other.within(connection)
    assert await balance(ledger, ann) == "100.00"


async def test_a_read_after_the_transaction_is_refused_too(ledger: Ledger, connection: "Connection", ann: int) -> None:
    transaction = connection.transaction()
    await transaction.start()
    money = ledger.within(connection)
    paid = await money.pay(ann, amount=1)
    assert await money.transaction(paid.id) is not None
    await transaction.rollback()
    for call in (money.account(ann), money.transaction(paid.id), money.totals(), money.rehearsal().pay(ann, amount=1)):
        with pytest.raises(Misuse, match="not in a transaction any more"):
            await call


async def test_two_calls_at_once_on_one_connection_are_a_misuse_of_one_of_them(
    ledger: Ledger, connection: "Connection", ann: int
) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
        ended = await asyncio.gather(money.pay(ann, amount=1), money.account(ann), return_exceptions=True)
    assert [isinstance(one, Misuse) for one in ended].count(True) == 1
    assert any("another operation is in progress" in str(one) for one in ended)


async def test_a_connection_that_was_given_back_since_is_a_misuse(ledger: Ledger, database: Database, ann: int) -> None:
    async with asyncpg.create_pool(database.owner_url, min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection, connection.transaction():
            money = ledger.within(connection)
        for call in (money.pay(ann, amount=1), money.account(ann)):
            with pytest.raises(Misuse, match="released back to the pool"):
                await call


async def test_a_connection_that_is_closed_since_has_done_nothing(ledger: Ledger, database: Database, ann: int) -> None:
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("BEGIN")
    money = ledger.within(connection)
    await connection.close()
    for call in (money.pay(ann, amount=1), money.account(ann)):
        with pytest.raises(Unavailable, match="connection is closed"):  # nobody can tell it from one that was lost
            await call
    with pytest.raises(Misuse, match="not in a transaction"):
        ledger.within(connection)
    assert await balance(ledger, ann) == "100.00"
