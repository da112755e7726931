"""Who a JWT is, as it is remembered: verified once, and forgotten when its key, its ledger or its time has gone."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace

import pytest

from koshel.access import jwt_callers, jwts
from koshel.access.authentication import RENEWED_S, TRUSTED_S, Authentication
from koshel.access.jwt_callers import REFUSED_S
from koshel.access.jwts import LEEWAY_S, VERIFIED_MAX_S, Claims
from koshel.access.signing_keys import SigningKeys
from koshel.callers import Caller, Scope, Unauthenticated
from koshel.db.errors import StoreError
from tests.support.jwt_issuer import signer
from tests.support.jwt_memory import World, jwts_of, remembering

KEY, NEXT = signer("key"), signer("next")
TILL = Caller(1, "main", Scope.WRITE, "jwt:till-7")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was verified."""
    tokens: list[str] = []
    claims_of = jwts.claims_of

    def noted(token: str, *rest: object) -> Claims:
        tokens.append(token)
        return claims_of(token, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(jwts, "claims_of", noted)
    return tokens


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch, KEY)


@pytest.fixture
async def memory(world: World) -> Authentication:
    return await remembering(world)


async def refused(memory: Authentication, token: str) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await memory.find(token)
    return refusal.value.reason


async def test_one_is_verified_once_and_found_as_a_key_is(
    memory: Authentication, world: World, verified: list[str]
) -> None:
    token = KEY.sign()
    assert memory.remembered(token.encode()) is None
    assert memory.known(token) is None
    assert [await memory.find(token) for _ in range(3)] == [TILL] * 3
    assert memory.known(token) == memory.remembered(token.encode()) == TILL
    assert (verified, world.asked) == ([token], ["main"])


async def test_one_that_comes_often_at_once_is_verified_once(memory: Authentication, verified: list[str]) -> None:
    token = KEY.sign()
    assert await asyncio.gather(*[memory.find(token) for _ in range(20)]) == [TILL] * 20
    assert verified == [token]


