"""A database where PostgreSQL confines the service, and two ledgers in it with a row in every table."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import psycopg
from msgspec import UNSET

from koshel.callers import Scope
from koshel.core.commands import ChangeAccount, Status
from koshel.core.model import Queued
from koshel.core.notes import Annotate
from koshel.db import cancelling
from koshel.db.access.api_keys import NewKey
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.settling.claims import ClaimHolds, ClaimQueued
from koshel.db.starting.migrate import migrate
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.exchanges import exchange
from tests.support.keyed import new_key
from tests.support.limited import limit, limiting
from tests.support.settled import open_accounts, opening
from tests.support.split_legs import split, to
from tests.support.wallets import capture, enqueue, group, hold, payment, postings, refund, transfer, void

SHOP = 2  # the other ledger
# What has rows of ledgers.
TABLES = (
    *(
        "account",
        "account_change",
        "api_key",
        "batch",
        "cancelled",
        "declined",
        "exchange",
        "hold",
        "queued",
        "receipt",
    ),
    *("split", "transaction", "transaction_change"),
    "turnover",
)


@contextmanager
def confined(cluster: Cluster, name: str) -> Iterator[Database]:
    """A migrated, empty database with row-level security."""
    with cloned(cluster, name) as database:
        migrate(database.owner_url, service_role=embedded.SERVICE, row_security="on")
        yield database


async def trade(store: Store, url: str, ledger_id: int) -> NewKey:
    """All that there is to be done in a ledger, and a key of it."""
    ann, bob, eve = await open_accounts(store, *(opening(ledger_id=ledger_id, key=f"opened {n}") for n in range(3)))
    pay, move = partial(payment, ledger_id=ledger_id), partial(transfer, ledger_id=ledger_id)
    reserve = partial(hold, ann, bob, ledger_id=ledger_id)
    (paid,) = postings(await settle(store, [pay(ann, "100", key="paid")]))
    await settle(store, [limiting(ann, limit("1d", "2000"), ledger_id=ledger_id)])
    await settle(store, [move(ann, bob, "30")])
    await settle(store, [Annotate(ledger_id, paid.id, description="rent", key="noted")])
    first, second, *_ = postings(await settle(store, [reserve("5"), reserve("5"), reserve("5")]))
    await settle(store, [reserve("1", seconds=0)])
    await settle(store, [capture(first.id, ledger_id=ledger_id)])
    await settle(store, [void(second.id, ledger_id=ledger_id)])
    await settle(store, [refund(paid.id, "2", ledger_id=ledger_id)])
    await settle(store, [ClaimHolds(ledger_id, 10)])
    await settle(store, [group(move(ann, bob, "1"), pay(bob, "1"), key="grouped", ledger_id=ledger_id)])
    await settle(store, [split("1", source=ann, targets=[to(bob)], ledger_id=ledger_id)])
    await settle(store, [enqueue(move(ann, bob, "1")), enqueue(move(ann, bob, "999"))])
    await settle(store, [ClaimQueued(ledger_id, 10)])
    (queued,) = await settle(store, [enqueue(move(ann, bob, "1"))])
    assert isinstance(queued, Queued)
    work = partial(cancelling.cancel, ledger_id=ledger_id, transaction_id=queued.id, request_id=None)
    await store.transact([ledger_id], work)
    await settle(store, [enqueue(move(ann, bob, "1")), ChangeAccount(ledger_id, eve, UNSET, status=Status.CLOSED)])
    (euros,) = await open_accounts(store, opening("EUR", ledger_id=ledger_id, key="opened 3"))
    await settle(store, [exchange(ann, euros, "1", "1", ledger_id=ledger_id, accounts=())])
    return await new_key(url, Scope.ADMIN, ledger_id=ledger_id)


@asynccontextmanager
async def two_ledgers(database: Database) -> AsyncIterator[Store]:
    """A store over such a database, with rows of `main` and of SHOP in every table."""
    execute(database.owner_url, f"INSERT INTO ledger (id, name) VALUES ({SHOP}, 'shop')")
    async with open_store(StoreConfig(database.service_url)) as store:
        for ledger_id in (1, SHOP):
            await trade(store, database.service_url, ledger_id)
        yield store


def count_of(database: Database, table: str, ledger_id: int) -> int:
    """How many rows of a ledger a table has, as its owner sees them."""
    with psycopg.connect(database.owner_url) as connection:
        statement = f"SELECT count(*) FROM {table} WHERE ledger_id = {ledger_id}"
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def as_role(database: Database, role: str) -> Iterator[psycopg.Connection[Any]]:
    """A database transaction of another role's, which nobody commits."""
    url = database.service_url.replace(f"{embedded.SERVICE}@", f"{role}@")
    with psycopg.connect(url, options="-c search_path=koshel") as connection:
        yield connection
        connection.rollback()
