"""Who a token is, as it is remembered: for how long, how much of it, and when it is forgotten."""

import time

import pytest

from koshel import api_keys
from koshel.access import authentication
from koshel.access.authentication import TRUSTED_DEAF_S, TRUSTED_S, Authentication
from koshel.callers import Unauthenticated
from koshel.db.access.api_keys import FoundKey
from tests.support.key_memory import CALLER, Clock, Database, remembering


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def database(clock: Clock) -> Database:
    database = Database(clock)
    database.noted = []
    return database


@pytest.fixture
def memory(database: Database) -> Authentication:
    return remembering(database)


async def refused(memory: Authentication, key: str) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await memory.find(key)
    return refusal.value.reason


async def test_a_key_is_looked_up_once_and_remembered(memory: Authentication, database: Database) -> None:
    key = database.add()
    assert memory.known(key) is None
    assert [await memory.find(key) for _ in range(3)] == [CALLER] * 3
    assert memory.known(key) == CALLER
    assert len(database.asked) == 1


@pytest.mark.parametrize(
    ("remaining_s", "is_revoked", "reason"), [(None, True, "revoked"), (0.0, False, "expired"), (5.0, True, "revoked")]
)
async def test_a_key_that_is_worthless_is_remembered_too(
    memory: Authentication, database: Database, remaining_s: float | None, *, is_revoked: bool, reason: str
) -> None:
    key = database.add(remaining_s, is_revoked=is_revoked)
    assert [await refused(memory, key) for _ in range(3)] == [reason] * 3
    with pytest.raises(Unauthenticated, match=reason):
        memory.known(key)
    assert len(database.asked) == 1


async def test_a_key_that_nobody_knows_is_looked_up_once(memory: Authentication, database: Database) -> None:
    key = api_keys.make()
    assert [await refused(memory, key) for _ in range(3)] == ["unknown"] * 3
    assert database.asked == [False]


@pytest.mark.parametrize("token", ["", "koshel_live_", "koshel_live_" + "0" * 49, "a" * 61, "é" * 61])
async def test_what_is_no_key_is_not_looked_up(memory: Authentication, database: Database, token: str) -> None:
    assert await refused(memory, token) == "malformed"
    assert database.asked == []


async def test_a_change_is_heard_of_and_only_that_key_forgotten(memory: Authentication, database: Database) -> None:
    key, other = database.add(), database.add()
    await memory.find(key)
    await memory.find(other)
    digest = api_keys.digest_of(key)
    assert digest is not None
    database.found[digest] = FoundKey(CALLER, is_revoked=True, remaining_s=None)
    memory.heard(digest.hex())
    database.clock.now += 0.001
    assert await refused(memory, key) == "revoked"
    assert memory.known(other) == CALLER
    memory.heard("")
    assert memory.known(other) is None


async def test_a_new_key_is_known_at_once_though_it_was_tried_before(
    memory: Authentication, database: Database
) -> None:
    key = database.add()
    found = dict(database.found)
    database.found.clear()
    assert await refused(memory, key) == "unknown"
    database.found.update(found)
    assert await refused(memory, key) == "unknown"
    memory.heard(next(iter(found)).hex())
    database.clock.now += 0.001
    assert await memory.find(key) == CALLER


async def test_what_was_asked_before_a_change_is_not_remembered(memory: Authentication, database: Database) -> None:
    key = database.add()
    database.before_it_answers = lambda: memory.heard("00" * 32)
    await memory.find(key)
    assert memory.known(key) is None
    database.before_it_answers = lambda: None
    database.clock.now += 0.001
    await memory.find(key)
    assert memory.known(key) == CALLER


@pytest.mark.parametrize(("hears", "lasts_s"), [(True, TRUSTED_S), (False, TRUSTED_DEAF_S)])
async def test_what_is_remembered_is_trusted_for_a_time(
    memory: Authentication, database: Database, *, hears: bool, lasts_s: float
) -> None:
    key, unknown = database.add(), api_keys.make()
    await memory.find(key)
    await refused(memory, unknown)
    database.hears = hears
    database.clock.now += lasts_s - 0.1
    assert memory.known(key) == CALLER
    with pytest.raises(Unauthenticated):
        memory.known(unknown)
    database.clock.now += 0.2
    assert memory.known(key) is None
    assert memory.known(unknown) is None
    database.asked.clear()
    await memory.find(key)
    await refused(memory, unknown)
    assert database.asked == [True, False], "what was a key has a place before what was none"


