"""Batches that are not the store's own: rehearsals, which do nothing, and the caller's transaction."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import psycopg
import pytest

from koshel.core.commands import Command
from koshel.core.model import Posted, Replayed
from koshel.db.borrowed import Borrowed, borrow
from koshel.db.errors import Conflict
from koshel.db.namespace import Namespace
from koshel.db.settling.claims import Claim
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import BATCHES, execute, keep_books
from tests.support.database import Database
from tests.support.settled import query, refusals, timeless
from tests.support.wallets import capture, enqueue, group, hold, payment, transfer, void

pytestmark = pytest.mark.usefixtures("proved")

TABLES = (
    *("account", "transaction", "receipt", "batch", "hold", "queued", "declined", "cancelled", "split"),
    *("transaction_change", "account_change"),
)
SEQUENCES = ("account_id", "transaction_id", "group_id")


def everything(database: Database) -> list[list[tuple[object, ...]]]:
    """All rows, and how far the sequences are."""
    rows = [query(database, f"SELECT {table}::text FROM {table} ORDER BY 1") for table in TABLES]
    return rows + [query(database, f"SELECT last_value, is_called FROM {name}") for name in SEQUENCES]


def decided(batch: Sequence[Command | Claim]) -> list[Command]:
    """What a rehearsal may be asked: claims are the background's."""
    return [one for one in batch if not isinstance(one, Claim)]


async def test_a_rehearsal_answers_as_if_it_happened_and_nothing_has(store: Store, database: Database) -> None:
    for batch in BATCHES:
        asked = decided(batch)
        before = everything(database)
        rehearsed = await settle(store.rehearsals, asked)
        assert everything(database) == before
        happened = await settle(store, batch)
        if asked:
            assert [timeless(one) for one in rehearsed] == [timeless(one) for one in happened]


async def test_a_rehearsal_gives_no_ids(store: Store) -> None:
    await keep_books(store)
    (together, queued) = await settle(
        store.rehearsals, [group(transfer(4, 5, "1", key="k")), enqueue(transfer(4, 5, "1", key="l"))]
    )
    assert [one.id for one in together.outcomes] == [0]  # type: ignore[union-attr]
    assert together.group_id is None  # type: ignore[union-attr]
    assert queued.id == 0  # type: ignore[union-attr]


async def test_a_rehearsal_of_what_has_happened_is_a_replay(store: Store) -> None:
    await keep_books(store)
    (paid,) = await settle(store.rehearsals, [payment(1, "100", key="paid")])
    assert isinstance(paid, Replayed)
    (first,) = await settle(store.rehearsals, [payment(1, "1", key="new")])
    assert isinstance(first, Posted)
    (again,) = await settle(store, [payment(1, "1", key="new")])
    assert isinstance(again, Posted)  # the rehearsal has left no receipt


async def test_a_rehearsal_waits_for_nobody_and_nobody_waits_for_it(store: Store, database: Database) -> None:
    await keep_books(store)
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM account FOR UPDATE")
        outcomes = await settle(store.rehearsals, [transfer(4, 5, "1"), capture(7), void(22)])
        assert refusals(outcomes) == [None, None, None]
    async with store.rehearsals.batch() as batch:
        await batch.lock([transfer(4, 5, "1")])
        async with holder.transaction():
            await holder.execute("SELECT FROM account FOR UPDATE NOWAIT")
    await holder.close()


@pytest.fixture
async def borrowed(database: Database) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """The connection of an application that has its own table, and its own idea of JSON."""
    execute(database.owner_url, "CREATE TABLE purchase (id bigint, note jsonb)")
    connection = await asyncpg.connect(database.owner_url)
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    yield connection
    await connection.close()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_every_command_works_in_the_callers_transaction(
    store: Store, database: Database, borrowed: "asyncpg.Connection[asyncpg.Record]", driver: str
) -> None:
    other = await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True)
    connection: Any = borrowed if driver == "asyncpg" else other
    for batch in BATCHES:
        async with connection.transaction():
            outcomes = await settle(borrow(connection, Namespace(), rehearses=False), batch)
        keyed = [(c, o) for c, o in zip(batch, outcomes, strict=True) if not isinstance(c, Claim) and c.key]
        async with connection.transaction():
            again = await settle(borrow(connection, Namespace(), rehearses=False), [command for command, _ in keyed])
        assert [timeless(one) for one in again] == [timeless(Replayed(o)) for _, o in keyed]  # type: ignore[arg-type]
    assert verify(database.owner_url) == []
    async with connection.transaction():
        reads = borrow(connection, Namespace(), rehearses=False)
        for n in range(1, 23):
            assert await reads.get_transaction(1, n) == await store.get_transaction(1, n)
        for n in range(1, 7):
            assert repr(await reads.get_account(1, n)) == repr(await store.get_account(1, n))
    await other.close()


