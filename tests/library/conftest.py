"""A ledger on a fresh database, and a connection of its user's own; the books are proved after every test."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from koshel import Ledger
from tests.support.database import Database
from tests.support.small_books import wrong_in

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """The main ledger, as the role that may do least."""
    async with Ledger.open(database.service_url) as ledger:
        yield ledger
    assert wrong_in(database.owner_url) == []


@pytest.fixture
async def connection(database: Database) -> "AsyncIterator[Connection]":
    """The caller's own, who has a table of orders."""
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("CREATE TABLE orders (item text NOT NULL)")
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
async def ann(ledger: Ledger) -> int:
    """Her account, with 100.00 USD."""
    account = await ledger.open_account("ann@example.com")
    await ledger.pay(account.id, amount="100")
    return account.id


@pytest.fixture
async def bob(ledger: Ledger) -> int:
    """His account, empty."""
    return (await ledger.open_account("bob@example.com")).id


async def balance(ledger: Ledger, account_id: int) -> str:
    account = await ledger.account(account_id)
    assert account is not None
    return str(account.balance)
