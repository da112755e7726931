"""What is queued can be called off until it is decided, and stays so."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.http.test_schedules import ahead, queued, schedule, shown
from tests.support.service import Answer
from tests.support.till import Till, found, made, transfer


def test_what_is_cancelled_stays_so_and_says_when_and_by_which_request(till: Till) -> None:
    ann, bob, key = till.open("100"), till.open(), str(uuid4())
    body, at = transfer(ann, bob, "5"), ahead(hours=1)
    first = schedule(till, body, at, Idempotency_Key=key)
    waiting = queued(first)
    cancelled = found(till.cancel(waiting["id"], X_Request_Id="till-3-17"))
    assert cancelled == waiting | {
        "status": "cancelled",
        "cancelled_at": cancelled["cancelled_at"],
        "cancelled_by": "till-3-17",
    }
    assert waiting["ctime"] < cancelled["cancelled_at"] < shown(at)
    assert found(till.cancel(waiting["id"], X_Request_Id="another")) == cancelled == till.transaction(waiting["id"])
    again = schedule(till, body, at, Idempotency_Key=key)
    assert (again.status, again.body) == (202, waiting), "its key says what it said"
    refund = assert_problem(till.refund(waiting["id"]), "not-refundable")
    assert (refund["kind"], refund["transaction_status"]) == ("transfer", "cancelled")
    for answer in (till.void(waiting["id"]), till.capture(waiting["id"])):
        problem = assert_problem(answer, "not-a-hold")
        assert problem["kind"] == "transfer"
        assert problem["detail"] == f"Transaction {waiting['id']} is a transfer, not a hold."


def test_a_hold_that_was_cancelled_is_not_open(till: Till) -> None:
    hold = queued(schedule(till, transfer(till.open("5"), till.open(), "5") | {"hold": {}}, ahead(hours=1)))["id"]
    found(till.cancel(hold))
    for answer in (till.void(hold), till.capture(hold)):
        assert assert_problem(answer, "hold-not-open")["hold_status"] == "cancelled"


def test_a_request_without_a_name_is_known_by_the_one_that_it_is_given(till: Till) -> None:
    ann = till.open()
    id_ = queued(schedule(till, {"amount": "5"}, ahead(hours=1), f"/account/{ann}/payment"))["id"]
    answer = till.cancel(id_)
    assert found(answer)["cancelled_by"] == answer.headers["X-Request-Id"]


DECIDED: list[tuple[str, Callable[[Till, int], Answer]]] = [
    ("posted", lambda till, ann: till.pay(ann, "1")),
    ("held", lambda till, ann: till.hold(ann, None, "1")),
]


@pytest.mark.parametrize(("status", "make"), DECIDED, ids=["posted", "held"])
def test_what_is_decided_cannot_be_cancelled(till: Till, status: str, make: Callable[[Till, int], Answer]) -> None:
    id_ = made(make(till, till.open("10")))["id"]
    problem = assert_problem(till.cancel(id_), "not-cancellable")
    assert (problem["transaction_id"], problem["transaction_status"]) == (id_, status)
    assert problem["detail"] == f"Transaction {id_} is {status}, and cannot be cancelled any more."


def test_what_was_declined_cannot_be_cancelled(till: Till) -> None:
    id_ = till.enqueue(f"/account/{till.open()}/withdrawal", {"amount": "5"})["id"]
    till.decided(id_)
    assert assert_problem(till.cancel(id_), "not-cancellable")["transaction_status"] == "declined"


@pytest.mark.parametrize("id_", ["999999999", "0", "-1", "x", "9" * 40, "1.5", "%20", "@rent"])
def test_what_is_not_there_cannot_be_cancelled(till: Till, id_: str) -> None:
    assert_problem(till.cancel(id_), "transaction-not-found")


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [("?dry_run=true", {}, "validation-failed"), ("", {"Idempotency_Key": "k"}, "validation-failed")],
)
def test_a_cancellation_takes_nothing_else(till: Till, path: str, headers: dict[str, str], code: str) -> None:
    id_ = queued(schedule(till, {"amount": "5"}, ahead(hours=1), f"/account/{till.open()}/payment"))["id"]
    assert_problem(till.cancel(f"{id_}{path}", **headers), code)
    assert till.status(id_) == "queued"
