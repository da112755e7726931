"""A queue that is full: refused before the body is read, and the connection lives on."""

from collections.abc import Iterator
from typing import Any

import pytest

from koshel.batching.room import Room as Places
from koshel.errors import Overloaded
from koshel.http.rests import REST_S
from koshel.http.server import SERVICE
from tests.support.room import Room
from tests.support.ways import ALWAYS, BYE, post, statuses

BODY = b'{"amount": 1}'
PAYMENT = post(f"/account/{ALWAYS}/payment", BODY)
MEMBER = b'{"source_account_id": null, "target_account_id": %d, "amount": "1"}' % ALWAYS
BATCH = post("/transaction/batch", b'{"transactions": [%b]}' % MEMBER)


@pytest.fixture
def full(room: Room, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Both services, with queues that have no place."""

    def refuse(*_: Any, **__: Any) -> None:
        raise Overloaded

    for way in (room.ways.plain, room.ways.express):
        monkeypatch.setattr(way._runner.app[SERVICE].engine.batcher, "check", refuse)
    yield monkeypatch
    monkeypatch.undo()


@pytest.mark.usefixtures("full")
def test_both_lanes_say_the_same_and_go_on(room: Room) -> None:
    answers = room.agree([PAYMENT, BATCH, PAYMENT * 3, BYE])
    assert statuses(answers) == [503] * 5 + [200]
    assert answers.count(b"Retry-After: 1\r\n") == 5
    assert b"Connection: close" not in answers.rpartition(b"HTTP/1.1")[0]


def test_a_split_waits_among_the_heavy_and_is_refused_where_they_have_no_place(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    leg = b'{"target_account_id": %d, "share": "1/2"}' % ALWAYS
    split = post(
        "/transaction", b'{"source_account_id": %d, "amount": 1, "targets": [%b, %b]}' % (ALWAYS + 1, leg, leg)
    )

    def refuse(*_: Any) -> None:
        raise Overloaded

    monkeypatch.setattr(Places, "check_heavy", refuse)
    answers = room.agree([PAYMENT, split, PAYMENT, BYE])
    assert statuses(answers) == [201, 503, 201, 200]
    assert answers.count(b"Retry-After: 1\r\n") == 1


@pytest.mark.parametrize("way", ["plain", "express"])
@pytest.mark.parametrize("sent", [PAYMENT, BATCH], ids=["single", "batch"])
def test_the_answer_comes_before_the_body_and_the_next_request_is_answered(
    room: Room, full: pytest.MonkeyPatch, way: str, sent: bytes
) -> None:
    connection, wire = room.connect_to(way)
    head, end, body = sent.partition(b"\r\n\r\n")
    connection.data_received(head + end)
    room.wait_for(lambda: statuses(bytes(wire.sent)) == [503])
    connection.data_received(body)
    room.wait(0.05)
    full.undo()
    connection.data_received(PAYMENT)
    room.wait_for(lambda: statuses(bytes(wire.sent)) == [503, 201])
    assert not wire.is_closing()
    wire.close()
    room.wait(0.01)


@pytest.mark.usefixtures("full")
def test_what_does_not_wait_in_the_queue_is_not_refused_for_it(room: Room) -> None:
    dry_run = PAYMENT.replace(b"/payment", b"/payment?dry_run=true")
    read = b"GET /account/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % ALWAYS
    assert statuses(room.agree([dry_run, read, BYE])) == [200, 200, 200]


@pytest.mark.usefixtures("full")
def test_who_does_not_heed_a_refusal_waits_a_moment_and_another_caller_on_the_same_connection_does_not(
    room: Room,
) -> None:
    connection, wire = room.connect()
    connection.data_received(PAYMENT * 3)
    assert statuses(bytes(wire.sent)) == [503] * 3, "what was sent together is refused together, at once"
    connection.data_received(PAYMENT)
    assert statuses(bytes(wire.sent)) == [503] * 3
    room.wait_for(lambda: statuses(bytes(wire.sent)) == [503] * 4)
    connection.data_received(PAYMENT)
    connection.data_received(PAYMENT)
    assert statuses(bytes(wire.sent)) == [503] * 4
    room.wait_for(lambda: statuses(bytes(wire.sent)) == [503] * 6)
    connection.data_received(post(f"/account/{ALWAYS}/payment", BODY, "Authorization: Bearer other"))
    assert len(statuses(bytes(wire.sent))) == 7, "as a proxy sends it, for somebody else"
    wire.close()
    room.wait(0.01)


@pytest.mark.usefixtures("full")
def test_a_connection_that_ends_while_it_waits_leaves_nothing(room: Room) -> None:
    connection, wire = room.connect()
    connection.data_received(PAYMENT)
    connection.data_received(PAYMENT)
    wire.close()
    room.wait(REST_S * 2)
    assert statuses(bytes(wire.sent)) == [503]
