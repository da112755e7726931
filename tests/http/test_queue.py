"""What waits in the background while an account is busy: it is seen, tried again, and loses nothing."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.http.conftest import Lock, locking
from tests.http.test_refusals import assert_problem
from tests.support.service import serving
from tests.support.till import Till, found, made, transfer
from tests.support.waiting import wait_until

DATABASE = "queue_tests"
LIMITS = {
    "workers": "1",
    "lock_timeout_ms": "2000",  # more than the second that the tests would wait for an answer
    "background_poll_ms": "50",
    "background_retry_ms": "50",
    "background_retry_max_ms": "100",
}


@pytest.fixture(scope="module")
def till(cluster: Cluster) -> Iterator[Till]:
    """A service of one worker, which soon gives up waiting for a row and soon tries again."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    with serving(cluster.url(embedded.SERVICE, DATABASE), **LIMITS) as service:
        yield Till(service)


@pytest.fixture(scope="module")
def lock(cluster: Cluster) -> Lock:
    """Keeps an account busy for the length of a block."""
    return locking(cluster.url(database=DATABASE))


def depth(till: Till) -> int:
    return int(found(till.call("GET", "/health/queue"))["depth"])


def test_an_empty_queue_has_no_age(till: Till) -> None:
    wait_until(lambda: depth(till) == 0, "the queue is empty")
    assert till.call("GET", "/health/queue").body == {"depth": 0, "retrying": 0, "oldest_age_s": 0.0, "scheduled": 0}


def test_what_waits_is_seen_and_is_done_once_it_can_be(till: Till, lock: Lock) -> None:
    ann, bob = till.open("10"), till.open()
    with lock(ann):
        queued = [till.enqueue("/transaction", transfer(ann, bob, "1"))["id"] for _ in range(2)]
        seen = found(till.call("GET", "/health/queue"))
        assert seen["depth"] == 2
        wait_until(lambda: till.call("GET", "/health/queue").body["retrying"] == 2, "all of them have been tried")
        assert till.call("GET", "/health/queue").body["oldest_age_s"] > seen["oldest_age_s"]
        assert [till.status(id_) for id_ in queued] == ["queued"] * 2
        # To enqueue waits for no lock.
        assert till.enqueue(f"/account/{ann}/withdrawal", {"amount": "1"})["amount"] == "1.00"
    wait_until(lambda: depth(till) == 0, "the queue is empty")
    assert [till.status(id_) for id_ in queued] == ["posted"] * 2
    assert (till.money(ann).balance, till.money(bob).balance) == ("7.00", "2.00")


@pytest.mark.parametrize(
    ("status", "code"), [("closed", "account-closed"), ("frozen", "account-frozen")], ids=["closed", "frozen"]
)
def test_what_is_queued_for_an_account_that_is_shut_meanwhile_is_declined_for_ever(
    till: Till, lock: Lock, status: str, code: str
) -> None:
    ann, bob = till.open("5"), till.open()
    with lock(ann):
        queued = till.enqueue("/transaction", transfer(ann, bob, "5"))
        assert till.change(bob, status=status).status == 200
        assert till.status(queued["id"]) == "queued"
    declined = till.decided(queued["id"])
    assert declined == queued | {"status": "declined", "problem": declined["problem"]}
    problem = declined["problem"]
    assert (problem["code"], problem["account_id"], problem["status"]) == (code, bob, 409)
    assert problem["detail"].startswith(f"Account {bob} is {status}")
    if status == "frozen":
        found(till.change(bob, status="open"))
        made(till.transfer(ann, bob, "1"))
    assert till.transaction(queued["id"]) == declined


@pytest.mark.parametrize("word", ["capture", "void"])
def test_a_hold_that_is_queued_is_not_open_yet(till: Till, lock: Lock, word: str) -> None:
    ann, bob = till.open("5"), till.open()
    with lock(ann):
        hold = till.enqueue("/transaction", transfer(ann, bob, "5") | {"hold": {}})["id"]
        problem = assert_problem(till.post(f"/transaction/{hold}/{word}"), "hold-not-open")
        assert (problem["hold_status"], problem["detail"]) == ("queued", f"Hold {hold} is queued.")
        refund = assert_problem(till.refund(hold), "not-refundable")
        assert (refund["kind"], refund["transaction_status"]) == ("hold", "queued")
        assert refund["detail"] == f"Transaction {hold} cannot be refunded: it is queued."
        refused = till.batch({word: hold})
        assert assert_problem(refused, "batch-refused")["cause"]["code"] == "hold-not-open"
    assert till.decided(hold)["status"] == "held"
    made(till.post(f"/transaction/{hold}/{word}"))


