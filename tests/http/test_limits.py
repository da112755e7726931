"""What a caller sends too much of is answered 429, the same in both lanes, and nothing of it is done."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.http.limits import CallerLimits
from koshel.http.server import LIMITS
from koshel.rates import Buckets
from tests.http.conftest import Lock, locking
from tests.support.room import Room
from tests.support.ways import ALWAYS, BYE, SETTINGS, WAYS, post, statuses

PAYMENT = post(f"/account/{ALWAYS}/payment", b'{"amount": 1}')
READ = b"GET /account/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % ALWAYS

Limit = Callable[..., None]


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("koshel.rates.monotonic", clock)
    return clock


@pytest.fixture
def limit(room: Room, clock: Clock) -> Iterator[Limit]:
    """Sets the limits of both ways, each with buckets of its own."""
    assert clock.now

    def limit(**limits: int) -> None:
        for way in (room.ways.plain, room.ways.express):
            chosen: CallerLimits = way._runner.app[LIMITS]
            chosen.__init__(replace(SETTINGS, **limits), Buckets(64))  # type: ignore[misc]

    yield limit
    limit()


def told(answers: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Each answer's status, headers and body."""
    found = []
    for one in answers.split(b"HTTP/1.1 ")[1:]:
        head, _, body = one.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        named = dict(line.split(": ", 1) for line in lines if ": " in line)
        found.append((int(status[:3]), named, json.loads(body)))
    return found


def test_a_key_may_send_so_many_at_once_and_then_so_many_a_second(room: Room, limit: Limit, clock: Clock) -> None:
    limit(rate_per_key=2, rate_window_s=3)
    assert statuses(room.agree([PAYMENT * 8, BYE])) == [201] * 6 + [429] * 2 + [200]
    clock.now += 0.5
    assert statuses(room.agree([PAYMENT * 2, BYE])) == [201, 429, 200]
    clock.now += 60
    assert statuses(room.agree([PAYMENT * 7, BYE])) == [201] * 6 + [429, 200]


def test_the_answer_says_which_limit_it_was_how_much_it_is_and_when_to_come_again(room: Room, limit: Limit) -> None:
    before = room.version(ALWAYS)
    limit(rate_per_ledger=1, rate_window_s=2)
    status, headers, body = told(room.agree([PAYMENT * 3, BYE]))[2]
    assert status == 429
    assert (headers["RateLimit"], headers["RateLimit-Policy"]) == ('"ledger";r=0;t=1', '"ledger";q=2;w=2')
    assert headers["Retry-After"] == "1"
    assert (body["code"], body["retryable"], body["policy"]) == ("rate-limited", True, "ledger")
    limit()
    assert room.version(ALWAYS) == before + 2, "nothing of it was done"


def test_a_bucket_that_is_far_in_debt_says_for_how_long(room: Room, limit: Limit) -> None:
    limit(rate_per_key=1, rate_window_s=2)
    members = [{"source_account_id": None, "target_account_id": ALWAYS, "amount": "0.01"}] * 10
    batch = post("/transaction/batch", json.dumps({"transactions": members}).encode())
    first, second, _ = told(room.agree([batch, PAYMENT, BYE]))
    assert first[0] == 201, "more than there can be at once is let in when nothing was used"
    assert (second[0], second[1]["Retry-After"]) == (429, "9")
    assert second[1]["RateLimit"] == '"key";r=0;t=9'


def test_the_members_of_a_batch_count_singly(room: Room, limit: Limit) -> None:
    limit(rate_per_key=10, rate_window_s=1)
    members = [{"source_account_id": None, "target_account_id": ALWAYS, "amount": "0.01"}] * 6
    batch = post("/transaction/batch", json.dumps({"transactions": members}).encode())
    answers = told(room.agree([batch, batch, PAYMENT * 4, PAYMENT, BYE]))
    assert [status for status, *_ in answers] == [201, 429, *[201] * 4, 429, 200]
    assert answers[1][1]["RateLimit"] == '"key";r=4;t=1'


def split(legs: int, **more: Any) -> bytes:
    """A request that pays into one account in so many legs, out of another."""
    targets = [{"target_account_id": ALWAYS, "share": f"1/{legs}"}] * legs
    return post(
        "/transaction",
        json.dumps({"source_account_id": ALWAYS + 1, "amount": "0.10", "targets": targets, **more}).encode(),
    )


