"""The keys' own connection hears of every change, comes back when it is lost, and look-ups are gathered."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from koshel.api_keys import digest_of, make
from koshel.callers import Scope
from koshel.db.access import api_keys, key_lookups, ledgers
from koshel.db.access.api_keys import FoundKey, NewKey
from koshel.db.access.key_changes import KeyChanges, open_key_changes
from koshel.db.access.key_lookups import open_key_lookups
from koshel.db.errors import Crowded, DatabaseUnavailable
from koshel.db.starting import once
from koshel.db.store import StoreConfig, open_store
from tests.support.database import Database
from tests.support.keyed import new_key, revoke
from tests.support.waiting import until


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[tuple[KeyChanges, list[str]]]:
    heard: list[str] = []
    config = StoreConfig(database.service_url)
    async with open_store(config) as store, open_key_changes(store, config, heard.append) as changes:
        await until(lambda: heard == [""], "it listens")
        heard.clear()
        yield changes, heard


def digest(key: NewKey) -> bytes:
    found = digest_of(key.text)
    assert found is not None
    return found


def end_connection(database: Database) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        name = "application_name LIKE '%keys' AND datname = current_database()"
        ended = connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {name}".encode())
        assert ended.fetchall() == [(True,)]


async def test_every_change_of_a_key_is_heard_of(database: Database) -> None:
    async with listening(database) as (_, heard):
        key = await new_key(database.service_url, Scope.ADMIN)
        await until(lambda: heard == [digest(key).hex()], "it was made")
        heard.clear()
        new = await once.transact(
            database.service_url,
            lambda connection, q: api_keys.rotate(connection, q, 1, key.row.id, overlap_s=9),
            ledger_id=1,
        )
        assert new is not None
        await until(lambda: heard == [digest(new).hex(), digest(key).hex()], "it was rotated")
        heard.clear()
        await revoke(database.service_url, key)
        await until(lambda: heard == [digest(key).hex()], "it was revoked")
        heard.clear()
        shop = await once.transact(database.service_url, lambda connection, q: ledgers.add(connection, q, "shop"))
        await once.transact(database.service_url, lambda connection, q: ledgers.rename(connection, q, shop.id, "store"))
        await until(lambda: heard == [""], "a ledger was renamed")


async def test_what_is_not_committed_is_not_heard_of(database: Database) -> None:
    async with listening(database) as (_, heard):
        with pytest.raises(ZeroDivisionError):
            await once.transact(database.service_url, _add_and_fail, ledger_id=1)
        key = await new_key(database.service_url, Scope.READ)
        await until(lambda: heard != [], "the second one is heard of")
        assert heard == [digest(key).hex()]


async def _add_and_fail(connection: Any, q: Any) -> None:
    await api_keys.add(connection, q, 1, Scope.READ, name="", lasts_s=None)
    raise ZeroDivisionError


async def test_a_lost_connection_is_made_again_and_all_is_forgotten(database: Database) -> None:
    async with listening(database) as (changes, heard):
        assert changes.is_listening(asyncio.get_running_loop().time())
        end_connection(database)
        assert not await changes.ask(api_keys.exist), "another connection answers meanwhile"
        await until(lambda: heard == [""], "it listens again")
        heard.clear()
        key = await new_key(database.service_url, Scope.READ)
        await until(lambda: heard == [digest(key).hex()], "and hears")


async def test_a_database_that_is_away_is_said(database: Database) -> None:
    async with listening(database) as (changes, _):
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            connection.execute("ALTER ROLE koshel_service NOLOGIN")
            try:
                end_connection(database)
                with pytest.raises(DatabaseUnavailable):
                    await changes.ask(api_keys.exist)
            finally:
                connection.execute("ALTER ROLE koshel_service LOGIN")


class Slow:
    """Look-ups that wait until they may go on."""

    def __init__(self, *, fails: bool = False) -> None:
        self.sent: list[int] = []
        self.may_go_on = asyncio.Event()
        self._fails = fails

    async def ask(self, work: Any) -> Mapping[bytes, FoundKey]:
        await work(self, self)
        await self.may_go_on.wait()
        if self._fails:
            raise DatabaseUnavailable
        return {}

    find_api_keys = ""

    async def fetch(self, _: str, digests: Sequence[bytes]) -> list[Any]:
        self.sent.append(len(digests))
        return []


async def test_look_ups_that_come_while_one_is_under_way_leave_together() -> None:
    slow = Slow()
    async with open_key_lookups(slow) as lookups:  # type: ignore[arg-type]
        digests = [make().encode() for _ in range(20)]
        tasks = [asyncio.create_task(lookups.find(digests[0], is_known=False))]
        await until(lambda: slow.sent == [1], "the first is under way")
        tasks += [asyncio.create_task(lookups.find(one, is_known=False)) for one in digests * 2]
        await asyncio.sleep(0)
        slow.may_go_on.set()
        assert [found for _, found in await asyncio.gather(*tasks)] == [None] * 41
        assert slow.sent == [1, 19], "one digest is asked for once"


async def test_what_nobody_knows_has_a_bounded_number_of_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_lookups, "WAITING_MAX", 5)
    slow = Slow()
    async with open_key_lookups(slow) as lookups:  # type: ignore[arg-type]
        tasks = [asyncio.create_task(lookups.find(make().encode(), is_known=False)) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(Crowded):
            await lookups.find(make().encode(), is_known=False)
        tasks += [asyncio.create_task(lookups.find(make().encode(), is_known=True)) for _ in range(5)]
        await asyncio.sleep(0)
        slow.may_go_on.set()
        assert len(await asyncio.gather(*tasks)) == 10


async def test_who_leaves_takes_nobodys_look_up_along() -> None:
    slow = Slow()
    async with open_key_lookups(slow) as lookups:  # type: ignore[arg-type]
        digest = make().encode()
        leaver, stayer = (asyncio.create_task(lookups.find(digest, is_known=False)) for _ in range(2))
        await until(lambda: slow.sent == [1], "it is under way")
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        slow.may_go_on.set()
        assert (await stayer)[1] is None


async def test_a_look_up_that_fails_fails_for_all_who_wait_and_the_next_is_tried() -> None:
    slow = Slow(fails=True)
    slow.may_go_on.set()
    async with open_key_lookups(slow) as lookups:  # type: ignore[arg-type]
        for _ in range(2):
            found = await asyncio.gather(
                *(lookups.find(make().encode(), is_known=False) for _ in range(3)), return_exceptions=True
            )
            assert [type(one) for one in found] == [DatabaseUnavailable] * 3
