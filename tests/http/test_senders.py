"""Requests of whose sender nothing is known yet: the express lane looks them up itself, and refuses them at leisure."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from koshel import api_keys
from koshel.access.authentication import Authentication
from koshel.db.errors import Crowded, DatabaseUnavailable
from koshel.http.rests import UNKNOWN_PER_S
from tests.support.database import Database
from tests.support.express_lane import ask, payment, served
from tests.support.keyed import new_key
from tests.support.ways import BYE, SETTINGS, Way, statuses

WRONG = 200


@pytest.fixture
async def right(database: Database) -> str:
    return (await new_key(database.service_url, "write")).text


@pytest.fixture
async def way(database: Database, right: str) -> AsyncIterator[Way]:
    async for way in served(database, SETTINGS, right):
        yield way


async def test_a_key_that_is_new_to_a_process_is_taken_and_a_wrong_one_refused_without_aiohttp(
    way: Way, database: Database
) -> None:
    new = await new_key(database.service_url, "write")
    assert [(await ask(way, payment(new.text)))[:2] for _ in range(2)] == [(201, True)] * 2
    wrong = api_keys.make()
    first, again, other = [await ask(way, payment(wrong, *lines)) for lines in ([], [], ["X-Unknown: 1"])]
    assert [one[:2] for one in (first, again, other)] == [(401, True), (401, True), (401, False)]
    assert first[2] == again[2] == other[2]


async def test_a_key_that_may_only_read_is_told_so_by_aiohttp(way: Way, database: Database) -> None:
    reader = await new_key(database.service_url, "read")
    assert [(await ask(way, payment(reader.text)))[:2] for _ in range(2)] == [(403, False)] * 2


async def test_what_is_pipelined_behind_a_look_up_is_answered_after_it(way: Way, right: str) -> None:
    _, sent = await way.say(
        [payment(api_keys.make()) + payment(right) + payment(api_keys.make()), payment(right) + BYE]
    )
    assert statuses(sent) == [401, 201, 401, 201, 200]


@pytest.mark.parametrize(
    ("error", "code"), [(DatabaseUnavailable("away"), b"database-unavailable"), (Crowded("many"), b"overloaded")]
)
async def test_a_look_up_that_fails_is_answered_alike_in_both_lanes(
    way: Way, monkeypatch: pytest.MonkeyPatch, right: str, error: Exception, code: bytes
) -> None:
    async def fail(_: Authentication, __: str) -> None:
        raise error

    monkeypatch.setattr(Authentication, "find", fail)
    new = api_keys.make()
    plain, other = await ask(way, payment(new)), await ask(way, payment(new, "X-Unknown: 1"))
    assert [one[:2] for one in (plain, other)] == [(503, True), (503, False)]
    assert plain[2] == other[2]
    assert code in plain[2]
    assert (await ask(way, payment(right)))[:2] == (201, True), "what is known needs no look-up"


async def test_a_fault_of_ours_is_left_to_aiohttp(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Authentication, __: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Authentication, "find", fail)
    with capture_logs() as log:  # elsewhere tests show what was in variables
        assert (await ask(way, payment(api_keys.make())))[:2] == (500, False)
    assert [line["log_level"] for line in log] == ["error"]


async def test_who_hangs_up_during_a_look_up_is_not_answered_and_has_not_asked(
    way: Way, monkeypatch: pytest.MonkeyPatch, database: Database, right: str
) -> None:
    new, go_on = await new_key(database.service_url, "write"), asyncio.Event()
    find = Authentication.find

    async def late(authentication: Authentication, token: str) -> object:
        await go_on.wait()
        return await find(authentication, token)

    monkeypatch.setattr(Authentication, "find", late)
    connection, wire = await way.connect()
    connection.data_received(payment(new.text))
    await asyncio.sleep(0.01)
    wire.close()
    await wire.closed
    go_on.set()
    monkeypatch.undo()
    await asyncio.sleep(0.1)
    assert wire.sent == b""
    _, account = await way.say(
        [b"GET /account/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + right.encode() + b"\r\n\r\n" + BYE]
    )
    assert b'"balance":"0.00"' in account


async def test_refusals_of_wrong_keys_have_a_rate_and_right_keys_do_not_wait_for_them(way: Way, right: str) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    wrong = [asyncio.create_task(ask(way, payment(api_keys.make()))) for _ in range(WRONG)]
    await asyncio.sleep(0.01)
    assert (await ask(way, payment(right)))[0] == 201
    assert not all(one.done() for one in wrong)
    assert {status for status, _, _ in await asyncio.gather(*wrong)} == {401}
    assert loop.time() - began >= (WRONG - 2) / UNKNOWN_PER_S


async def test_a_key_that_is_new_does_not_wait_for_wrong_ones_from_the_same_address(
    way: Way, database: Database
) -> None:
    wrong = [asyncio.create_task(ask(way, payment(api_keys.make()))) for _ in range(WRONG)]
    await asyncio.sleep(0.01)
    new = await new_key(database.service_url, "write")
    assert (await ask(way, payment(new.text)))[:2] == (201, True)
    assert sum(one.done() for one in wrong) < 0.9 * WRONG, "it does not come after all of them"
    await asyncio.gather(*wrong)


async def test_a_stop_does_not_wait_for_the_turn_of_refusals(way: Way) -> None:
    opened = [await way.connect() for _ in range(WRONG)]
    for connection, _ in opened:
        connection.data_received(payment(api_keys.make()))
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    late = [(connection, wire) for connection, wire in opened if not wire.sent]
    assert late, "some still wait"
    await way._runner.app.shutdown()
    began = loop.time()
    await asyncio.gather(*(connection.shutdown(5) for connection, _ in late))
    assert loop.time() - began < len(late) / UNKNOWN_PER_S
    assert {bytes(wire.sent[:12]) for _, wire in late} == {b"HTTP/1.1 401"}


@pytest.mark.alone
@pytest.mark.parametrize("lane", [(), ("X-Unknown: 1",)], ids=["express", "aiohttp"])
async def test_behind_a_trusted_proxy_each_client_has_its_own_rate(
    database: Database, right: str, lane: tuple[str, ...]
) -> None:
    chosen = replace(SETTINGS, trusted_proxies="127.0.0.1")
    async for way in served(database, chosen, right):
        many = [payment(api_keys.make(), "X-Forwarded-For: 203.0.113.1", *lane) for _ in range(WRONG)]
        wrong = [asyncio.create_task(ask(way, one)) for one in many]
        await asyncio.sleep(0.01)
        assert (await ask(way, payment(api_keys.make(), "X-Forwarded-For: 203.0.113.2", *lane)))[0] == 401
        assert sum(one.done() for one in wrong) < 0.9 * WRONG, "it does not come after all of them"
        await asyncio.gather(*wrong)
