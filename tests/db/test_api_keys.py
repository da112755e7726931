"""API keys in the database: only a digest of each, and who revokes the last one is stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from koshel.api_keys import digest_of
from koshel.callers import Caller, Scope
from koshel.db.access import api_keys
from koshel.db.access.api_keys import LastAdminKey, NewKey, NotUsable
from koshel.db.starting import once
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import query

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def ask(database: Database) -> Ask:
    """Asks as the service's role, in a database transaction for each question."""

    def ask(work: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Awaitable[Any]:
        return once.transact(database.service_url, lambda connection, q: work(connection, q, *arguments, **named))

    return ask


async def add(ask: Ask, scope: Scope = Scope.WRITE, ledger_id: int = 1, lasts_s: int | None = None) -> NewKey:
    new = await ask(api_keys.add, ledger_id, scope, name="till", lasts_s=lasts_s)
    assert isinstance(new, NewKey)
    return new


def digest(new: NewKey) -> bytes:
    found = digest_of(new.text)
    assert found is not None
    return found


async def test_a_key_is_found_by_its_digest_and_is_nowhere_itself(ask: Ask, database: Database) -> None:
    new = await add(ask)
    found = await ask(api_keys.find, [digest(new), b"\0" * 32])
    assert list(found) == [digest(new)]
    assert found[digest(new)].caller == Caller(1, "main", Scope.WRITE, str(new.row.id))
    assert not found[digest(new)].is_revoked
    assert found[digest(new)].remaining_s is None
    assert new.text not in str(query(database, "SELECT api_key::text, digest::text FROM api_key"))


async def test_a_key_has_the_name_of_its_ledger(ask: Ask, database: Database) -> None:
    execute(database.owner_url, "INSERT INTO ledger (id, name) VALUES (7, 'shop')")
    new = await add(ask, ledger_id=7)
    found = await ask(api_keys.find, [digest(new)])
    assert found[digest(new)].caller == Caller(7, "shop", Scope.WRITE, str(new.row.id))
    assert await ask(api_keys.ledger_of, new.row.id) == 7
    assert await ask(api_keys.ledger_of, new.row.id + 1) is None


async def test_there_are_keys_once_one_was_made_and_for_ever(ask: Ask) -> None:
    assert not await ask(api_keys.exist)
    new = await add(ask, Scope.READ)
    assert await ask(api_keys.exist)
    await ask(api_keys.revoke, 1, new.row.id)
    assert await ask(api_keys.exist)


async def test_keys_are_shown_a_page_at_a_time_the_newest_first(ask: Ask) -> None:
    ids = [(await add(ask)).row.id for _ in range(5)]
    first = await ask(api_keys.page, 1, before=2**63 - 1, count=3)
    second = await ask(api_keys.page, 1, before=first[-1].id, count=3)
    assert [one.id for one in (*first, *second)] == ids[::-1]
    assert await ask(api_keys.page, 2, before=2**63 - 1, count=3) == []


async def test_a_key_expires_by_the_clock_of_the_database(ask: Ask, database: Database) -> None:
    new = await add(ask, lasts_s=60)
    found = await ask(api_keys.find, [digest(new)])
    assert 55 < found[digest(new)].remaining_s <= 60
    execute(database.owner_url, "UPDATE api_key SET expires_at = now() - interval '1 second'")
    (shown,) = await ask(api_keys.page, 1, before=2**63 - 1, count=3)
    assert shown.status == "expired"
    assert (await ask(api_keys.find, [digest(new)]))[digest(new)].remaining_s < 0


async def test_a_revoked_key_is_known_as_such_and_stays_so(ask: Ask) -> None:
    new = await add(ask)
    assert (await ask(api_keys.revoke, 1, new.row.id)).status == "active"
    (once_revoked,) = await ask(api_keys.page, 1, before=2**63 - 1, count=3)
    assert (await ask(api_keys.revoke, 1, new.row.id)).status == "revoked"
    assert await ask(api_keys.page, 1, before=2**63 - 1, count=3) == [once_revoked]
    assert (await ask(api_keys.find, [digest(new)]))[digest(new)].is_revoked


async def test_the_key_of_another_ledger_is_not_there(ask: Ask) -> None:
    new = await add(ask)
    assert await ask(api_keys.revoke, 2, new.row.id) is None
    assert await ask(api_keys.rotate, 2, new.row.id, overlap_s=0) is None
    assert not (await ask(api_keys.find, [digest(new)]))[digest(new)].is_revoked


async def test_the_last_admin_key_is_not_revoked_unless_it_is_meant(ask: Ask, database: Database) -> None:
    execute(database.owner_url, "INSERT INTO ledger (id, name) VALUES (7, 'shop')")
    first, second = await add(ask, Scope.ADMIN), await add(ask, Scope.ADMIN, lasts_s=60)
    await add(ask, Scope.WRITE)
    await add(ask, Scope.ADMIN, ledger_id=7)
    execute(database.owner_url, "UPDATE api_key SET expires_at = now() WHERE expires_at IS NOT NULL")
    await ask(api_keys.revoke, 1, second.row.id)  # which has expired, and was none any more
    with pytest.raises(LastAdminKey):
        await ask(api_keys.revoke, 1, first.row.id)
    await ask(api_keys.revoke, 1, first.row.id, even_the_last=True)
    assert (await ask(api_keys.find, [digest(first)]))[digest(first)].is_revoked


@pytest.mark.parametrize(
    ("revoked_s", "other_s", "is_stopped"),
    [
        (None, 1, True),
        (None, 10 * 365 * 86_400, True),
        (None, None, False),
        (3_600, 1, True),
        (3_600, 3_599, True),
        (3_600, 3_601, False),
        (3_600, None, False),
        (1, 3_600, False),
    ],
)
async def test_an_admin_key_that_lasts_less_long_is_no_other_one(
    ask: Ask, revoked_s: int | None, other_s: int | None, *, is_stopped: bool
) -> None:
    """Else the ledger would be without one as soon as that expires."""
    made = [await add(ask, Scope.ADMIN, lasts_s=lasts_s) for lasts_s in (revoked_s, other_s)]
    key_id = made[0].row.id
    if is_stopped:
        with pytest.raises(LastAdminKey):
            await ask(api_keys.revoke, 1, key_id)
        await add(ask, Scope.ADMIN)
    assert (await ask(api_keys.revoke, 1, key_id)).status == "active"


async def test_two_admin_keys_with_one_end_stand_for_each_other(ask: Ask, database: Database) -> None:
    first, _ = await add(ask, Scope.ADMIN), await add(ask, Scope.ADMIN)
    execute(database.owner_url, "UPDATE api_key SET expires_at = now() + interval '1 hour'")
    assert (await ask(api_keys.revoke, 1, first.row.id)).status == "active"


async def test_of_two_who_revoke_each_others_last_key_one_is_stopped(ask: Ask) -> None:
    for _ in range(10):
        keys = [await add(ask, Scope.ADMIN) for _ in range(2)]
        done = await asyncio.gather(*(ask(api_keys.revoke, 1, one.row.id) for one in keys), return_exceptions=True)
        assert [type(one) for one in done].count(LastAdminKey) == 1
        found = await ask(api_keys.find, [digest(one) for one in keys])
        (left,) = (one.caller.key_id for one in found.values() if not one.is_revoked)
        await ask(api_keys.revoke, 1, int(left), even_the_last=True)


async def test_a_rotated_key_is_good_for_a_while_beside_the_new_one(ask: Ask) -> None:
    old = await add(ask, Scope.ADMIN)
    new = await ask(api_keys.rotate, 1, old.row.id, overlap_s=600)
    assert (new.row.name, new.row.scope, new.row.expires_at) == ("till", Scope.ADMIN, None)
    found = await ask(api_keys.find, [digest(old), digest(new)])
    assert 590 < found[digest(old)].remaining_s <= 600
    assert 0 <= (new.old_expires_at - new.row.ctime).total_seconds() - 600 < 5
    assert found[digest(new)].remaining_s is None


async def test_a_key_in_place_of_one_that_expires_lasts_as_long_and_the_old_one_no_longer(ask: Ask) -> None:
    old = await add(ask, lasts_s=60)
    new = await ask(api_keys.rotate, 1, old.row.id, overlap_s=600)
    found = await ask(api_keys.find, [digest(old), digest(new)])
    assert all(50 < one.remaining_s <= 60 for one in found.values())
    assert new.old_expires_at == old.row.expires_at


@pytest.mark.parametrize("change", ["revoked_at = now()", "expires_at = now()"])
async def test_a_key_that_is_worthless_is_not_rotated(ask: Ask, database: Database, change: str) -> None:
    old = await add(ask)
    execute(database.owner_url, f"UPDATE api_key SET {change}")
    with pytest.raises(NotUsable):
        await ask(api_keys.rotate, 1, old.row.id, overlap_s=600)


async def test_a_use_is_noted_at_most_once_a_minute_and_waits_for_nobody(ask: Ask, database: Database) -> None:
    new, other = await add(ask), await add(ask)
    callers = [Caller(1, "main", Scope.WRITE, str(one.row.id)) for one in (new, other)]
    with psycopg.connect(database.owner_url) as stranger:
        stranger.execute("SELECT FROM koshel.api_key WHERE id = %s FOR UPDATE", [other.row.id])
        await ask(api_keys.note_used, callers)
    used = "SELECT last_used_at IS NOT NULL FROM api_key ORDER BY id"
    assert query(database, used) == [(True,), (False,)]
    execute(database.owner_url, "UPDATE api_key SET last_used_at = now() - interval '59 seconds' WHERE id = 1")
    await ask(api_keys.note_used, callers)
    late = "SELECT last_used_at > now() - interval '5 seconds' FROM api_key ORDER BY id"
    assert query(database, late) == [(False,), (True,)]
