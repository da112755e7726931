"""The library works where PostgreSQL confines the caller's role, too: tests of others, over such a database."""

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from koshel.db.server.embedded import Cluster
from tests.library import test_ledgers as ledgers
from tests.library import test_within as within
from tests.support.bookkeeping import execute
from tests.support.confined import confined
from tests.support.database import Database

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

test_money_and_the_callers_rows_commit_together = within.test_money_and_the_callers_rows_commit_together
test_a_refusal_leaves_the_callers_transaction_usable = within.test_a_refusal_leaves_the_callers_transaction_usable
test_the_transaction_sees_what_it_has_done = within.test_the_transaction_sees_what_it_has_done
test_a_savepoint_takes_back_a_part = within.test_a_savepoint_takes_back_a_part
test_a_batch_in_it_has_one_group = within.test_a_batch_in_it_has_one_group
test_each_ledger_has_its_own_accounts = ledgers.test_each_ledger_has_its_own_accounts_and_transactions


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A database with row-level security."""
    with confined(cluster, "test_within_confined") as database:
        yield database


@pytest.fixture
async def connection(database: Database) -> "AsyncIterator[Connection]":
    """The caller's own, as a role that is confined."""
    execute(
        database.owner_url,
        "CREATE TABLE public.orders (item text NOT NULL)",
        "GRANT ALL ON public.orders TO koshel_service",
    )
    connection = await asyncpg.connect(database.service_url)
    yield connection
    await connection.close(timeout=5)