async def test_a_key_expires_when_the_database_said_whatever_the_clock_on_the_wall_does(
    memory: Authentication, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = database.add(remaining_s=10)
    await memory.find(key)
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a clock that was set back by years
    database.clock.now += 9.9
    assert memory.known(key) == CALLER
    database.clock.now += 0.2
    with pytest.raises(Unauthenticated, match="expired"):
        memory.known(key)


async def test_no_more_is_remembered_than_may_be(
    memory: Authentication, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "REMEMBERED_MAX", 3)
    keys = [database.add() for _ in range(4)]
    for key in keys:
        await memory.find(key)
        await refused(memory, api_keys.make())
    assert [memory.known(key) for key in keys] == [None, CALLER, CALLER, CALLER]
    assert (len(memory._good), len(memory._bad)) == (3, 3)


async def test_wrong_keys_push_no_right_one_out(memory: Authentication, database: Database) -> None:
    key = database.add()
    await memory.find(key)
    for _ in range(authentication.REMEMBERED_MAX + 10):
        await refused(memory, api_keys.make())
    assert memory.known(key) == CALLER


async def test_keys_are_asked_for_from_the_first_one_on(database: Database) -> None:
    memory = remembering(database, always=False)
    assert memory.asks is None
    assert await memory.check() is False
    assert memory.asks is False
    memory.heard("00" * 32)
    assert memory.asks is True
    assert await memory.check() is True


async def test_whether_there_are_keys_is_asked_again_after_a_while(database: Database) -> None:
    memory = remembering(database, always=False)
    await memory.check()
    database.hears = False
    database.clock.now += TRUSTED_DEAF_S - 0.1
    assert memory.asks is False
    database.clock.now += 0.2
    assert memory.asks is None
    database.keys_exist = True
    assert await memory.check() is True
    database.keys_exist = False
    database.clock.now += TRUSTED_S + 1
    assert memory.asks is True, "for ever"


async def test_who_listens_anew_asks_again_whether_there_are_keys(database: Database) -> None:
    memory = remembering(database, always=False)
    await memory.check()
    memory.heard("")
    assert memory.asks is None


async def test_the_use_of_a_key_is_noted_once_a_minute(memory: Authentication, database: Database) -> None:
    key = database.add()
    await memory.note()
    assert database.noted == []
    await memory.find(key)
    await memory.note()
    memory.known(key)
    await memory.note()
    assert database.noted == [[7]]
    database.clock.now += 55
    memory.known(key)
    database.clock.now += 6
    await memory.note()
    await memory.note()
    assert database.noted == [[7], [7]]


async def test_a_key_in_use_is_looked_up_again_before_it_is_too_old(memory: Authentication, database: Database) -> None:
    used, left = database.add(), database.add()
    await memory.find(used)
    await memory.find(left)
    await memory.note()
    for _ in range(4):
        database.clock.now += 50
        assert memory.known(used) == CALLER, "at once, whenever it comes"
        await memory.renew()
    assert memory.known(left) is None
    digest = api_keys.digest_of(used)
    assert digest is not None
    database.found[digest] = FoundKey(CALLER, is_revoked=True, remaining_s=None)
    database.clock.now += 50
    await memory.renew()
    with pytest.raises(Unauthenticated, match="revoked"):
        memory.known(used)


async def test_what_is_too_old_to_be_trusted_is_still_there_for_whoever_asks_for_it(
    memory: Authentication, database: Database, clock: Clock
) -> None:
    lasting, ending = database.add(), database.add(3_600.0)
    for key in (lasting, ending):
        await memory.find(key)
    clock.now += TRUSTED_S + 1
    assert memory.remembered(lasting.encode()) is None
    assert memory.remembered(lasting.encode(), even_if_old=True) == CALLER
    clock.now += 3_600.0
    assert memory.remembered(ending.encode(), even_if_old=True) is None, "it has expired"
    assert memory.remembered(api_keys.make().encode(), even_if_old=True) is None
