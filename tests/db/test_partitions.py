"""The table of transactions in partitions: made ahead of need, under least privilege, and in nobody's way."""

import asyncio

import psycopg
import pytest
from structlog.testing import capture_logs

from koshel import partitions
from koshel.db.errors import DatabaseUnavailable, Obstructed
from koshel.db.settling.claims import ClaimQueued
from koshel.db.starting import migrate
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.partitions import IDS_AHEAD_MIN, look_ahead, open_partitions
from koshel.retry import settle_again
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.partitioned import BOUNDS
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.waiting import until
from tests.support.wallets import enqueue, payment, postings

MILLION = 1_000_000
# What a partition has of its own, without its name.
MADE = """
SELECT 'index' AS what, regexp_replace(pg_get_indexdef(x.indexrelid), 'INDEX .* USING', 'INDEX USING') AS definition
FROM pg_index AS x WHERE x.indrelid = '{0}'::regclass
UNION ALL
SELECT 'constraint', conname || pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = '{0}'::regclass AND contype = 'c'
UNION ALL
SELECT 'column', concat(attname, atttypid::regtype, attstorage, attnotnull) FROM pg_attribute
WHERE attrelid = '{0}'::regclass AND attnum > 0
UNION ALL
SELECT 'option', concat(reloptions, relrowsecurity, EXISTS (
    SELECT FROM aclexplode(relacl) AS granted WHERE granted.grantee <> relowner
)) FROM pg_class WHERE oid = '{0}'::regclass
ORDER BY 1, 2
"""


def names(database: Database) -> list[str]:
    return [name for name, _ in query(database, BOUNDS)]


def jump(database: Database, last_id: int) -> None:
    execute(database.owner_url, f"SELECT setval('transaction_id', {last_id})")


def test_a_new_database_has_room_for_three_million_transactions_and_more_is_not_made_twice(database: Database) -> None:
    expected = [
        ("transaction_p000000", "FOR VALUES FROM (MINVALUE) TO ('1000000')"),
        ("transaction_p000001", "FOR VALUES FROM ('1000000') TO ('2000000')"),
        ("transaction_p000002", "FOR VALUES FROM ('2000000') TO ('3000000')"),
    ]
    assert query(database, BOUNDS) == expected
    assert migrate.migrate(database.owner_url) == []
    assert query(database, BOUNDS) == expected


def test_a_partition_that_is_made_later_is_as_the_first(database: Database) -> None:
    jump(database, 4 * MILLION)
    execute(database.owner_url, "SELECT make_partitions()")
    assert names(database)[-1] == "transaction_p000005"
    first = query(database, MADE.format("transaction_p000000"))
    execute(
        database.owner_url, "ALTER DEFAULT PRIVILEGES IN SCHEMA koshel GRANT SELECT ON TABLES TO koshel_service, public"
    )
    jump(database, 5 * MILLION)
    execute(database.owner_url, "SELECT make_partitions()")
    assert query(database, MADE.format(names(database)[-1])) == first, "what is given to each new table is taken away"
    assert query(database, MADE.format("transaction_p000005")) == first
    assert dict(first)["option"].endswith("ff"), "no row-level security, and nobody has a right on it"


async def test_the_service_makes_what_is_missing_and_says_so(store: Store, database: Database) -> None:
    assert await store.measure_partitions() == 3 * MILLION
    jump(database, 1_000_001)
    with capture_logs() as logs:
        async with open_partitions(store):
            await until(lambda: len(names(database)) == 4, "the next partition is made")
    assert [(one["event"], one["ids_ahead"]) for one in logs] == [
        ("partitions of transactions are made", 4 * MILLION - 1_000_001)
    ]
    assert await store.measure_partitions() >= IDS_AHEAD_MIN


async def test_that_none_can_be_made_is_said_in_time_and_then_no_more(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "EVERY_S", 0.02)
    execute(database.owner_url, "REVOKE EXECUTE ON FUNCTION make_partitions FROM koshel_service")
    jump(database, 1_000_001)
    stopped = asyncio.Event()
    (account,) = await open_accounts(store, opening())
    with capture_logs() as logs:
        looking = asyncio.create_task(look_ahead(store, stopped))
        await asyncio.sleep(0.3)
        assert refusals(await settle_again(store, [payment(account, "1")])) == [None]
        execute(database.owner_url, "GRANT EXECUTE ON FUNCTION make_partitions TO koshel_service")
        await until(lambda: len(names(database)) == 4, "it is made")
        stopped.set()
        await looking
    failed, made = logs
    assert (failed["event"], failed["log_level"]) == ("no partition can be made for more transactions", "error")
    assert failed["ids_ahead"] == 2 * MILLION - 1
    assert "permission denied" in failed["error"]
    assert made["event"] == "partitions of transactions are made"


