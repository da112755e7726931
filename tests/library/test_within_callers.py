"""Within a transaction of whichever driver, all is the same: what is done, what is refused, and what is raised."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from koshel import Conflict, Hold, Ledger, Misuse, Promise, Refused, Transaction, Unavailable
from koshel.db.server.embedded import Cluster
from koshel.db.verifying.verify import verify
from tests.library.conftest import balance
from tests.support.bookkeeping import execute
from tests.support.callers import CALLERS, Caller
from tests.support.database import Database
from tests.support.settled import query

Begin = Callable[..., AbstractAsyncContextManager[Caller]]
FOREIGN = "INSERT INTO public.account VALUES ('an application''s')"


@pytest.fixture(params=CALLERS)
def begin(request: pytest.FixtureRequest) -> Begin:
    """A way to have a transaction."""
    begun = CALLERS[request.param]
    return lambda url, isolation="read_committed": begun(url, isolation)


@pytest.fixture
def shared(database: Database) -> Database:
    """The database, with tables of the application's own that have Koshel's names."""
    names = ("account", "transaction", "batch", "receipt", "ledger", "hold")
    execute(database.owner_url, *(f"CREATE TABLE public.{name} (what text)" for name in names))
    return database


async def test_all_that_a_ledger_does_is_done_beside_tables_of_the_same_names(
    ledger: Ledger, shared: Database, begin: Begin, ann: int, bob: int
) -> None:
    async with begin(shared.owner_url) as (connection, run):
        await run("SET search_path = public")
        await run("SET TIME ZONE 'Asia/Kathmandu'")
        money, make = ledger.within(connection), ledger.requests
        eve = await money.open_account("eve@example.com", metadata={"plan": "gold"}, key="eve")
        assert (await money.change_account(eve.id, max_balance="500")).max_balance == 500
        await money.pay(eve.id, amount=1)
        paid = await money.transfer(source=ann, target=eve.id, amount="12.50", metadata={"of": "tea"}, key="tea")
        hold = await money.hold(source=ann, target=bob, amount="30", expires_in=60)
        assert isinstance(hold, Hold)
        assert (hold.ctime.utcoffset(), hold.expires_at - hold.ctime) == (timedelta(0), timedelta(seconds=60))
        await money.capture(hold.id, amount="10", final=False)
        await money.void(hold.id)
        await money.refund(paid.id, amount="2.50")
        await money.withdraw(bob, amount="5")
        members = [make.transfer(source=ann, target=bob, amount=1, key="leg"), make.payment(bob, amount=1)]
        group = await money.batch(members, key="both")
        queued = await money.enqueue(make.payment(bob, amount=1, key="later"))
        assert isinstance(queued, Promise)
        with pytest.raises(Refused, match="insufficient-funds"):
            await money.transfer(source=ann, target=bob, amount=1_000, key="too-much")
        again = await money.transfer(source=ann, target=eve.id, amount="12.50", metadata={"of": "tea"}, key="tea")
        assert again == paid
        assert [one.id for one in await money.batch(members, key="both") if isinstance(one, Transaction)] == [
            one.id for one in group if isinstance(one, Transaction)
        ]
        assert (await money.rehearsal().pay(bob, amount=7)).id == 0
        read: Any = await money.transaction(hold.id)
        assert (read.status, read.ctime) == ("voided", hold.ctime)
        await run(FOREIGN)
        assert await run("SHOW search_path") == "public"
    assert [await balance(ledger, one) for one in (ann, bob, eve.id)] == ["79.00", "7.00", "11.00"]
    assert query(shared, "SELECT count(*) FROM public.account") == [(1,)]


async def test_what_is_rolled_back_has_not_happened(
    ledger: Ledger, shared: Database, begin: Begin, ann: int, bob: int
) -> None:
    async def fail() -> None:
        async with begin(shared.owner_url) as (connection, run):
            await ledger.within(connection).transfer(source=ann, target=bob, amount="12.50", key="tea")
            await run(FOREIGN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await balance(ledger, bob) == "0.00"
    assert query(shared, "SELECT count(*) FROM public.account") == [(0,)]
    assert (await ledger.transfer(source=ann, target=bob, amount="1", key="tea")).amount == 1


async def test_a_refusal_and_what_can_never_be_right_leave_the_transaction_usable(
    ledger: Ledger, shared: Database, begin: Begin, ann: int
) -> None:
    async with begin(shared.owner_url) as (connection, run):
        money = ledger.within(connection)
        with pytest.raises(Refused):
            await money.withdraw(ann, amount="1000")
        with pytest.raises(Misuse):
            await money.withdraw(2**63, amount="1")
        await money.withdraw(ann, amount="1")
        await run(FOREIGN)
    assert await balance(ledger, ann) == "99.00"


async def test_a_cancelled_call_is_undone_and_the_transaction_can_go_on(
    ledger: Ledger, database: Database, begin: Begin, ann: int, bob: int
) -> None:
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", ann)
        async with begin(database.owner_url) as (connection, run):
            money = ledger.within(connection)
            await money.pay(bob, amount=1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await money.transfer(source=ann, target=bob, amount=1)
            assert await run("SELECT 1") == 1
    await holder.close()
    assert await balance(ledger, bob) == "1.00"


async def test_another_transaction_that_came_in_between_is_a_conflict(
    ledger: Ledger, database: Database, begin: Begin, ann: int, bob: int
) -> None:
    async def both() -> None:
        async with begin(database.owner_url, "repeatable_read") as (connection, run):
            await run("SELECT count(*) FROM account")
            await ledger.transfer(source=ann, target=bob, amount="1")
            await ledger.within(connection).transfer(source=ann, target=bob, amount="2")

    with pytest.raises(Conflict):
        await both()
    assert await balance(ledger, bob) == "1.00"


async def test_a_twin_that_came_in_between_is_a_conflict(ledger: Ledger, database: Database, begin: Begin) -> None:
    async def both() -> None:
        async with begin(database.owner_url, "repeatable_read") as (connection, run):
            await run("SELECT count(*) FROM account")
            await ledger.open_account("eve@example.com", key="eve")
            await ledger.within(connection).open_account("eve@example.com", key="eve")

    with pytest.raises(Conflict):
        await both()


async def test_a_row_that_somebody_holds_too_long_is_unavailable(
    ledger: Ledger, database: Database, begin: Begin, ann: int
) -> None:
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM account WHERE id = $1 FOR UPDATE", ann)
        async with begin(database.owner_url) as (connection, run):
            await run("SET LOCAL lock_timeout = 100")
            with pytest.raises(Unavailable):
                await ledger.within(connection).pay(ann, amount=1)
            await run("SET LOCAL lock_timeout = 0")
            await run("SET LOCAL statement_timeout = 100")
            with pytest.raises(Unavailable):
                await ledger.within(connection).pay(ann, amount=1)
    await holder.close()


async def test_a_transaction_that_is_read_only_is_a_misuse(
    ledger: Ledger, database: Database, begin: Begin, ann: int
) -> None:
    async with begin(database.owner_url) as (connection, run):
        await run("SET TRANSACTION READ ONLY")
        with pytest.raises(Misuse, match="read only"):
            await ledger.within(connection).pay(ann, amount=1)
        account = await ledger.within(connection).account(ann)
        assert account is not None
    assert await balance(ledger, ann) == "100.00"


async def test_a_transaction_that_has_failed_is_a_misuse(
    ledger: Ledger, database: Database, begin: Begin, ann: int
) -> None:
    async def fail() -> None:
        async with begin(database.owner_url) as (connection, run):
            money = ledger.within(connection)
            with pytest.raises(Exception, match="division by zero"):
                await run("SELECT 1/0")
            for call in (money.pay(ann, amount=1), money.account(ann)):
                with pytest.raises(Misuse, match="has failed"):
                    await call
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await balance(ledger, ann) == "100.00"


async def test_a_database_without_the_tables_and_a_role_without_the_rights_are_misuses(
    ledger: Ledger, database: Database, cluster: Cluster, begin: Begin, ann: int
) -> None:
    for url, said in {
        cluster.url(): "no tables of Koshel",
        f"{database.owner_url.replace('koshel@', 'stranger@')}": "lacks a right",
    }.items():
        execute(database.owner_url, "CREATE ROLE stranger LOGIN")
        try:
            async with begin(url) as (connection, _):
                with pytest.raises(Misuse, match=said):
                    await ledger.within(connection).pay(ann, amount=1)
        finally:
            execute(database.owner_url, "DROP ROLE stranger")


async def test_a_connection_that_is_lost_is_unavailable(
    ledger: Ledger, database: Database, begin: Begin, ann: int
) -> None:
    said = []

    async def lose() -> None:
        async with begin(database.owner_url) as (connection, run):
            money = ledger.within(connection)
            pid = await run("SELECT pg_backend_pid()")
            execute(database.owner_url, f"SELECT pg_terminate_backend({pid})")
            with pytest.raises(Unavailable) as caught:
                await money.pay(ann, amount=1)
            said.append(caught.value)
            raise caught.value

    with pytest.raises(Exception, match=r".+"):  # as each driver says that there is nothing to roll back any more
        await lose()
    assert said
    assert await balance(ledger, ann) == "100.00"


async def test_a_rehearsal_in_it_does_nothing(ledger: Ledger, database: Database, begin: Begin, ann: int) -> None:
    async with begin(database.owner_url) as (connection, _):
        would_be = await ledger.rehearsal().within(connection).pay(ann, amount=1)
        assert (would_be.id, str(would_be.target_balance)) == (0, "101.00")
    assert await balance(ledger, ann) == "100.00"
    assert verify(database.owner_url) == []
