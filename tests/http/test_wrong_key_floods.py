"""Wrong keys over new connections: those that wait to be refused make room for others, and each refusal is counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from koshel import api_keys
from koshel.config.proxies import Proxies
from koshel.http.connection.access import Answered
from koshel.http.connection.watch import Watch
from koshel.http.server import LIMITS
from koshel.telemetry import metrics
from tests.support.database import Database
from tests.support.express_lane import ask, payment, served
from tests.support.keyed import new_key
from tests.support.ways import SETTINGS, Watched, Way, Wire, statuses

CONNECTIONS = 40  # that the worker may have
WRONG = 200  # wrong keys, of which most wait for most of a second
AT_ONCE = 10  # of which the keys are looked up together

LANES = pytest.mark.parametrize("lane", [(), ("X-Unknown: 1",)], ids=["express", "aiohttp"])


class Log:
    """An access log that keeps what it is told."""

    def __init__(self) -> None:
        self.proxies = Proxies("")
        self.lines: list[Answered] = []

    def write(self, one: Answered) -> None:
        self.lines.append(one)

    def refused(self) -> list[Answered]:
        return [one for one in self.lines if one.status == 401]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reasons: list[str] = []
    monkeypatch.setattr(metrics, "key_refused", reasons.append)
    return reasons


@pytest.fixture
async def right(database: Database) -> str:
    return (await new_key(database.service_url, "write")).text


@pytest.fixture
async def way(database: Database, right: str, log: Any) -> AsyncIterator[Way]:
    async for way in served(database, SETTINGS, right, Watch(log, counts=False), CONNECTIONS):
        yield way


async def send(way: Way, requests: Sequence[bytes], lane: tuple[str, ...]) -> list[Wire]:
    """Send requests with wrong keys, each over a new connection; return when it is known that they are refused."""
    opened = [await way.connect() for _ in requests]
    for _ in range(3):  # aiohttp begins: before that nothing comes to the express lane
        await asyncio.sleep(0)
    for (connection, _), request in zip(opened, requests, strict=True):
        connection.data_received(request)
    waiting = way._runner.app[LIMITS].rests.waiting
    async with asyncio.timeout(30):
        while not all(one in waiting or wire.sent or wire.is_closing() for one, wire in opened):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    for one, wire in opened:
        assert isinstance(one, Watched)
        assert bool(one.taken) is not bool(lane) or wire.is_closing()
    return [wire for _, wire in opened]


@LANES
async def test_beside_wrong_keys_over_new_connections_all_others_are_answered(
    way: Way, right: str, log: Log, counted: list[str], lane: tuple[str, ...]
) -> None:
    kept, answers = await way.connect()
    wrong: list[Wire] = []
    for number in range(WRONG // AT_ONCE):
        wrong += await send(way, [payment(api_keys.make(), *lane) for _ in range(AT_ONCE)], lane)
        assert (await ask(way, payment(right)))[0] == 201
        if number % 5 == 0:  # meanwhile it is idle
            kept.data_received(payment(right))
    async with asyncio.timeout(30):
        while len(statuses(bytes(answers.sent))) < WRONG // AT_ONCE // 5:  # noqa: ASYNC110  a wire has no event
            await asyncio.sleep(0.001)
    assert set(statuses(bytes(answers.sent))) == {201}
    assert not answers.is_closing()
    answers.close()
    cut_off = [wire for wire in wrong if wire.is_closing() and not wire.sent]
    assert len(cut_off) > WRONG / 2, "those that wait make room"
    for wire in wrong:
        wire.close()
        await wire.closed
    await asyncio.sleep(0.01)
    assert len(log.refused()) == len(counted) == WRONG
    assert not way._runner.app[LIMITS].rests.waiting


@LANES
async def test_a_refusal_is_counted_once_if_its_client_hangs_up_and_what_is_pipelined_is_not_done(
    way: Way, right: str, log: Log, counted: list[str], lane: tuple[str, ...]
) -> None:
    misspelt = payment("koshel_live_none", *lane)
    wires = await send(way, [misspelt + payment(right)] * (CONNECTIONS - 1), lane)
    unsent = [wire for wire in wires if not wire.sent]
    assert unsent
    for wire in unsent:
        wire.close()
        await wire.closed
    await asyncio.sleep(0.1)
    assert not any(wire.sent for wire in unsent)
    for wire in wires:
        wire.close()
        await wire.closed
    assert counted == ["malformed"] * len(wires)
    assert [(one.code, one.remote) for one in log.refused()] == [("unauthorized", "127.0.0.1")] * len(wires)
    assert max(one.duration_s for one in log.refused()) < 0.05, "their wait is none of the time that they took"
    paid = [one for one in log.lines if one.status == 201 and one.path == "/account/1/payment"]
    assert len(paid) <= len(wires) - len(unsent)