async def test_it_ends_when_it_says_whatever_the_clock_on_the_wall_does(
    memory: Authentication, world: World, verified: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = KEY.sign(exp=int(time.time()) + 10)
    await memory.find(token)
    world.now += 10 + LEEWAY_S - 2
    assert memory.remembered(token.encode()) == TILL
    world.now += 3
    assert memory.remembered(token.encode()) is None
    later = time.time() + 10 + LEEWAY_S + 1
    monkeypatch.setattr("jwt.api_jwt.datetime", SimpleNamespace(now=lambda tz: datetime.fromtimestamp(later, tz)))
    assert await refused(memory, token) == "jwt-expired"
    assert len(verified) == 2


async def test_one_that_lasts_long_is_verified_again_after_an_hour(
    memory: Authentication, world: World, verified: list[str]
) -> None:
    token = KEY.sign(exp=int(time.time()) + 10**6)
    await memory.find(token)
    for _ in range(int(VERIFIED_MAX_S / 50) + 1):
        world.now += 50
        await memory.renew()
        await memory.find(token)
    assert len(verified) == 2


async def test_a_refusal_is_remembered_for_a_moment(memory: Authentication, world: World, verified: list[str]) -> None:
    token = KEY.sign(aud="x")
    assert [await refused(memory, token) for _ in range(3)] == ["jwt-audience"] * 3
    with pytest.raises(Unauthenticated, match="jwt-audience"):
        memory.known(token)
    assert len(verified) == 1
    world.now += REFUSED_S
    assert await refused(memory, token) == "jwt-audience"
    assert len(verified) == 2


async def test_a_ledger_that_is_made_later_is_found(memory: Authentication, world: World) -> None:
    token = KEY.sign(koshel_ledger="shop")
    assert await refused(memory, token) == "jwt-ledger"
    world.ledgers["shop"] = 7
    assert await refused(memory, token) == "jwt-ledger"
    world.now += REFUSED_S
    assert (await memory.find(token)).ledger_id == 7


async def test_what_is_signed_by_a_key_that_has_gone_ends_and_nothing_else(
    memory: Authentication, world: World, verified: list[str]
) -> None:
    old, new = KEY.sign(), NEXT.sign()
    await memory.find(old)
    world.signers = KEY, NEXT
    assert await memory.find(new) == TILL, "a key that is not known is looked for"
    assert memory.remembered(old.encode()) == TILL
    world.signers = (NEXT,)
    await jwts_of(memory).issuer.look()
    assert memory.remembered(old.encode()) is None
    assert memory.remembered(new.encode()) == TILL
    assert await refused(memory, old) == "jwt-signing-key"
    assert verified == [old, new]


async def test_a_key_that_goes_while_one_is_verified_leaves_nothing_behind(
    memory: Authentication, world: World
) -> None:
    token = KEY.sign()
    world.before_it_answers = lambda: jwts_of(memory).issuer._take(SigningKeys([]))
    await memory.find(token)
    assert memory.remembered(token.encode()) is None
    assert jwts_of(memory).good == {}


async def test_its_ledger_is_looked_up_again_as_often_as_keys_are_and_it_is_not_verified_again(
    memory: Authentication, world: World, verified: list[str]
) -> None:
    token = KEY.sign()
    await memory.find(token)
    world.now += TRUSTED_S + 1
    assert memory.remembered(token.encode()) is None
    assert memory.known(token) is None
    assert await memory.find(token) == TILL
    assert (len(verified), world.asked) == (1, ["main", "main"])


async def test_one_in_use_never_waits_for_that(memory: Authentication, world: World, verified: list[str]) -> None:
    used, left = KEY.sign(), KEY.sign(sub="left")
    await memory.find(used)
    await memory.find(left)
    for _ in range(4):
        world.now += RENEWED_S + 1
        assert memory.remembered(used.encode()) == TILL, "at once, whenever it comes"
        await memory.renew()
    assert memory.remembered(left.encode()) is None
    assert len(verified) == 2


def rename(world: World) -> None:
    world.ledgers = {"main-2": 1}


def replace(world: World) -> None:
    world.ledgers = {"main-2": 1, "main": 2}


@pytest.mark.parametrize(("change", "ledger_id"), [(rename, None), (replace, 2)])
@pytest.mark.parametrize("is_heard", [True, False])
async def test_a_ledger_that_was_renamed_ends_it(
    memory: Authentication, world: World, change: Callable[[World], None], ledger_id: int | None, *, is_heard: bool
) -> None:
    token = KEY.sign()
    await memory.find(token)
    change(world)
    if is_heard:
        world.now += 0.001
        memory.heard("")
    else:
        world.now += RENEWED_S + 1
        await memory.renew()
    world.now += 0.001
    if ledger_id is None:
        assert await refused(memory, token) == "jwt-ledger"
    else:
        assert (await memory.find(token)).ledger_id == ledger_id
        assert memory.remembered(token.encode()) == Caller(ledger_id, "main", Scope.WRITE, "jwt:till-7")


async def test_what_was_asked_before_a_change_is_not_trusted(memory: Authentication, world: World) -> None:
    token = KEY.sign()
    world.before_it_answers = lambda: memory.heard("")
    await memory.find(token)
    assert memory.remembered(token.encode()) is None
    world.before_it_answers = lambda: None
    world.now += 0.001
    await memory.find(token)
    assert memory.remembered(token.encode()) == TILL


async def test_a_key_that_changes_is_nothing_to_it(memory: Authentication) -> None:
    token = KEY.sign()
    await memory.find(token)
    memory.heard("00" * 32)
    assert memory.remembered(token.encode()) == TILL


async def test_a_database_that_is_away_refuses_nobody_for_good(memory: Authentication, world: World) -> None:
    token = KEY.sign()
    world.is_away = True
    with pytest.raises(StoreError):
        await memory.find(token)
    world.is_away = False
    assert await memory.find(token) == TILL


async def test_no_more_is_remembered_than_may_be(memory: Authentication, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt_callers, "REMEMBERED_MAX", 3)
    tokens = [KEY.sign(jti=str(number)) for number in range(5)]
    for token in tokens:
        await memory.find(token)
        await refused(memory, KEY.sign(aud=token))
    known = jwts_of(memory)
    assert [memory.remembered(token.encode()) for token in tokens] == [None, None, TILL, TILL, TILL]
    assert (len(known.good), len(known._refused)) == (3, 3)


async def test_what_has_ended_is_forgotten(memory: Authentication, world: World) -> None:
    await memory.find(KEY.sign(exp=int(time.time()) + 10))
    world.now += 10 + LEEWAY_S + 1
    await memory.renew()
    assert jwts_of(memory).good == {}