async def test_where_none_can_be_made_nothing_is_settled_until_one_can(store: Store, database: Database) -> None:
    (account,) = await open_accounts(store, opening())
    jump(database, 7_654_321)
    execute(database.owner_url, "REVOKE EXECUTE ON FUNCTION make_partitions FROM koshel_service")
    with pytest.raises(DatabaseUnavailable, match="no partition for more transactions"):
        await settle_again(store, [payment(account, "1")])
    execute(database.owner_url, "GRANT EXECUTE ON FUNCTION make_partitions TO koshel_service")
    assert refusals(await settle_again(store, [payment(account, "1")])) == [None]
    assert verify(database.owner_url) == []


async def test_a_batch_whose_ids_have_no_partition_makes_it(store: Store, database: Database) -> None:
    (account,) = await open_accounts(store, opening())
    jump(database, 7_654_321)
    (posted,) = postings(await settle_again(store, [payment(account, "1", key="paid")]))
    assert posted.id == 7_654_323, "the first attempt has taken one"
    assert names(database)[3:] == ["transaction_p000007", "transaction_p000008", "transaction_p000009"]
    assert verify(database.owner_url) == []


async def test_processes_that_make_partitions_at_once_make_them_once(store: Store, database: Database) -> None:
    jump(database, 2_000_001)
    found = await asyncio.gather(*(store.make_partitions() for _ in range(4)))
    assert found == 4 * [3 * MILLION - 1]
    assert len(names(database)) == 5


async def test_payments_and_partitions_do_not_wait_for_each_other(store: Store, database: Database) -> None:
    (account,) = await open_accounts(store, opening())
    jump(database, 1_000_001)
    with psycopg.connect(database.owner_url) as paying:
        paying.execute("LOCK TABLE transaction IN ROW EXCLUSIVE MODE")  # as one that has written and goes on
        assert await store.make_partitions() == 3 * MILLION - 1
    jump(database, 2_000_001)
    with psycopg.connect(database.owner_url) as making:
        making.execute("SELECT make_partitions()")
        assert refusals(await settle_again(store, [payment(account, "1")])) == [None]


async def test_who_is_in_the_way_is_not_waited_for_for_long(store: Store, database: Database) -> None:
    execute(database.owner_url, "ALTER FUNCTION make_partitions SET lock_timeout = '50ms'")
    jump(database, 1_000_001)
    with psycopg.connect(database.owner_url) as stranger:
        stranger.execute("LOCK TABLE transaction IN SHARE MODE")
        with pytest.raises(Obstructed):
            await store.make_partitions()
    assert await store.make_partitions() == 3 * MILLION - 1


async def test_what_was_queued_while_none_could_be_made_gets_its_partition(store: Store, database: Database) -> None:
    (account,) = await open_accounts(store, opening())
    execute(database.owner_url, "REVOKE EXECUTE ON FUNCTION make_partitions FROM koshel_service")
    jump(database, 7_654_321)
    await settle_again(store, [enqueue(payment(account, "1"))])
    jump(database, 9_500_000)
    execute(database.owner_url, "GRANT EXECUTE ON FUNCTION make_partitions TO koshel_service")
    await store.make_partitions()
    assert names(database)[3] == "transaction_p000007"
    await settle_again(store, [ClaimQueued(1, 1)])
    assert query(database, "SELECT id FROM transaction") == [(7_654_322,)]


def test_nobody_who_may_make_functions_runs_them_as_the_owner(database: Database) -> None:
    for name, arguments in (("format", "text, text"), ("lpad", "text, integer, unknown"), ("quote_ident", "name")):
        made = f"CREATE FUNCTION koshel.{name}({arguments.replace('unknown', 'text')}) RETURNS text LANGUAGE plpgsql"
        execute(database.owner_url, f"{made} AS 'BEGIN RAISE EXCEPTION ''taken over''; END'")
    execute(database.owner_url, "ALTER DEFAULT PRIVILEGES IN SCHEMA koshel GRANT SELECT ON TABLES TO public")
    jump(database, 4 * MILLION)
    execute(database.owner_url, "SELECT make_partitions()")
    assert len(names(database)) > 3
