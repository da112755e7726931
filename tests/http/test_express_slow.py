"""Clients that send little by little, or read little by little: both ways have the same patience with them."""

import asyncio
from typing import Any

import pytest
from aiohttp.web_protocol import RequestHandler

from koshel.db.server.embedded import Cluster
from koshel.errors import Overloaded
from koshel.http.connection.express import UNREAD_MAX
from koshel.http.connection.protocol import Protocol
from tests.http.conftest import Lock, locking
from tests.support.room import Room
from tests.support.ways import ALWAYS, WAYS, Watched, Wire, comparable, post, statuses

BODY = b'{"amount": 1}'
PAYMENT = post(f"/account/{ALWAYS}/payment", BODY)
PIECES_MAX = 200  # that are sent before a test gives up: they take twenty times as long as they may
BOTH = pytest.mark.parametrize("way", ["plain", "express"])


@pytest.fixture
def lock(cluster: Cluster) -> Lock:
    """Keeps an account's row locked in the ledger of the express lane."""
    return locking(cluster.url(database=WAYS[1]))


def trickle(room: Room, connection: RequestHandler, wire: Wire, piece: bytes) -> int:
    """Send the piece again and again, until there is an answer or none can come; how often it was sent."""
    for count in range(PIECES_MAX):
        if wire.is_closing() or wire.sent:
            return count
        connection.data_received(piece)
        room.wait(0.03)
    return PIECES_MAX


def keep_alive_ends(connection: RequestHandler) -> None:
    """Its time to be idle is up."""
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()


def end(room: Room, wire: Wire) -> None:
    wire.close()
    room.run(asyncio.wait_for(wire.closed, 20))


@BOTH
@pytest.mark.parametrize("begun", [b"POST", b"GET"])
def test_a_head_that_trickles_in_is_cut_off_without_an_answer(room: Room, way: str, begun: bytes) -> None:
    connection, wire = room.connect_to(way)
    connection.data_received(begun + b" /account/5/payment HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ")
    assert 0 < trickle(room, connection, wire, b"a") < PIECES_MAX
    assert wire.is_closing()
    assert wire.sent == b""
    end(room, wire)


def test_a_body_that_trickles_in_is_answered_that_it_came_too_late(room: Room) -> None:
    head = post(f"/account/{ALWAYS}/payment", b" " * 5_000).rstrip(b" ")
    answers = []
    for way in ("plain", "express"):
        connection, wire = room.connect_to(way)
        connection.data_received(head)
        assert trickle(room, connection, wire, b" ") < PIECES_MAX
        assert statuses(bytes(wire.sent)) == [408]
        answers.append(comparable(bytes(wire.sent)))
        end(room, wire)
    assert answers[0] == answers[1]


def test_a_request_that_comes_byte_by_byte_but_in_time_is_answered(room: Room) -> None:
    room.agree([PAYMENT[at : at + 1] for at in range(len(PAYMENT))] + [post("/nowhere", b"", "Connection: close")])


@BOTH
def test_a_body_that_came_in_time_counts_although_the_answers_are_not_read(room: Room, way: str) -> None:
    opening = post("/account", b'{"email": "ann@example.com"}')
    head, _, body = opening.partition(b"\r\n\r\n")
    connection, wire = room.connect_to(way)
    connection.data_received(head + b"\r\n\r\n")
    if isinstance(connection, Watched):
        room.wait_for(lambda: bool(connection.pieces))  # aiohttp has the head
    wire.take_no_more()
    connection.data_received(body)
    room.wait(0.5)  # longer than a body may take
    wire.take_all()
    room.wait_for(lambda: bool(wire.sent))
    assert statuses(bytes(wire.sent)) == [201]
    end(room, wire)


@BOTH
def test_a_connection_is_kept_for_requests_that_wait_for_a_slow_reader(room: Room, way: str) -> None:
    connection, wire = room.connect_to(way)
    connection.data_received(PAYMENT)
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 1)
    wire.take_no_more()
    connection.data_received(PAYMENT * 3)
    room.wait(0.1)
    keep_alive_ends(connection)
    assert not wire.is_closing()
    wire.take_all()
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 4)
    keep_alive_ends(connection)
    assert wire.is_closing()
    end(room, wire)


@BOTH
def test_who_still_reads_an_answer_is_not_idle(room: Room, way: str) -> None:
    connection, wire = room.connect_to(way)
    assert isinstance(connection, Protocol)
    connection.data_received(PAYMENT)
    room.wait_for(lambda: b"201 Created" in wire.sent)
    room.wait_for(lambda: connection.is_idle)
    wire.take_no_more()
    assert not connection.is_idle
    wire.take_all()
    assert connection.is_idle
    end(room, wire)


def test_reading_goes_on_when_all_that_came_is_refused_at_once(
    room: Room, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Overloaded

    connection, wire = room.connect()
    many = UNREAD_MAX // len(PAYMENT) + 2
    with monkeypatch.context() as patched:
        with lock(ALWAYS):
            connection.data_received(PAYMENT)
            room.wait(0.02)
            connection.data_received(PAYMENT * many + PAYMENT[:-5])
            assert not wire.reading.is_set()
            patched.setattr(connection._batcher, "send", refuse)
        room.wait_for(lambda: wire.sent.count(b"503 Service Unavailable") == many)
        assert wire.reading.is_set(), "only the beginning of a request is left"
    connection.data_received(PAYMENT[-5:])
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 2)
    assert statuses(bytes(wire.sent)) == [201, *[503] * many, 201]
    end(room, wire)
