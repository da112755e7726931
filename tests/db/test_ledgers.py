"""Ledgers: made once under a name, found by it, and renamed."""

import pytest

from koshel.db.access import ledgers
from koshel.db.starting import once
from tests.support.database import Database


async def names(database: Database) -> list[str]:
    return [one.name for one in await once.transact(database.service_url, ledgers.all_of_them)]


async def test_a_new_database_has_the_main_ledger(database: Database) -> None:
    assert await names(database) == ["main"]
    main = await once.transact(database.service_url, lambda connection, q: ledgers.find(connection, q, "main"))
    assert main is not None
    assert main.id == 1


async def test_a_ledger_is_made_once_under_a_name(database: Database) -> None:
    made = await once.transact(database.service_url, lambda connection, q: ledgers.add(connection, q, "shop"))
    found = await once.transact(database.service_url, lambda connection, q: ledgers.find(connection, q, "shop"))
    assert found == made
    with pytest.raises(ledgers.NameTaken, match="shop"):
        await once.transact(database.service_url, lambda connection, q: ledgers.add(connection, q, "shop"))
    assert await names(database) == ["main", "shop"]


async def test_a_name_that_nobody_has_is_not_found(database: Database) -> None:
    assert await once.transact(database.service_url, lambda connection, q: ledgers.find(connection, q, "shop")) is None


async def test_a_ledger_is_renamed_unless_another_has_the_name(database: Database) -> None:
    shop = await once.transact(database.service_url, lambda connection, q: ledgers.add(connection, q, "shop"))
    other = await once.transact(
        database.service_url, lambda connection, q: ledgers.rename(connection, q, shop.id, "store")
    )
    assert (other.id, other.name) == (shop.id, "store")
    with pytest.raises(ledgers.NameTaken):
        await once.transact(database.service_url, lambda connection, q: ledgers.rename(connection, q, shop.id, "main"))
    assert await names(database) == ["main", "store"]
    again = await once.transact(database.service_url, lambda connection, q: ledgers.get(connection, q, shop.id))
    assert again == other
