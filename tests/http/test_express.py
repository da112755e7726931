"""The express lane's own rules: who takes it, what waits, who is skipped, and what of aiohttp it relies on."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from aiohttp.web_protocol import RequestHandler

from koshel.db.embedded import Cluster
from koshel.http import express, protocol
from koshel.http.express import MOMENT_S, UNREAD_MAX
from koshel.lane import Overloaded
from tests.http.conftest import Lock, locking
from tests.support.lanes import ALWAYS, BYE, LANES, Lane, Room, Watched, Wire, cut, post, statuses

BODY = b'{"amount": 1}'
NOTHING = f"/account/{ALWAYS + 1}/withdrawal"  # refused, as there is nothing
PAYMENT = post(f"/account/{ALWAYS}/payment", BODY)


@pytest.fixture
def lock(cluster: Cluster) -> Lock:
    """Keeps an account's row locked in the ledger of the express lane."""
    return locking(cluster.url(database=LANES[1]))


def connect(room: Room) -> tuple[Watched, Wire]:
    async def connected() -> tuple[Watched, Wire]:
        connection, wire = room.lanes.express.connect()
        assert isinstance(connection, Watched)
        await asyncio.sleep(0.01)
        return connection, wire

    return room.run(connected())


def wait(room: Room, seconds: float = 0.0) -> None:
    room.run(asyncio.sleep(seconds))


def wait_for(room: Room, happened: Callable[[], bool]) -> None:
    async def until() -> None:
        async with asyncio.timeout(30):
            while not happened():  # noqa: ASYNC110  it is no event that anybody tells of
                await asyncio.sleep(0.005)

    room.run(until())


def version(room: Room, account_id: int = ALWAYS) -> int:
    asked = b"GET /account/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % account_id
    answers = room.run(room.lanes.express.say([asked, BYE]))[1]
    account = json.loads(answers.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0])
    return int(account["version"])


