"""The store: what was written is read back to the last decimal, and a database that is away is said to be."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from types import NoneType

import asyncpg
import pytest
from msgspec.structs import replace

from koshel.core.commands import Kind, OpenAccount
from koshel.core.model import Opened, Posted
from koshel.db.errors import Crowded, DatabaseUnavailable, Obstructed
from koshel.db.pools import TimeLimits
from koshel.db.server import embedded
from koshel.db.starting.migrate import known
from koshel.db.store import Delay, Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.bookkeeping import execute, keep_books, move, opening
from tests.support.database import Database
from tests.support.looks import accounts_of, target_of

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


async def test_an_account_is_read_as_it_was_opened(store: Store) -> None:
    command = OpenAccount(
        1, "ann@example.com", "USD", Decimal(-5), Decimal("99.5"), {"team": 'a "quoted" \\ one', "имя": "Аня"}
    )
    (opened,) = await settle(store, [command])
    assert isinstance(opened, Opened)
    assert await store.get_account(1, opened.account.id) == opened.account
    assert opened.account.metadata == command.metadata
    assert opened.account.ctime.utcoffset() == timedelta(0)


async def test_a_transaction_is_read_as_it_was_posted(store: Store) -> None:
    for posted in await keep_books(store):
        found = await store.get_transaction(1, posted.id)
        assert found is not None
        # What was asked, and what a hold still reserves, is kept elsewhere.
        assert found.transaction == replace(posted, request=None, rest=None)


async def test_an_account_reads_as_its_last_transaction_left_it(store: Store) -> None:
    await keep_books(store)
    account = await store.get_account(1, 2)
    assert account is not None
    assert (account.balance, account.version, account.min_balance) == (Decimal("24.55"), 3, Decimal("-50.00"))


async def test_what_does_not_exist_is_not_found(store: Store) -> None:
    await keep_books(store)
    assert await store.get_account(1, 7) is None
    assert await store.get_transaction(1, 23) is None
    assert await store.get_account(1, 2**63 - 1) is None


async def test_another_ledgers_account_and_transaction_are_not_found(store: Store) -> None:
    await keep_books(store)
    assert await store.get_account(2, 1) is None
    assert [await store.get_transaction(2, n) for n in range(1, 23)] == [None] * 22


# currency, what is paid in, and how it reads
MONEY = [
    ("USD", "12.5", "12.50"),
    ("USD", "1e3", "1000.00"),
    ("JPY", "12", "12"),
    ("KWD", "1", "1.000"),
    ("WEI", "1", "1.000000000000000000"),
    ("WEI", "0.000000000000000001", "0.000000000000000001"),
    ("WEI", "999999999999999998.999999999999999999", "999999999999999998.999999999999999999"),
]


def zero_like(amount: str) -> str:
    _, point, decimals = amount.partition(".")
    return f"0{point}{'0' * len(decimals)}"


async def test_money_keeps_every_decimal_of_its_currency(database: Database, store: Store) -> None:
    execute(database.owner_url, "INSERT INTO currency (code, scale) VALUES ('WEI', 18)")
    for code, amount, read in MONEY:
        (opened,) = await settle(store, [opening(code)])
        assert isinstance(opened, Opened)
        empty = await store.get_account(1, opened.account.id)
        assert empty is not None
        assert [f"{zero:f}" for zero in (empty.balance, empty.held)] == [zero_like(read)] * 2
        (posted,) = await settle(store, [move(None, opened.account.id, amount)])
        assert isinstance(posted, Posted)
        account = await store.get_account(1, opened.account.id)
        found = await store.get_transaction(1, posted.id)
        assert account is not None
        assert found is not None
        transaction = found.transaction
        assert isinstance(transaction, Posted)
        kept = (account.balance, transaction.amount, target_of(transaction).balance)
        assert [f"{money:f}" for money in kept] == [read] * 3


async def test_each_kind_of_transaction_is_read_with_its_sides_and_currency(store: Store) -> None:
    await keep_books(store)
    found = [await store.get_transaction(1, n) for n in range(1, 6)]
    read = [one.transaction for one in found if one is not None and isinstance(one.transaction, Posted)]
    sides = [(t.kind, *accounts_of(t), t.currency, t.key) for t in read]
    assert sides == [
        (Kind.PAYMENT, None, 1, "USD", "paid"),
        (Kind.TRANSFER, 1, 2, "USD", None),
        (Kind.PAYMENT, None, 3, "JPY", None),
        (Kind.WITHDRAWAL, 2, None, "USD", None),
        (Kind.TRANSFER, 1, 2, "USD", None),
    ]


async def test_the_applied_migrations_are_those_that_this_version_knows(store: Store) -> None:
    assert await store.applied_migrations() == set(known())


async def test_the_limits_are_set_on_every_connection(database: Database) -> None:
    limits = TimeLimits(statement_timeout_ms=4321, lock_timeout_ms=1234, idle_in_transaction_timeout_ms=2345)
    async with open_store(StoreConfig(database.service_url, limits=limits)) as store:
        for pool in (store._settling, store._reading, store._rehearsing):
            async with pool.acquire() as connection:
                shown = [
                    await connection.fetchval(f"SHOW {name}")
                    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "timezone")
                ]
            assert shown == ["4321ms", "1234ms", "2345ms", "UTC"]


async def test_settling_and_reading_have_connections_of_their_own(database: Database) -> None:
    config = StoreConfig(database.service_url, settle_connections=1, read_connections=2)
    async with open_store(config) as store, store.batch():
        # The one connection for settling is taken; reading does not wait for it.
        found = await asyncio.wait_for(
            asyncio.gather(*(store.get_account(1, n) for n in range(1, 20))), config.limits.answer_timeout_s
        )
        names = await store._reading.fetch(
            "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
        )
    assert found == [None] * 19
    assert sorted(map(tuple, names)) == [("koshel read", 2), ("koshel settle", 1)]


async def test_a_row_that_somebody_else_holds_is_waited_for_no_longer_than_the_limit(database: Database) -> None:
    config = StoreConfig(database.service_url, limits=TimeLimits(lock_timeout_ms=50))
    async with open_store(config) as store:
        await keep_books(store)
        holder = await asyncpg.connect(database.owner_url)
        try:
            async with holder.transaction():
                await holder.execute("SELECT FROM account WHERE id = 1 FOR UPDATE")
                with pytest.raises(Obstructed):
                    await settle(store, [move(None, 1, "1")])
            assert await settle(store, [move(None, 1, "1")])
        finally:
            await holder.close()


async def test_dry_runs_have_connections_of_their_own(database: Database) -> None:
    config = StoreConfig(database.service_url, settle_connections=1, read_connections=1, rehearsal_connections=1)
    async with open_store(config) as store, store.rehearsals.batch(), asyncio.timeout(config.limits.answer_timeout_s):
        assert await store.get_account(1, 1) is None
        assert await settle(store, [opening()])


async def test_more_reads_than_may_wait_are_crowded(database: Database) -> None:
    config = StoreConfig(database.service_url, read_connections=1, queue_max=5)
    async with open_store(config) as store:
        ends = await asyncio.gather(*(store.get_account(1, 1) for _ in range(9)), return_exceptions=True)
        assert [type(end) for end in ends] == [NoneType] * 6 + [Crowded] * 3


async def test_what_the_house_itself_asks_finds_a_place_among_any_number_of_readers(database: Database) -> None:
    config = StoreConfig(database.service_url, read_connections=1, queue_max=1)
    async with open_store(config) as store:
        reads = [asyncio.create_task(store.get_account(1, 1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await store.measure_queue(1)
        assert await store.due() == []
        await store.postpone(1, 999, "why", Delay(1, 2))
        await asyncio.gather(*reads)


async def test_reads_that_a_frozen_database_does_not_answer_are_told_that_it_is_unavailable(database: Database) -> None:
    config = StoreConfig(database.service_url, read_connections=1, queue_timeout_ms=200)
    holder = await asyncpg.connect(database.owner_url)
    async with open_store(config) as store:
        async with holder.transaction():
            await holder.execute("LOCK TABLE account IN ACCESS EXCLUSIVE MODE")
            first = asyncio.create_task(store.get_account(1, 1))
            await asyncio.sleep(0)
            with pytest.raises(DatabaseUnavailable):
                await store.get_account(1, 1)
        assert await first is None
    await holder.close()


@pytest.mark.parametrize("url", [NOWHERE, "postgresql://nobody@/nothing?host=/nowhere"])
async def test_a_database_that_nobody_serves_is_unavailable(url: str) -> None:
    async with open_store(StoreConfig(url)) as store:
        with pytest.raises(DatabaseUnavailable):
            await store.get_account(1, 1)
        with pytest.raises(DatabaseUnavailable):
            await store.applied_migrations()
        with pytest.raises(DatabaseUnavailable):
            await settle(store, [opening()])


async def test_a_role_or_a_database_that_does_not_exist_is_unavailable(cluster: embedded.Cluster) -> None:
    for url in (cluster.url(role="nobody"), cluster.url(database="nothing")):
        async with open_store(StoreConfig(url)) as store:
            with pytest.raises(DatabaseUnavailable):
                await store.get_account(1, 1)
