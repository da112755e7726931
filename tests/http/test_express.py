"""The express lane's own rules: who takes it, what waits, who is skipped, and what of aiohttp it relies on."""

import inspect
import re

import aiohttp
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.worker import GunicornWebWorker

from koshel.http import response
from koshel.http.connection import access, express, protocol
from koshel.http.connection.express import MOMENT_S
from koshel.serving import supervise
from tests.support.room import Room
from tests.support.ways import ALWAYS, BYE, Watched, cut, post

BODY = b'{"amount": 1}'
NOTHING = f"/account/{ALWAYS + 1}/withdrawal"  # refused, as there is nothing
PAYMENT = post(f"/account/{ALWAYS}/payment", BODY)
SPLIT = b'{"source_account_id": %d, "amount": 1, "targets": [{"target": "users:%d", "share": "100%%"}]}' % (
    ALWAYS,
    ALWAYS + 1,
)


@pytest.mark.parametrize(
    "pieces",
    [
        [PAYMENT],
        [PAYMENT.removesuffix(BODY), BODY],
        [post(f"/account/@users:{ALWAYS}/payment", BODY)],
        [post("/transaction", b'{"source": "users:%d", "target": "users:%d", "amount": 1}' % (ALWAYS, ALWAYS + 1))],
        [post("/account/@nobody/payment", BODY)],
        cut(PAYMENT, [20, 60, 100]),
        [post(f"/account/{ALWAYS}/payment", BODY, "X-Request-Id: mine", "Idempotency-Key: express-1")],
        [post(f"/account/{ALWAYS}/payment", BODY, "idempotency-key: express-2", "Accept-Encoding: gzip")],
        [PAYMENT.replace(b"application/json", b"application/json; charset=utf-8")],
        [post("/transaction", SPLIT)],
        [post("/transaction", SPLIT.replace(b"targets", b'hold": {}, "targets'))],
        [
            post(
                "/transaction",
                b'{"sources": [{"source_account_id": %d}, {"source": "users:%d"}], "target_account_id": 1, "amount": 1}'
                % (ALWAYS, ALWAYS + 1),
            )
        ],
        cut(post("/transaction", SPLIT), [20, 200]),
        [post("/transaction/1/void", b"{}")],
        [b"POST /transaction/1/void HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
    ],
)
def test_what_is_plain_takes_the_express_lane_in_however_many_pieces(room: Room, pieces: list[bytes]) -> None:
    connection, answers = room.run(room.ways.express.say([*pieces, BYE]))
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
        post(f"/account/{ALWAYS}/payment", BODY, "Authorization: a", "authorization: a"),
        post(f"/account/{ALWAYS}/payment", b'{"amount": 0}'),
        post(f"/account/{ALWAYS}/payment", b'{"amout": 1}'),
        post(f"/account/%40users:{ALWAYS}/payment", BODY),
        post("/transaction", SPLIT.replace(b"100%", b"101%")),
        post("/transaction", SPLIT.replace(b'"amount"', b'"execute_at": "2999-01-01T00:00:00Z", "amount"')),
        post("/transaction", SPLIT, "Prefer: respond-async"),
        post("/transaction?dry_run=true", SPLIT),
        post("/transaction", b'{"source": "a b", "target": "users:1", "amount": 1}'),
        post("/account", b'{"email": "ann@example.com"}'),
        post("/transaction/batch", b'{"transactions": []}'),
        b"GET /account/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        PAYMENT.replace(b" HTTP/1.1", b" HTTP/1.0"),
    ],
)
def test_all_else_goes_to_aiohttp_and_the_next_is_plain_again(room: Room, sent: bytes) -> None:
    connection, wire = room.connect()
    connection.data_received(sent)
    room.wait_for(lambda: wire.sent.endswith(b"}\n"))
    if not wire.is_closing():
        room.wait(0.01)
        connection.data_received(PAYMENT)
        room.wait_for(lambda: wire.sent.endswith(b"}\n") and wire.sent.count(b"HTTP/1.1 ") > 1)
        assert connection.taken == ([PAYMENT] if b"HTTP/1.0" not in sent else [])
    wire.close()
    room.wait(0.01)


def test_a_body_that_is_still_under_way_after_a_moment_is_waited_for_by_aiohttp(room: Room) -> None:
    connection, wire = room.connect()
    head, body = PAYMENT.split(b"{")
    connection.data_received(head)
    room.wait(MOMENT_S * 3)
    connection.data_received(b"{" + body)
    room.wait_for(lambda: b"201 Created" in wire.sent)
    assert connection.taken == []
    room.wait(0.01)
    connection.data_received(PAYMENT)
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 2)
    assert connection.taken == [PAYMENT], "what comes next is plain again"
    wire.close()
    room.wait(0.01)


# What of aiohttp the house relies on that is nobody's but aiohttp's: by the part of aiohttp that has it.
PRIVATE: dict[str, tuple[type, set[str]]] = {
    "a connection": (
        RequestHandler,
        {
            "_buffer_paused",
            "_close",
            "_loop",
            "_next_keepalive_close_time",
            "_pause_reading_for_buffer",
            "_paused",
            "_process_keepalive",
            "_reading_paused",
            "_request_count",
            "_resume_reading_for_buffer",
            "_waiter",
        },
    ),
    "the server": (web.Server, {"_kwargs", "_loop"}),
    "its runner": (web.AppRunner, {"_make_server"}),
    "a response": (web.StreamResponse, {"_keep_alive", "_req"}),
    "gunicorn's worker": (GunicornWebWorker, {"_create_ssl_context", "_notify_waiter_done", "_run"}),
}


@pytest.mark.parametrize("part", PRIVATE)
def test_aiohttp_still_has_what_is_relied_on_and_this_is_all_of_it(part: str) -> None:
    assert aiohttp.__version__.startswith("3.14."), "another minor version: read its web_protocol.py, then this list"
    whole, names = PRIVATE[part]
    its_own = {name for one in inspect.getmro(whole) if one.__module__.startswith("aiohttp") for name in _private(one)}
    ours = [one for one in _classes_of_koshel() if issubclass(one, whole)]
    assert ours, "nothing of ours is one"
    used = set(re.findall(r"(?<![\w])_[a-z]\w+", "".join(map(inspect.getsource, ours))))
    assert used & its_own == names


def _private(one: type) -> set[str]:
    """Its private names: those of the class, and those that its code gives an object."""
    given = re.findall(r"self\.(_[a-z]\w+)(?:: [^=\n]+)? = ", inspect.getsource(one))
    return {name for name in {*vars(one), *given} if re.fullmatch(r"_[a-z]\w*", name)}


def _classes_of_koshel() -> list[type]:
    return [
        one
        for module in (access, express, protocol, response, supervise)
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__
    ]