def test_what_is_queued_may_follow_what_is_queued(till: Till, lock: Lock) -> None:
    ann, bob = till.open("5"), till.open()
    with lock(ann):
        hold = till.enqueue("/transaction", transfer(ann, bob, "5") | {"hold": {}})["id"]
        capture = till.enqueue(f"/transaction/{hold}/capture")
        assert (capture["parent_id"], capture["source_account_id"], capture["currency"]) == (hold, None, None)
    decided = till.decided(capture["id"])
    assert (decided["status"], decided["amount"], decided["parent_id"]) == ("posted", "5.00", hold)
    assert (till.status(hold), till.money(bob).balance) == ("captured", "5.00")


def is_awaited(cluster: Cluster) -> bool:
    """Whether somebody waits for a row."""
    with psycopg.connect(cluster.url(database=DATABASE)) as connection:
        awaited = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return connection.execute(awaited).fetchone() is not None


def test_what_is_not_answered_in_time_is_queued(till: Till, lock: Lock, cluster: Cluster) -> None:
    ann, bob = till.open("5"), till.open("5")
    with ThreadPoolExecutor() as threads, lock(ann):
        busy = threads.submit(till.withdraw, ann, "5")
        wait_until(lambda: is_awaited(cluster), "Ann's row is waited for")
        began = time.monotonic()
        later = threads.submit(till.withdraw, ann, "2", Prefer="respond-async, wait=1")
        now = threads.submit(till.withdraw, bob, "1", Prefer="respond-async, wait=1").result()
        assert (now.status, now.headers["Preference-Applied"]) == (201, "wait=1")
        answer = later.result()
        assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async, wait=1")
        assert 1 <= time.monotonic() - began < 1.8
        assert_problem(busy.result(), "database-unavailable")
    assert till.decided(answer.body["id"])["status"] == "posted"
    assert (till.money(ann).balance, till.money(bob).balance) == ("3.00", "4.00")


def test_what_need_not_be_answered_at_once_is_queued_though_its_account_is_locked(
    till: Till, lock: Lock, cluster: Cluster
) -> None:
    ann = till.open("5")
    with ThreadPoolExecutor() as threads, lock(ann):
        busy = threads.submit(till.withdraw, ann, "5")
        wait_until(lambda: is_awaited(cluster), "Ann's row is waited for")
        answer = till.withdraw(ann, "2", Prefer="respond-async")
        assert answer.status == 202
        assert not busy.done()
    # Once the row is free, the two are decided one after the other, and there is money for one of them.
    queued = till.decided(answer.body["id"])["status"]
    assert (queued, busy.result().status) in {("declined", 201), ("posted", 409)}


def test_who_hangs_up_while_it_waits_for_a_lock_has_not_asked_though_willing_to_wait(
    till: Till, lock: Lock, cluster: Cluster
) -> None:
    ann = till.open("10")
    body = b'{"amount": "2"}'
    head = f"POST /account/{ann}/withdrawal HTTP/1.1\r\nHost: localhost\r\nPrefer: respond-async, wait=30\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with ThreadPoolExecutor() as threads:
        with lock(ann):
            busy = threads.submit(till.withdraw, ann, "5")
            wait_until(lambda: is_awaited(cluster), "Ann's row is waited for")
            with socket.create_connection(("127.0.0.1", till.port)) as caller:
                caller.sendall(head.encode() + body)
                till.money(ann)  # a request that comes after it is answered, so it was received
            till.money(ann)  # and so it is known that the caller is gone
            time.sleep(0.5)  # so that what is under way with it has landed
        assert busy.result().status == 201
    assert till.withdraw(ann, "1").status == 201
    assert till.money(ann).balance == "4.00"


def test_what_an_accident_stopped_is_queued_if_that_was_asked_for(till: Till, lock: Lock) -> None:
    ann = till.open("5")
    with lock(ann):
        answer = till.withdraw(ann, "2", Prefer="respond-async, wait=1")
        assert (answer.status, answer.body["status"]) == (202, "queued")
        accident = till.withdraw(ann, "2")
        assert assert_problem(accident, "database-unavailable")["retryable"] is True
        assert accident.headers["Retry-After"] == "1"
    assert till.decided(answer.body["id"])["status"] == "posted"
    assert till.money(ann).balance == "3.00"


def test_what_would_happen_is_said_without_waiting_for_a_busy_account(till: Till, lock: Lock) -> None:
    ann = till.open("5")
    with lock(ann):
        answer = till.post(f"/account/{ann}/withdrawal?dry_run=true", {"amount": "2"})
        assert (answer.status, answer.body["amount"]) == (200, "2.00")
