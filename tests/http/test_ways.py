"""Two ways through HTTP, one answer: whatever is sent, in whatever pieces, both answer the same with equal books."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from koshel.db.server.embedded import Cluster
from koshel.db.verifying.verify import verify
from tests.support.http_bytes import conversation
from tests.support.room import Room
from tests.support.ways import ALWAYS, BYE, WAYS, cut, post, statuses

EXAMPLES = 2_000
HEAD = f"POST /account/{ALWAYS}/payment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
PAY = b'{"amount": 1}'


# All that a ledger's rows say, but for times of its own.
ROWS = {
    "account": "SELECT id, name, currency, balance, held, version, revision FROM account ORDER BY id",
    "transaction": """
        SELECT id, kind, source_account_id, target_account_id, amount, parent_id, group_id, idempotency_key, metadata,
            reference, description, effective_on
        FROM transaction ORDER BY id
    """,
    "receipt": "SELECT idempotency_key, transaction_id, answer IS NULL FROM receipt ORDER BY idempotency_key",
    "hold": "SELECT id, amount FROM hold ORDER BY id",
    "queued": "SELECT id, promise -> 'command', execute_at, attempts, error FROM queued ORDER BY id",
    "split": "SELECT id, amount, transaction_ids FROM split ORDER BY id",
    "exchange": "SELECT source_transaction_id, target_transaction_id, rate FROM exchange ORDER BY 1",
}


def books(cluster: Cluster, name: str) -> dict[str, list[Any]]:
    """Of one of the ways; and it is proved."""
    url = cluster.url(database=name)
    assert verify(url) == []
    with psycopg.connect(url) as connection:
        return {table: connection.execute(rows.encode()).fetchall() for table, rows in ROWS.items()}


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(number=st.integers(min_value=0, max_value=2**48))
def test_both_ways_answer_the_same(room: Room, number: int) -> None:
    room.agree(conversation(number))


def test_both_ways_leave_the_same_books(cluster: Cluster, room: Room) -> None:
    answered, taken = room.answered, room.taken
    for number in range(600):
        room.agree(conversation(number))
    assert room.taken - taken > 0.25 * (room.answered - answered), "the express lane answers what it is there for"
    plain, express = (books(cluster, name) for name in WAYS)
    assert express == plain
    assert [table for table, rows in express.items() if not rows] == [], "there is something of everything"
    labels = [row[-3:] for row in express["transaction"]]
    assert all(any(said) for said in zip(*labels, strict=True)), "with each label"
    assert len(express["transaction"]) > 50


PIPELINE = [
    post("/transaction", b'{"source_account_id": %d, "target_account_id": 6, "amount": "0.10"}' % ALWAYS),
    post(f"/account/{ALWAYS}/withdrawal", b'{"amount": 9999999}', "Idempotency-Key: k"),
    b"GET /account/5 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    post(f"/account/{ALWAYS}/payment", b'{"amount": "7", "metadata": {"a": "b"}}'),
]


def test_a_pipeline_may_be_split_anywhere(room: Room) -> None:
    room.agree([post(f"/account/{ALWAYS}/payment", b'{"amount": 1000}'), BYE])
    sent = b"".join([*PIPELINE, BYE])
    for place in range(1, len(sent)):
        assert statuses(room.agree(cut(sent, [place]))) == [201, 409, 200, 201, 200]


def test_a_pipeline_may_come_byte_by_byte(room: Room) -> None:
    sent = b"".join([*PIPELINE, BYE])
    answers = room.agree([sent[place : place + 1] for place in range(len(sent))])
    assert statuses(answers)[1:] == [409, 200, 201, 200]


# What smuggles one request in another, or tries: the bytes, and the statuses that are the answers.
SMUGGLED: dict[str, tuple[bytes, list[int]]] = {
    "both lengths": (
        f"{HEAD}Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode() + PAY,
        [400],
    ),
    "chunked and then a length": (
        f"{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 13\r\n\r\n0\r\n\r\n".encode() + PAY,
        [400],
    ),
    "two equal lengths": (f"{HEAD}Content-Length: 13\r\nContent-Length: 13\r\n\r\n".encode() + PAY, [400]),
    "two lengths": (f"{HEAD}Content-Length: 13\r\nContent-Length: 5\r\n\r\n".encode() + PAY, [400]),
    "a list of lengths": (f"{HEAD}Content-Length: 13, 13\r\n\r\n".encode() + PAY, [400]),
    "a length with a sign": (f"{HEAD}Content-Length: +13\r\n\r\n".encode() + PAY, [400]),
    "a length in hexadecimal": (f"{HEAD}Content-Length: 0xd\r\n\r\n".encode() + PAY, [400]),
    "a length with an underscore": (f"{HEAD}Content-Length: 1_3\r\n\r\n".encode() + PAY, [400]),
    "a length of other digits": (f"{HEAD}Content-Length: \u0661\u0663\r\n\r\n".encode() + PAY, [400]),
    "a length that overflows": (f"{HEAD}Content-Length: {2**64 + 13}\r\n\r\n".encode() + PAY, [400]),
    "a folded length": (f"{HEAD}Content-Length:\r\n 13\r\n\r\n".encode() + PAY, [400]),
    "a folded value": (f"{HEAD}Content-Length: 13\r\nAccept: a\r\n b\r\n\r\n".encode() + PAY, [400]),
    "a space before the colon": (f"{HEAD}Content-Length : 13\r\n\r\n".encode() + PAY, [400]),
    "a bare LF after the length": (f"{HEAD}Content-Length: 13\nAccept: b\r\n\r\n".encode() + PAY, [400]),
    "a bare LF that ends the head": (f"{HEAD}Content-Length: 13\r\n\n".encode() + PAY + b"\r\n\r\n", [400]),
    "a bare CR in a value": (f"{HEAD}Content-Length: 13\r\nAccept: a\rb\r\n\r\n".encode() + PAY, [400]),
    "NUL in a value": (f"{HEAD}Content-Length: 13\r\nAccept: a\0b\r\n\r\n".encode() + PAY, [400]),
    "NUL in a name": (f"{HEAD}Content-Length: 13\r\nAcc\0ept: a\r\n\r\n".encode() + PAY, [400]),
    "NUL in the path": (b"POST /account/5\0/payment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", [400]),
    "chunks": (f"{HEAD}Transfer-Encoding: chunked\r\n\r\nd\r\n".encode() + PAY + b"\r\n0\r\n\r\n", [201, 200]),
    "a chunk of a bad size": (
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n".encode() + PAY + b"\r\n0\r\n\r\n",
        [400],
    ),
    "a chunk without its end": (f"{HEAD}Transfer-Encoding: chunked\r\n\r\nd\r\n".encode() + PAY + b"0\r\n\r\n", [400]),
    "a chunk that is too short": (
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\nf\r\n".encode() + PAY + b"\r\n0\r\n\r\n",
        [400],
    ),
    "chunked twice": (f"{HEAD}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n".encode(), [400]),
    "not quite chunked": (f"{HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".encode(), [400]),
    "a request in a body that is not read": (post("/nowhere", PIPELINE[3]), [404, 200]),
    "a request behind a length that is too short": (post(f"/account/{ALWAYS}/payment", PAY + PIPELINE[3]), [400, 200]),
    "empty lines first": (b"\r\n\r\n" + post(f"/account/{ALWAYS}/payment", PAY), [201, 200]),
    "no host": (b"POST /account/5/payment HTTP/1.1\r\nContent-Length: 13\r\n\r\n" + PAY, [400]),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_nothing_can_be_smuggled_past_either_lane(room: Room, name: str) -> None:
    sent, expected = SMUGGLED[name]
    for before in (b"", post(f"/account/{ALWAYS}/payment", PAY)):
        answers = room.agree([before + sent, BYE])
        told = statuses(answers)[1 if before else 0 :]
        assert told[: len(expected)] == expected, answers
        if expected == [400]:
            assert len(told) == 1, "after what is not HTTP nothing more is read"
