"""Money in the caller's own transaction."""

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from koshel import Conflict, Ledger, Refused, StoreError, Transaction
from koshel.db.mapping import posting_columns
from koshel.db.verifying.verify import verify
from tests.library.conftest import balance
from tests.support.database import Database
from tests.support.settled import query, waits

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


def orders(database: Database) -> int:
    ((number,),) = query(database, "SELECT count(*) FROM orders")
    assert isinstance(number, int)
    return number


async def test_money_and_the_callers_rows_commit_together(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    async with connection.transaction():
        paid = await ledger.within(connection).transfer(source=ann, target=bob, amount="12.50", key="order-17")
        await connection.execute("INSERT INTO orders VALUES ('a book')")
        assert (orders(database), await balance(ledger, bob)) == (0, "0.00")
    assert (orders(database), await balance(ledger, bob)) == (1, "12.50")
    assert (await ledger.transfer(source=ann, target=bob, amount="12.50", key="order-17")).id == paid.id


async def test_money_and_the_callers_rows_roll_back_together(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await ledger.within(connection).transfer(source=ann, target=bob, amount="12.50", key="order-17")
    await connection.execute("INSERT INTO orders VALUES ('a book')")
    await transaction.rollback()
    assert (orders(database), await balance(ledger, bob)) == (0, "0.00")
    assert (
        str((await ledger.transfer(source=ann, target=bob, amount="1", key="order-17")).amount) == "1.00"
    )  # the key was not used up


async def test_what_fails_in_the_middle_of_writing_leaves_nothing_behind(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TimeoutError("in the turn in which the reply came")

    async with connection.transaction():
        money = ledger.within(connection)
        with monkeypatch.context() as patch:
            patch.setattr(posting_columns, "postings", fail)  # the receipt is written by then, the transaction is not
            with pytest.raises((TimeoutError, StoreError)):
                await money.batch([money.requests.payment(ann, amount="2")], key="paid")
        await connection.execute("INSERT INTO orders VALUES ('a book')")
    assert verify(database.owner_url) == []
    assert orders(database) == 1
    (paid,) = await ledger.batch([ledger.requests.payment(ann, amount="3")], key="paid")  # the key was not used up
    assert isinstance(paid, Transaction)
    assert str(paid.amount) == "3.00"


async def test_a_refusal_leaves_the_callers_transaction_usable(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
        with pytest.raises(Refused, match="insufficient-funds"):
            await money.transfer(source=ann, target=bob, amount="1000", key="too-much")
        await connection.execute("INSERT INTO orders VALUES ('on account')")
        await money.transfer(source=ann, target=bob, amount="10")
    assert (orders(database), await balance(ledger, bob)) == (1, "10.00")
    with pytest.raises(Refused, match="insufficient-funds"):  # for ever, since the caller has committed it
        await ledger.transfer(source=ann, target=bob, amount="1000", key="too-much")


async def test_the_transaction_sees_what_it_has_done(ledger: Ledger, connection: "Connection", ann: int) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
        eve = await money.open_account("eve@example.com")
        hold = await money.hold(source=ann, target=eve.id, amount="40")
        await money.capture(hold.id, amount="30")
        found = await money.transaction(hold.id)
        assert found is not None
        assert (found.status, await balance(money, eve.id), await balance(money, ann)) == ("captured", "30.00", "70.00")
        assert await ledger.account(eve.id) is None


async def test_a_savepoint_takes_back_a_part(ledger: Ledger, connection: "Connection", ann: int, bob: int) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
        await money.transfer(source=ann, target=bob, amount="1")
        savepoint = connection.transaction()
        await savepoint.start()
        await money.transfer(source=ann, target=bob, amount="2")
        await savepoint.rollback()
        await money.transfer(source=ann, target=bob, amount="4")
    assert await balance(ledger, bob) == "5.00"


async def test_a_batch_in_it_has_one_group(ledger: Ledger, connection: "Connection", ann: int, bob: int) -> None:
    make = ledger.requests
    async with connection.transaction():
        members = await ledger.within(connection).batch(
            [make.transfer(source=ann, target=bob, amount=2), make.transfer(source=bob, target=ann, amount=1)]
        )
    first, second = members
    assert isinstance(first, Transaction)
    assert isinstance(second, Transaction)
    assert first.group_id == second.group_id is not None


async def test_a_queued_transaction_is_executed_once_the_caller_has_committed(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    async with connection.transaction():
        money = ledger.within(connection)
        await money.enqueue(money.requests.transfer(source=ann, target=bob, amount="5"))
        assert query(database, "SELECT count(*) FROM queued") == [(0,)]
    assert query(database, "SELECT count(*) FROM queued") == [(1,)]


async def test_another_transaction_that_came_in_between_is_a_conflict(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    await connection.fetchval("SELECT count(*) FROM account")  # its snapshot is of now
    await ledger.transfer(source=ann, target=bob, amount="1")
    with pytest.raises(Conflict):
        await ledger.within(connection).transfer(source=ann, target=bob, amount="2")
    await transaction.rollback()
    assert await balance(ledger, bob) == "1.00"


async def test_a_twin_that_came_in_between_is_a_conflict_and_the_next_attempt_sees_it(
    ledger: Ledger, connection: "Connection", ann: int, bob: int
) -> None:
    first = await ledger.transfer(source=ann, target=bob, amount="1", key="twin")
    transaction = connection.transaction(isolation="repeatable_read")
    await transaction.start()
    assert (await ledger.within(connection).transfer(source=ann, target=bob, amount="1", key="twin")).id == first.id
    eve = await ledger.open_account("eve@example.com", key="eve")  # after this transaction's snapshot
    with pytest.raises(Conflict):
        await ledger.within(connection).open_account("eve@example.com", key="eve")
    await transaction.rollback()
    async with connection.transaction():
        assert (await ledger.within(connection).open_account("eve@example.com", key="eve")).id == eve.id


async def test_others_wait_for_its_accounts_until_it_ends(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    async with connection.transaction():
        await ledger.within(connection).transfer(source=ann, target=bob, amount="1")
        waiting = asyncio.create_task(ledger.transfer(source=ann, target=bob, amount="2"))
        await waits(database)
        assert not waiting.done()
    await waiting
    assert await balance(ledger, bob) == "3.00"


async def test_two_who_lock_the_other_way_round_are_a_conflict_for_one(
    ledger: Ledger, connection: "Connection", database: Database, ann: int, bob: int
) -> None:
    other = await asyncpg.connect(database.owner_url)
    transactions = [connection.transaction(), other.transaction()]
    for transaction in transactions:
        await transaction.start()
    one, another = ledger.within(connection), ledger.within(other)
    await one.pay(ann, amount="1")
    await another.pay(bob, amount="1")

    async def pay(within: Ledger, account_id: int, transaction: "asyncpg.transaction.Transaction") -> bool:
        """Whether it could; who could not lets go of what it has locked, else the other would wait for ever."""
        try:
            await within.pay(account_id, amount="2")
        except Conflict:
            return False
        finally:
            await transaction.rollback()
        return True

    paid = await asyncio.gather(pay(one, bob, transactions[0]), pay(another, ann, transactions[1]))
    assert sorted(paid) == [False, True]
    await other.close()
    assert await balance(ledger, bob) == "0.00"