async def test_money_and_the_callers_rows_commit_together(
    store: Store, database: Database, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    async with borrowed.transaction():
        (paid,) = await settle(Borrowed(borrowed, Namespace()), [transfer(1, 2, "1", key="order-1")])
        assert isinstance(paid, Posted)
        await borrowed.execute("INSERT INTO purchase VALUES ($1, $2)", paid.id, {"of": "tea"})
        assert await store.get_transaction(1, paid.id) is None
        assert await Borrowed(borrowed, Namespace()).get_transaction(1, paid.id) is not None
    assert await store.get_transaction(1, paid.id) is not None
    assert query(database, "SELECT id, note ->> 'of' FROM purchase") == [(paid.id, "tea")]


async def test_money_and_the_callers_rows_are_rolled_back_together(
    store: Store, database: Database, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    before = everything(database)[: len(TABLES)]
    transaction = borrowed.transaction()
    await transaction.start()
    await settle(
        Borrowed(borrowed, Namespace()), [transfer(1, 2, "1", key="order-1"), hold(4, 5, "1"), capture(7), void(22)]
    )
    await borrowed.execute("INSERT INTO purchase VALUES (1, NULL)")
    await transaction.rollback()
    assert everything(database)[: len(TABLES)] == before
    assert query(database, "SELECT count(*) FROM purchase") == [(0,)]


async def test_a_savepoint_undoes_the_money_alone(
    store: Store, database: Database, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    async with borrowed.transaction():
        await borrowed.execute("INSERT INTO purchase VALUES (1, NULL)")
        savepoint = borrowed.transaction()
        await savepoint.start()
        await settle(Borrowed(borrowed, Namespace()), [transfer(1, 2, "1", key="order-1")])
        await savepoint.rollback()
        (paid,) = await settle(Borrowed(borrowed, Namespace()), [transfer(1, 2, "2", key="order-1")])
    assert isinstance(paid, Posted)
    assert query(database, "SELECT count(*) FROM purchase") == [(1,)]


async def test_a_refusal_leaves_the_callers_transaction_as_it_was(
    store: Store, database: Database, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    async with borrowed.transaction():
        await borrowed.execute("INSERT INTO purchase VALUES (1, NULL)")
        assert refusals(await settle(Borrowed(borrowed, Namespace()), [transfer(1, 2, "900")])) == [
            "insufficient-funds"
        ]
    assert query(database, "SELECT count(*) FROM purchase") == [(1,)]


async def test_batches_of_one_transaction_see_each_other(
    store: Store, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    async with borrowed.transaction():
        (placed,) = await settle(Borrowed(borrowed, Namespace()), [hold(1, 2, "60", key="h")])
        assert isinstance(placed, Posted)
        outcomes = await settle(
            Borrowed(borrowed, Namespace()), [transfer(1, 2, "3"), capture(placed.id), hold(1, 2, "60", key="h")]
        )
    assert refusals(outcomes) == ["insufficient-funds", None, None]
    assert isinstance(outcomes[-1], Replayed)


async def test_a_twin_in_the_meantime_is_a_conflict(
    store: Store, borrowed: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await keep_books(store)
    transaction = borrowed.transaction(isolation="repeatable_read")
    await transaction.start()
    await borrowed.execute("SELECT FROM purchase")  # its snapshot
    await settle(store, [enqueue(transfer(1, 2, "1", key="order-1"))])
    with pytest.raises(Conflict):
        await settle(Borrowed(borrowed, Namespace()), [enqueue(transfer(1, 2, "1", key="order-1"))])
    await transaction.rollback()
