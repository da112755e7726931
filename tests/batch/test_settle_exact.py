"""Held and returned money to the last of its eighteen decimals, on the service's connection and on a borrowed one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import psycopg
import pytest
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, Status
from koshel.core.model import Posted
from koshel.core.money import plain
from koshel.db.borrowed import borrow
from koshel.db.namespace import Namespace
from koshel.db.settling.batch import Batch
from koshel.db.settling.batches import Batches
from koshel.db.store import Store
from koshel.settle import settle
from tests.support.database import Database
from tests.support.looks import source_of, target_of
from tests.support.settled import exactly, open_accounts, opening, query, refusals
from tests.support.wallets import capture, hold, payment, refund, transfer, void

pytestmark = pytest.mark.usefixtures("books")

NINES = "9" * 18
MOST = f"{int(NINES) - 1}.{NINES}"  # an account without a limit of its own takes no more than NINES
LEAST = "0." + "0" * 17 + "1"
NEARLY = f"{MOST[:-1]}8"
ZERO = "0." + "0" * 18


class Committed:
    """Batches in transactions of a caller's own, each committed at once: nobody else is there."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        async with (
            self._connection.transaction(),
            borrow(self._connection, Namespace(), rehearses=False).batch() as batch,
        ):
            yield batch


@pytest.fixture(params=["the service's connection", "a borrowed one", "a borrowed one of psycopg"])
async def batches(request: pytest.FixtureRequest, store: Store, database: Database) -> AsyncIterator[Batches]:
    if request.param == "the service's connection":
        yield store
    elif request.param == "a borrowed one":
        connection = await asyncpg.connect(database.owner_url)
        yield Committed(connection)
        await connection.close()
    else:
        async with await psycopg.AsyncConnection.connect(database.owner_url, autocommit=True) as other:
            yield Committed(other)


async def test_held_money_is_kept_to_the_last_digit(batches: Batches, store: Store, database: Database) -> None:
    ann, bob = await open_accounts(store, *[replace(opening("WEI"), max_balance=None)] * 2)
    _, most = await settle(batches, [payment(ann, MOST), hold(ann, bob, MOST)])
    assert isinstance(most, Posted)
    assert refusals(await settle(batches, [hold(ann, bob, LEAST), transfer(ann, bob, LEAST)])) == [
        "insufficient-funds",
        "insufficient-funds",
    ]
    (part,) = await settle(batches, [capture(most.id, LEAST, final=False)])
    assert isinstance(part, Posted)
    assert [plain(one) for one in (source_of(part).balance, source_of(part).held, target_of(part).balance) if one] == [
        NEARLY,
        NEARLY,
        LEAST,
    ]
    await settle(batches, [capture(most.id, NEARLY), refund(part.id)])
    assert query(database, "SELECT balance::text, held::text FROM account ORDER BY id") == [
        (LEAST, ZERO),
        (NEARLY, ZERO),
    ]
    found = await store.get_transaction(1, part.id)
    assert found is not None
    assert exactly(found.transaction) == exactly(replace(part, request=None))


async def test_an_account_that_changes_keeps_every_digit(batches: Batches, store: Store, database: Database) -> None:
    ann, bob = await open_accounts(store, *[replace(opening("WEI"), max_balance=None)] * 2)
    commands: list[Command] = [
        payment(ann, MOST),
        hold(ann, bob, NEARLY),
        ChangeAccount(1, ann, max_balance=None, status=Status.FROZEN),
        ChangeAccount(1, bob, status=Status.CLOSED),
    ]
    _, held, *_ = outcomes = await settle(batches, commands)
    assert refusals(outcomes) == [None] * 4
    assert query(database, "SELECT balance::text, held::text, revision FROM account ORDER BY id") == [
        (MOST, NEARLY, 1),
        (ZERO, ZERO, 1),
    ]
    assert isinstance(held, Posted)
    assert refusals(await settle(batches, [void(held.id)])) == [None]
    assert query(database, f"SELECT held::text FROM account WHERE id = {ann}") == [(ZERO,)]


async def test_money_without_decimals_is_held_in_whole_units(
    batches: Batches, store: Store, database: Database
) -> None:
    ann, bob = await open_accounts(store, opening("JPY"), opening("JPY"))
    _, half, odd = await settle(batches, [payment(ann, "100"), hold(ann, bob, "0.5"), hold(ann, bob, "1.5")])
    assert refusals([half]) == ["amount-out-of-range"]
    assert isinstance(odd, Posted)
    assert plain(odd.amount) == "2"
    outcomes = await settle(batches, [capture(odd.id, "0.5"), capture(odd.id, "0.51", final=False), void(odd.id)])
    assert refusals(outcomes) == ["amount-out-of-range", None, None]
    assert query(database, "SELECT balance::text, held::text FROM account ORDER BY id") == [("99", "0"), ("1", "0")]


async def test_equal_amounts_of_several_currencies_keep_the_decimals_of_each(
    batches: Batches, store: Store, database: Database
) -> None:
    accounts = await open_accounts(store, opening("USD"), opening("JPY"), opening("KWD"))
    await settle(batches, [payment(account, "9") for account in accounts])
    held = await settle(batches, [hold(account, None, "5") for account in accounts])
    assert query(database, "SELECT balance::text, held::text FROM account ORDER BY id") == [
        ("9.00", "5.00"),
        ("9", "5"),
        ("9.000", "5.000"),
    ]
    assert query(database, "SELECT amount::text FROM hold ORDER BY id") == [("5.00",), ("5",), ("5.000",)]
    await settle(batches, [capture(one.id, "2", final=False) for one in held if isinstance(one, Posted)])
    assert query(database, "SELECT amount::text FROM hold ORDER BY id") == [("3.00",), ("3",), ("3.000",)]
    await settle(batches, [payment(account, "1") for account in accounts])
    assert query(database, "SELECT held::text FROM account ORDER BY id") == [("3.00",), ("3",), ("3.000",)]
    await settle(batches, [capture(one.id) for one in held if isinstance(one, Posted)])
    assert query(database, "SELECT balance::text, held::text FROM account ORDER BY id") == [
        ("5.00", "0.00"),
        ("5", "0"),
        ("5.000", "0.000"),
    ]
