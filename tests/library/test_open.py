"""Opening a ledger, and what goes on behind it."""

import asyncio
import random
import re

import asyncpg
import psycopg
import pytest

from koshel import (
    Invalid,
    Ledger,
    Misuse,
    Overloaded,
    Promise,
    Refused,
    SchemaNotCurrent,
    Settings,
    Transaction,
    Unavailable,
)
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import schema
from koshel.db.starting.migrate import migrate
from koshel.db.verifying.verify import verify
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import query, rows
from tests.support.waiting import until

TRANSFERS = 400


async def test_a_database_without_the_schema_is_not_opened(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare")
    lacking = rf"lacks {re.escape(', '.join(schema.known()))}; run `koshel migrate`"
    with pytest.raises(SchemaNotCurrent, match=lacking):
        async with Ledger.open(cluster.url(database="bare")):
            pass


async def test_a_role_without_the_rights_does_not_open_it(database: Database) -> None:
    execute(database.owner_url, "DROP OWNED BY koshel_service")
    with pytest.raises(Misuse, match=r"run `koshel migrate --service-role`.*permission denied for schema koshel"):
        async with Ledger.open(database.service_url):
            pass


async def test_the_schema_may_be_named(database: Database) -> None:
    migrate(database.owner_url, schema="wallet", service_role=embedded.SERVICE)
    async with Ledger.open(database.service_url, schema="wallet") as ledger:
        ann = (await ledger.open_account("ann@example.com")).id
        connection = await asyncpg.connect(database.owner_url)
        async with connection.transaction():
            await ledger.within(connection).pay(ann, amount=1)
        await connection.close()
    assert query(database, "SELECT count(*) FROM wallet.transaction") == [(1,)]
    assert rows(database)["transaction"] == 0


async def test_a_database_that_is_not_there_is_said_so() -> None:
    with pytest.raises(Unavailable):
        async with Ledger.open("postgresql://nobody@127.0.0.1:1/nothing"):
            pass


async def test_many_transfers_at_once_gather_into_few_commits(
    ledger: Ledger, database: Database, ann: int, bob: int
) -> None:
    before = rows(database)["batch"]
    await asyncio.gather(*(ledger.transfer(source=ann, target=bob, amount="0.01") for _ in range(TRANSFERS)))
    assert rows(database)["batch"] - before <= TRANSFERS // 20
    account = await ledger.account(bob)
    assert account is not None
    assert (str(account.balance), account.version) == ("4.00", TRANSFERS)


async def test_one_refused_among_many_disturbs_nobody(ledger: Ledger, ann: int, bob: int) -> None:
    amounts = ["1", "1000"] * 20
    random.shuffle(amounts)
    answers = await asyncio.gather(
        *(ledger.transfer(source=ann, target=bob, amount=one) for one in amounts), return_exceptions=True
    )
    assert [isinstance(one, Refused) for one in answers] == [amount == "1000" for amount in amounts]


async def test_a_batch_weighs_as_much_as_it_has_members(database: Database) -> None:
    async with Ledger.open(database.service_url, Settings(queue_max=10, batch_max=10)) as ledger:
        bob = (await ledger.open_account("bob@example.com")).id
        members = [ledger.requests.payment(bob, amount=1) for _ in range(10)]
        waiting = asyncio.gather(*(ledger.batch(members) for _ in range(4)), return_exceptions=True)
        assert [type(one) for one in await waiting].count(Overloaded) >= 1


async def test_settings_say_what_holds_where_a_caller_does_not(database: Database) -> None:
    chosen = Settings(currency="EUR", hold_lifetime_max_s=60, hold_lifetime_s=60)
    async with Ledger.open(database.service_url, chosen) as ledger:
        bob = await ledger.open_account("bob@example.com")
        assert bob.currency == "EUR"
        with pytest.raises(Invalid, match="expires_in must not be more than 60 seconds"):
            await ledger.hold(source=bob.id, target=None, amount=1, expires_in=61)


async def test_without_background_what_is_queued_waits_for_who_has_it(
    database: Database, ledger: Ledger, ann: int
) -> None:
    queued = await ledger.enqueue(ledger.requests.withdrawal(ann, amount="1"))
    assert isinstance(queued, Promise)
    assert query(database, "SELECT id FROM queued") == [(queued.id,)]
    async with Ledger.open(database.service_url, background=True):
        await until(lambda: not query(database, "SELECT id FROM queued"), "it is executed")
    found = await ledger.transaction(queued.id)
    assert found is not None
    assert (found.status, type(found)) == ("posted", Transaction)


async def test_a_hold_whose_time_is_up_is_released_in_the_background(database: Database) -> None:
    async with Ledger.open(database.service_url, background=True) as ledger:
        ann = (await ledger.open_account("ann@example.com")).id
        await ledger.pay(ann, amount=10)
        await ledger.hold(source=ann, target=None, amount=4, expires_in=1)
        await until(lambda: query(database, "SELECT held FROM account") == [(0,)], "the hold is released")


async def test_a_rehearsal_answers_what_would_happen_and_does_nothing(database: Database) -> None:
    async with Ledger.open(database.service_url) as ledger:
        rehearsal = ledger.rehearsal()
        ann = (await ledger.open_account("ann@example.com")).id
        paid = await ledger.pay(ann, amount=10, key="pay")
        before = rows(database)
        would_be = await rehearsal.withdraw(ann, amount="4", key="new")
        assert (would_be.id, str(would_be.source_balance)) == (0, "6.00")
        with pytest.raises(Refused, match="insufficient-funds"):
            await rehearsal.withdraw(ann, amount="11", key="other")
        assert (await rehearsal.pay(ann, amount=10, key="pay")).id == paid.id
        assert (await rehearsal.open_account("eve@example.com")).id == 0
        assert rows(database) == before
    assert verify(database.owner_url) == []


async def test_a_rehearsal_in_the_callers_transaction_sees_what_it_did_and_does_nothing(database: Database) -> None:
    connection = await asyncpg.connect(database.service_url)
    try:
        async with Ledger.open(database.service_url) as ledger, connection.transaction():
            within = ledger.within(connection)
            ann = (await within.open_account("ann@example.com")).id
            await within.pay(ann, amount=10)
            for rehearsal in (
                within.rehearsal(),
                within.rehearsal().rehearsal(),
                ledger.rehearsal().within(connection),
            ):
                would_be = await rehearsal.withdraw(ann, amount=10)
                assert would_be.source_balance == 0
            account = await within.account(ann)
            assert account is not None
            assert account.version == 1
    finally:
        await connection.close()
    assert verify(database.owner_url) == []


def test_the_library_is_loaded_when_it_is_asked_for_and_has_no_other_names() -> None:
    import koshel  # noqa: PLC0415  the module itself is what it is about

    for name in koshel.__all__:
        assert getattr(koshel, name)
    with pytest.raises(AttributeError, match="has no attribute 'Wallet'"):
        koshel.Wallet  # noqa: B018  asking for it is the test
