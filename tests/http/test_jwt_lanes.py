"""JWTs in the express lane: what is known is answered there, and so is what must be cheap."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from koshel.access import verifications
from koshel.config.settings import Settings
from tests.support.database import Database
from tests.support.express_lane import ask, payment, served
from tests.support.jwt_issuer import AUDIENCE, ISSUER, jwks
from tests.support.keyed import new_key, new_ledger
from tests.support.ways import SETTINGS, Way
from tests.support.wrong_jwts import OURS, WRONG

CHEAP = {  # these are refused before anything is verified
    *("two parts", "four parts", "a header that is no JSON", "unsigned", "signed with the public key"),
    *("something critical that is not known", "of a key of another type"),
}


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks(OURS))
    return replace(SETTINGS, jwt_issuer=ISSUER, jwt_audience=AUDIENCE, jwt_keys=str(file), rate_window_s=100)


@pytest.fixture
async def way(database: Database, chosen: Settings) -> AsyncIterator[Way]:
    async for way in served(database, chosen, OURS.sign()):
        yield way


async def test_what_is_right_is_answered_without_aiohttp_from_the_first_time(way: Way) -> None:
    token = OURS.sign(sub="new")
    assert [(await ask(way, payment(token)))[:2] for _ in range(3)] == [(201, True)] * 3


@pytest.mark.parametrize("name", sorted(CHEAP))
async def test_what_cannot_be_right_is_refused_there_from_the_first_time(way: Way, name: str) -> None:
    status, is_taken, _ = await ask(way, payment(WRONG[name][1]()))
    assert (status, is_taken) == (401, True)


async def test_what_has_to_be_verified_first_is_refused_there_too_and_as_aiohttp_does(way: Way) -> None:
    token = OURS.sign(aud="x")
    answers = [await ask(way, payment(token)), await ask(way, payment(token)), await ask(way, payment(token, "X-A: 1"))]
    assert [one[:2] for one in answers] == [(401, True), (401, True), (401, False)]
    assert answers[0][2] == answers[1][2] == answers[2][2]


async def test_what_is_new_is_overloaded_in_both_lanes_when_too_many_wait_and_what_is_known_is_not(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, new = OURS.sign(sub="known"), OURS.sign(sub="new")
    assert (await ask(way, payment(known)))[0] == 201
    monkeypatch.setattr(verifications, "WAITING_MAX", 0)
    plain, other = await ask(way, payment(new)), await ask(way, payment(new, "X-Unknown: 1"))
    assert (plain[:2], other[:2]) == ((503, True), (503, False))
    assert plain[2] == other[2]
    assert b'"code":"overloaded"' in plain[2]
    assert (await ask(way, payment(known)))[:2] == (201, True)


async def test_while_the_issuers_keys_cannot_be_had_both_lanes_say_so_and_cheaply(
    database: Database, chosen: Settings
) -> None:
    key = await new_key(database.service_url, "write")
    nowhere = replace(chosen, jwt_keys="http://127.0.0.1:1/")
    async for way in served(database, nowhere, key.text):
        plain = [await ask(way, payment(OURS.sign())) for _ in range(2)]
        other = await ask(way, payment(OURS.sign(), "X-Unknown: 1"))
        assert [one[:2] for one in (*plain, other)] == [(503, True), (503, True), (503, False)]
        assert plain[0][2] == plain[1][2] == other[2]
        assert b'"code":"issuer-unavailable"' in other[2]
        assert (await ask(way, payment(key.text)))[:1] == (201,)


async def test_a_subject_has_one_rate_however_many_tokens_it_has(database: Database, chosen: Settings) -> None:
    await new_ledger(database.service_url, "shop")
    async for way in served(database, replace(chosen, rate_per_key=1, rate_window_s=4), OURS.sign()):
        for sub, ledger in (("a", "main"), ("b", "main"), ("a", "shop")):
            tokens = [OURS.sign(sub=sub, koshel_ledger=ledger, jti=str(number)) for number in range(6)]
            found = [(await ask(way, payment(token)))[0] for token in tokens]
            assert found == [201 if ledger == "main" else 404] * 4 + [429] * 2