def test_the_legs_of_a_split_count_singly(room: Room, limit: Limit) -> None:
    room.agree([post(f"/account/{ALWAYS + 1}/payment", b'{"amount": 10}'), BYE])
    limit(rate_per_key=10, rate_window_s=1, concurrency_per_key=1)
    taken = room.taken
    answers = told(room.agree([split(6), split(6), PAYMENT * 3, split(1), PAYMENT, BYE]))
    assert [status for status, *_ in answers] == [201, 429, *[201] * 4, 429, 200]
    assert answers[1][1]["RateLimit"] == '"key";r=4;t=1'
    assert room.taken - taken == 7, "all of it by the express lane"


def test_the_holds_of_a_split_that_end_together_count_singly_now_and_later(room: Room, limit: Limit) -> None:
    room.agree([post(f"/account/{ALWAYS + 1}/payment", b'{"amount": 10}'), BYE])
    split_id = told(room.agree([split(6, hold={}), BYE]))[0][2]["group_id"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = post(f"/split/{split_id}/capture", json.dumps({"execute_at": tomorrow}).encode())
    for asked, status in ((later, 202), (post(f"/split/{split_id}/void", b"{}"), 201)):
        limit(rate_per_key=10, rate_window_s=1)
        answers = told(room.agree([asked, asked, PAYMENT * 4, PAYMENT, BYE]))
        assert [one for one, *_ in answers] == [status, 429, *[201] * 4, 429, 200]


def test_a_split_that_is_wrong_or_for_a_time_counts_as_in_aiohttp(room: Room, limit: Limit) -> None:
    limit(rate_per_key=10, rate_window_s=1)
    later = split(6, execute_at="2999-01-01T00:00:00Z")
    wrong = split(3, targets=[{"target_account_id": ALWAYS, "share": "101%"}] * 3)
    answers = told(room.agree([wrong, later, PAYMENT * 3, PAYMENT, BYE]))
    assert [status for status, *_ in answers] == [422, 422, *[201] * 3, 429, 200]


def test_what_is_wrong_counts_once_whichever_lane_answers_it(room: Room, limit: Limit) -> None:
    limit(rate_per_key=1, rate_window_s=4)
    wrong = post(f"/account/{ALWAYS}/payment", b'{"amount": -1}')
    assert statuses(room.agree([wrong, wrong, PAYMENT, PAYMENT, PAYMENT, BYE])) == [422, 422, 201, 201, 429, 200]


def test_reads_count_and_what_is_open_to_everybody_does_not(room: Room, limit: Limit) -> None:
    limit(rate_per_key=1, rate_window_s=2)
    live = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert statuses(room.agree([live, READ, live, READ, READ, live, BYE])) == [200, 200, 200, 200, 429, 200, 200]


def test_the_key_and_its_ledger_are_limited_each_for_itself(room: Room, limit: Limit, clock: Clock) -> None:
    limit(rate_per_key=1, rate_per_ledger=3, rate_window_s=1)
    for _ in range(5):
        answers = told(room.agree([PAYMENT * 2, BYE]))
        assert answers[1][2]["policy"] == "key"
        clock.now += 1


def test_none_of_it_is_said_where_there_is_no_limit(room: Room, limit: Limit) -> None:
    limit()
    answers = room.agree([PAYMENT * 20, BYE])
    assert statuses(answers) == [201] * 20 + [200]
    assert b"RateLimit" not in answers


@pytest.mark.parametrize("way", ["plain", "express"])
def test_a_key_may_have_so_many_requests_under_way_and_who_hangs_up_has_none(
    room: Room, limit: Limit, cluster: Any, way: str
) -> None:
    lock: Lock = locking(cluster.url(database=WAYS[way == "express"]))
    limit(concurrency_per_key=2)
    (first, wire), (second, second_wire), (third, third_wire) = (room.connect_to(way) for _ in range(3))
    with lock(ALWAYS):
        first.data_received(PAYMENT)
        second.data_received(PAYMENT)
        room.wait(0.02)
        third.data_received(PAYMENT)
        room.wait_for(lambda: bool(third_wire.sent))
        status, headers, body = told(bytes(third_wire.sent))[0]
        assert (status, body["policy"]) == (429, "concurrency")
        assert headers["RateLimit-Policy"] == '"concurrency";q=2;qu="concurrent-requests"'
        second_wire.close()
        room.wait(0.05)
        third.data_received(PAYMENT)
        room.wait(0.05)
        assert third_wire.sent.count(b"HTTP/1.1") == 1, "it is under way"
    room.wait_for(lambda: wire.sent.count(b"201 Created") == 1 and third_wire.sent.count(b"201 Created") == 1)
    for one in (wire, third_wire):
        one.close()
    room.wait(0.01)
    assert not room.ways.express._runner.app[LIMITS]._under_way