@pytest.mark.parametrize(
    "pieces",
    [
        [PAYMENT],
        [PAYMENT.removesuffix(BODY), BODY],
        cut(PAYMENT, [20, 60, 100]),
        [post(f"/account/{ALWAYS}/payment", BODY, "X-Request-Id: mine", "Idempotency-Key: express-1")],
        [post(f"/account/{ALWAYS}/payment", BODY, "idempotency-key: express-2", "Accept-Encoding: gzip")],
        [PAYMENT.replace(b"application/json", b"application/json; charset=utf-8")],
        [post("/transaction/1/void", b"{}")],
        [b"POST /transaction/1/void HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
    ],
)
def test_what_is_plain_takes_the_express_lane_in_however_many_pieces(room: Room, pieces: list[bytes]) -> None:
    connection, answers = room.run(room.lanes.express.say([*pieces, BYE]))
    assert isinstance(connection, Watched)
    assert len(connection.taken) == 1, answers


@pytest.mark.parametrize(
    "sent",
    [
        post(f"/account/{ALWAYS}/payment?dry_run=true", BODY),
        post(f"/account/{ALWAYS}/payment", BODY, "Prefer: respond-async"),
        post(f"/account/{ALWAYS}/payment", BODY, "Expect: 100-continue"),
        post(f"/account/{ALWAYS}/payment", BODY, "X-Unknown: 1"),
        post(f"/account/{ALWAYS}/payment", BODY, "Idempotency-Key: two words"),
        post(f"/account/{ALWAYS}/payment", BODY, "Idempotency-Key: a", "idempotency-key: a"),
        post(f"/account/{ALWAYS}/payment", b'{"amount": 0}'),
        post(f"/account/{ALWAYS}/payment", b'{"amout": 1}'),
        post("/account", b'{"email": "ann@example.com"}'),
        post("/transaction/batch", b'{"transactions": []}'),
        b"GET /account/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        PAYMENT.replace(b" HTTP/1.1", b" HTTP/1.0"),
    ],
)
def test_all_else_goes_to_aiohttp_and_the_next_is_plain_again(room: Room, sent: bytes) -> None:
    connection, wire = connect(room)
    connection.data_received(sent)
    wait_for(room, lambda: bool(wire.sent))
    if not wire.is_closing():
        wait(room, 0.01)
        connection.data_received(PAYMENT)
        wait_for(room, lambda: wire.sent.endswith(b"}") and wire.sent.count(b"HTTP/1.1 ") > 1)
        assert connection.taken == ([PAYMENT] if b"HTTP/1.0" not in sent else [])
    wire.close()
    wait(room, 0.01)


def test_a_body_that_is_still_under_way_after_a_moment_is_waited_for_by_aiohttp(room: Room) -> None:
    connection, wire = connect(room)
    head, body = PAYMENT.split(b"{")
    connection.data_received(head)
    wait(room, MOMENT_S * 3)
    connection.data_received(b"{" + body)
    wait_for(room, lambda: b"201 Created" in wire.sent)
    assert connection.taken == []
    wait(room, 0.01)
    connection.data_received(PAYMENT)
    wait_for(room, lambda: wire.sent.count(b"201 Created") == 2)
    assert connection.taken == [PAYMENT], "what comes next is plain again"
    wire.close()
    wait(room, 0.01)


def test_who_hangs_up_before_the_batch_leaves_has_not_asked(room: Room, lock: Lock) -> None:
    before = version(room)
    first, second = connect(room), connect(room)
    with lock(ALWAYS):
        first[0].data_received(PAYMENT)
        wait(room, 0.05)  # it is in flight, and waits for the row
        second[0].data_received(PAYMENT)
        wait(room, 0.05)
        second[1].close()
        wait(room, 0.05)
    wait_for(room, lambda: b"201 Created" in first[1].sent)
    assert second[1].sent == b""
    assert version(room) == before + 1
    first[1].close()
    wait(room, 0.01)


def test_who_hangs_up_after_that_is_not_answered_and_disturbs_nobody(room: Room, lock: Lock) -> None:
    before = version(room)
    (gone, gone_wire), (other, wire) = connect(room), connect(room)
    with lock(ALWAYS):
        gone.data_received(PAYMENT)
        wait(room, 0.05)
        gone_wire.close()
        other.data_received(PAYMENT)
        wait(room, 0.05)
    wait_for(room, lambda: b"201 Created" in wire.sent)
    assert gone_wire.sent == b""
    assert version(room) == before + 2
    wire.close()
    wait(room, 0.01)


def test_who_does_not_take_the_answers_is_asked_for_no_more(room: Room) -> None:
    connection, wire = connect(room)
    connection.pause_writing()
    connection.data_received(PAYMENT * 3)
    wait(room, 0.1)
    assert wire.sent == b""
    connection.resume_writing()
    wait_for(room, lambda: wire.sent.count(b"201 Created") == 3)
    wire.close()
    wait(room, 0.01)


def test_what_is_sent_behind_a_request_is_read_only_up_to_a_limit(room: Room, lock: Lock) -> None:
    connection, wire = connect(room)
    many = UNREAD_MAX // len(PAYMENT) + 2
    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        wait(room, 0.02)
        assert wire.reading.is_set()
        connection.data_received(PAYMENT * many)
        assert not wire.reading.is_set()
    wait_for(room, wire.reading.is_set)
    wait_for(room, lambda: wire.sent.count(b"201 Created") == many + 1)
    wire.close()
    wait(room, 0.01)


@pytest.mark.parametrize("lane", ["plain", "express"])
def test_a_pipeline_of_ten_thousand_is_answered_in_order(room: Room, lane: str) -> None:
    count, size = 10_000, 65_536
    sent = b"".join(post(NOTHING, BODY, f"X-Request-Id: n{number}") for number in range(count)) + BYE
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    chosen: Lane = getattr(room.lanes, lane)
    answers = room.run(chosen.say(pieces, within_s=240))[1]
    names = [line for line in answers.split(b"\r\n") if line.startswith(b"X-Request-Id: n")]
    assert names == [b"X-Request-Id: n%d" % number for number in range(count)]


def test_a_pipeline_in_front_of_a_queue_that_is_full_is_answered_without_going_deeper(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Overloaded

    connection, wire = connect(room)
    monkeypatch.setattr(connection._batcher, "send", refuse)
    connection.data_received(PAYMENT * 5_000)
    assert statuses(bytes(wire.sent)) == [503] * 5_000
    wire.close()
    wait(room, 0.01)


def test_an_answer_that_cannot_be_sent_is_its_own_connections_trouble(
    room: Room, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version(room)
    (broken, broken_wire), (other, wire) = connect(room), connect(room)

    def fail(_: bytes) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(broken_wire, "write", fail)
    with lock(ALWAYS):
        for connection in (broken, other):
            connection.data_received(PAYMENT)
        wait(room, 0.05)
    wait_for(room, lambda: b"201 Created" in wire.sent)
    wait_for(room, broken_wire.is_closing)
    assert version(room) == before + 2
    wire.close()
    wait(room, 0.01)


def test_an_idle_connection_is_not_closed_while_an_answer_is_under_way(room: Room, lock: Lock) -> None:
    connection, wire = connect(room)
    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        wait(room, 0.02)
        connection._next_keepalive_close_time = 0.0
        connection._process_keepalive()
        assert not wire.is_closing()
    wait_for(room, lambda: b"201 Created" in wire.sent)
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()
    assert wire.is_closing()
    wait(room, 0.01)


def test_a_stop_answers_what_is_under_way_and_takes_no_more(room: Room, cluster: Cluster) -> None:
    connection, wire = connect(room)

    async def stop() -> None:
        connection.close()
        stopping = asyncio.ensure_future(connection.shutdown(20))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        connection.data_received(PAYMENT)
        blocker.close()
        await stopping

    with psycopg.connect(cluster.url(database=LANES[1])) as blocker:
        blocker.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ALWAYS])
        connection.data_received(PAYMENT)
        wait(room, 0.05)
        room.run(stop())
    assert statuses(bytes(wire.sent)) == [201]
    assert wire.is_closing()
    wait(room, 0.01)


def test_a_stop_does_not_wait_for_who_hangs_up(room: Room, lock: Lock) -> None:
    connection, wire = connect(room)

    async def stop() -> None:
        stopping = asyncio.ensure_future(connection.shutdown(60))
        await asyncio.sleep(0.05)
        wire.close()
        async with asyncio.timeout(20):
            await stopping

    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        wait(room, 0.05)
        room.run(stop())


# What of aiohttp's connections this lane and `protocol` rely on that is nobody's but aiohttp's.
PRIVATE = {
    "_buffer_paused",
    "_close",
    "_loop",
    "_next_keepalive_close_time",
    "_pause_reading_for_buffer",
    "_paused",
    "_process_keepalive",
    "_reading_paused",
    "_resume_reading_for_buffer",
    "_waiter",
}


def test_aiohttp_still_has_what_is_relied_on_and_this_is_all_of_it() -> None:
    assert aiohttp.__version__.startswith("3.14."), "another minor version: read its web_protocol.py, then this list"
    sources = Path(express.__file__).read_text() + Path(protocol.__file__).read_text()
    used = {name for name in re.findall(r"\b_[a-z]\w+", sources) if hasattr(RequestHandler, name)}
    assert used == PRIVATE
