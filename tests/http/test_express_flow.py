"""What waits in the express lane, who is skipped, and how it stops."""

import asyncio
from typing import Any

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.errors import Overloaded
from koshel.http.connection.express import UNREAD_MAX
from tests.http.conftest import Lock, locking
from tests.support.room import Room
from tests.support.ways import ALWAYS, BYE, WAYS, Way, post, statuses

BODY = b'{"amount": 1}'
NOTHING = f"/account/{ALWAYS + 1}/withdrawal"  # refused, as there is nothing
PAYMENT = post(f"/account/{ALWAYS}/payment", BODY)


@pytest.fixture
def lock(cluster: Cluster) -> Lock:
    """Keeps an account's row locked in the ledger of the express lane."""
    return locking(cluster.url(database=WAYS[1]))


def test_who_hangs_up_before_the_batch_leaves_has_not_asked(room: Room, lock: Lock) -> None:
    before = room.version(ALWAYS)
    first, second = room.connect(), room.connect()
    with lock(ALWAYS):
        first[0].data_received(PAYMENT)
        room.wait(0.05)  # it is in flight, and waits for the row
        second[0].data_received(PAYMENT)
        room.wait(0.05)
        second[1].close()
        room.wait(0.05)
    room.wait_for(lambda: b"201 Created" in first[1].sent)
    assert second[1].sent == b""
    assert room.version(ALWAYS) == before + 1
    first[1].close()
    room.wait(0.01)


def test_who_hangs_up_after_that_is_not_answered_and_disturbs_nobody(room: Room, lock: Lock) -> None:
    before = room.version(ALWAYS)
    (gone, gone_wire), (other, wire) = room.connect(), room.connect()
    with lock(ALWAYS):
        gone.data_received(PAYMENT)
        room.wait(0.05)
        gone_wire.close()
        other.data_received(PAYMENT)
        room.wait(0.05)
    room.wait_for(lambda: b"201 Created" in wire.sent)
    assert gone_wire.sent == b""
    assert room.version(ALWAYS) - before in {1, 2}, "it is settled only if it was under way when the lock was given"
    wire.close()
    room.wait(0.01)


def test_who_does_not_take_the_answers_is_asked_for_no_more(room: Room) -> None:
    connection, wire = room.connect()
    connection.pause_writing()
    connection.data_received(PAYMENT * 3)
    room.wait(0.1)
    assert wire.sent == b""
    connection.resume_writing()
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 3)
    wire.close()
    room.wait(0.01)


def test_what_is_sent_behind_a_request_is_read_only_up_to_a_limit(room: Room, lock: Lock) -> None:
    connection, wire = room.connect()
    many = UNREAD_MAX // len(PAYMENT) + 2
    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        room.wait(0.02)
        assert wire.reading.is_set()
        connection.data_received(PAYMENT * many)
        assert not wire.reading.is_set()
    room.wait_for(wire.reading.is_set)
    room.wait_for(lambda: wire.sent.count(b"201 Created") == many + 1)
    wire.close()
    room.wait(0.01)


@pytest.mark.parametrize("way", ["plain", "express"])
def test_a_pipeline_of_ten_thousand_is_answered_in_order(room: Room, way: str) -> None:
    count, size = 10_000, 65_536
    sent = b"".join(post(NOTHING, BODY, f"X-Request-Id: n{number}") for number in range(count)) + BYE
    pieces = [sent[start : start + size] for start in range(0, len(sent), size)]
    chosen: Way = getattr(room.ways, way)
    answers = room.run(chosen.say(pieces, within_s=240))[1]
    names = [line for line in answers.split(b"\r\n") if line.startswith(b"X-Request-Id: n")]
    assert names == [b"X-Request-Id: n%d" % number for number in range(count)]


def test_a_pipeline_in_front_of_a_queue_that_is_full_is_answered_without_going_deeper(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Overloaded

    connection, wire = room.connect()
    monkeypatch.setattr(connection._batcher, "send", refuse)
    connection.data_received(PAYMENT * 5_000)
    assert statuses(bytes(wire.sent)) == [503] * 5_000
    wire.close()
    room.wait(0.01)


def test_an_answer_that_cannot_be_sent_is_its_own_connections_trouble(
    room: Room, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = room.version(ALWAYS)
    (broken, broken_wire), (other, wire) = room.connect(), room.connect()

    def fail(_: bytes) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(broken_wire, "write", fail)
    with lock(ALWAYS):
        for connection in (broken, other):
            connection.data_received(PAYMENT)
        room.wait(0.05)
    room.wait_for(lambda: b"201 Created" in wire.sent)
    room.wait_for(broken_wire.is_closing)
    assert room.version(ALWAYS) == before + 2
    wire.close()
    room.wait(0.01)


def test_an_idle_connection_is_not_closed_while_an_answer_is_under_way(room: Room, lock: Lock) -> None:
    connection, wire = room.connect()
    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        room.wait(0.02)
        connection._next_keepalive_close_time = 0.0
        connection._process_keepalive()
        assert not wire.is_closing()
    room.wait_for(lambda: b"201 Created" in wire.sent)
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()
    assert wire.is_closing()
    room.wait(0.01)


def test_a_stop_answers_what_is_under_way_and_takes_no_more(room: Room, cluster: Cluster) -> None:
    connection, wire = room.connect()

    async def stop() -> None:
        connection.close()
        stopping = asyncio.ensure_future(connection.shutdown(20))
        await asyncio.sleep(0.05)
        assert not stopping.done()
        connection.data_received(PAYMENT)
        blocker.close()
        await stopping

    with psycopg.connect(cluster.url(database=WAYS[1])) as blocker:
        blocker.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ALWAYS])
        connection.data_received(PAYMENT)
        room.wait(0.05)
        room.run(stop())
    assert statuses(bytes(wire.sent)) == [201]
    assert wire.is_closing()
    room.wait(0.01)


def test_a_stop_does_not_wait_for_who_hangs_up(room: Room, lock: Lock) -> None:
    connection, wire = room.connect()

    async def stop() -> None:
        stopping = asyncio.ensure_future(connection.shutdown(60))
        await asyncio.sleep(0.05)
        wire.close()
        async with asyncio.timeout(20):
            await stopping

    with lock(ALWAYS):
        connection.data_received(PAYMENT)
        room.wait(0.05)
        room.run(stop())
