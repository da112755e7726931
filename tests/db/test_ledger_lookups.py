"""Which ledger a name stands for: remembered, asked once at a time, and forgotten when one was renamed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from koshel.db.access import ledger_lookups, ledgers
from koshel.db.access.ledger_lookups import LedgerLookups
from koshel.db.errors import DatabaseUnavailable
from koshel.db.starting import once
from tests.support.database import Database
from tests.support.keyed import new_ledger


class Asking:
    """In place of the connection that hears of changes: one for each question, counted."""

    def __init__(self, database: Database) -> None:
        self.url = database.service_url
        self.count = 0
        self.is_away = False
        self.before: Callable[[], None] = lambda: None

    async def ask(self, work: Callable[..., Awaitable[Any]]) -> Any:
        self.count += 1
        self.before()
        if self.is_away:
            raise DatabaseUnavailable("it is away")
        return await once.transact(self.url, work)


@pytest.fixture
def asking(database: Database) -> Asking:
    return Asking(database)


@pytest.fixture
def lookups(asking: Asking) -> LedgerLookups:
    return LedgerLookups(asking, lambda asked, now: now - asked < 30)  # type: ignore[arg-type]


async def test_a_ledger_is_found_by_its_name_and_asked_for_once(
    asking: Asking, lookups: LedgerLookups, database: Database
) -> None:
    shop = await new_ledger(database.service_url, "shop")
    began = time.monotonic()
    found = await asyncio.gather(*[lookups.find("shop") for _ in range(20)])
    assert {one.id for one in found} == {shop.id}
    assert found[0].asked >= began
    assert await lookups.find("shop") == found[0]
    assert asking.count == 1
    assert (await lookups.ask("shop")).asked > found[0].asked


async def test_what_is_not_there_is_asked_for_again(asking: Asking, lookups: LedgerLookups, database: Database) -> None:
    assert (await lookups.find("shop")).id is None
    shop = await new_ledger(database.service_url, "shop")
    assert (await lookups.find("shop")).id == shop.id
    assert asking.count == 2


async def test_a_rename_ends_it_and_what_was_asked_before_is_not_trusted(
    asking: Asking, lookups: LedgerLookups, database: Database
) -> None:
    shop = await new_ledger(database.service_url, "shop")
    await lookups.find("shop")
    await once.transact(database.service_url, lambda c, q: ledgers.rename(c, q, shop.id, "store"))
    lookups.forget()
    assert (await lookups.find("shop")).id is None
    asking.before = lookups.forget
    assert await lookups.find("store") == (shop.id, float("-inf"))
    asking.before = lambda: None
    assert (await lookups.find("store")).asked > 0


async def test_an_accident_is_everybodys_who_waited_and_nobodys_after(asking: Asking, lookups: LedgerLookups) -> None:
    asking.is_away = True
    found = await asyncio.gather(*[lookups.find("main") for _ in range(3)], return_exceptions=True)
    assert all(isinstance(one, DatabaseUnavailable) for one in found)
    asking.is_away = False
    assert (await lookups.find("main")).id == 1


async def test_no_more_are_remembered_than_may_be(
    asking: Asking, lookups: LedgerLookups, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_lookups, "REMEMBERED_MAX", 2)
    for name in ("a", "b"):
        await new_ledger(database.service_url, name)
    for name in ("main", "a", "b", "a", "b", "main"):
        await lookups.find(name)
    assert asking.count == 4


async def test_at_the_end_nobody_waits(lookups: LedgerLookups) -> None:
    waiting = asyncio.ensure_future(lookups.find("main"))
    await asyncio.sleep(0)
    await lookups.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
