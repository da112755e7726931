"""What is asked for at a time of its own: which times are taken, and what is answered."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_background import every_route
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made, transfer

YEAR = timedelta(days=366)
MEANINGLESS = [
    "tomorrow",
    "2027-01-31",
    "2027-01-31T09:00:00",
    "2027-01-31T09:00:00+01:00[Europe/Berlin]",
    "2027-02-30T09:00:00Z",
    "2027-01-31T09:00:60Z",
    "0001-01-01T00:00:00+01:00",
    "2" * 1_000,
]


def ahead(**length: float) -> datetime:
    return datetime.now(UTC) + timedelta(**length)


def text(moment: datetime) -> str:
    return moment.isoformat()


def shown(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def schedule(
    till: Till, body: dict[str, Any], at: datetime | str, path: str = "/transaction", **headers: str
) -> Answer:
    return till.post(path, body | {"execute_at": at if isinstance(at, str) else text(at)}, **headers)


def queued(answer: Answer) -> dict[str, Any]:
    assert answer.status == 202, answer
    body: dict[str, Any] = answer.body
    assert body["status"] == "queued"
    assert answer.headers["Location"] == f"/transaction/{body['id']}"
    return body


def test_a_transfer_is_queued_until_its_time_and_has_its_id_from_the_start(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    at = ahead(seconds=1)
    body = queued(schedule(till, transfer(ann, bob, "30.005"), at.astimezone(timezone(timedelta(hours=5, minutes=45)))))
    assert body["execute_at"] == shown(at)
    assert (body["amount"], body["currency"]) == ("30.00", "USD")
    assert till.transaction(body["id"]) == body
    decided = till.decided(body["id"])
    assert decided["ctime"] >= shown(at)
    same = {name: value for name, value in body.items() if name not in {"status", "ctime", "execute_at"}}
    own = {"effective_on": decided["ctime"][:10], "refunded": "0.00"}
    assert decided == same | own | {"status": "posted", "ctime": decided["ctime"]}
    assert till.money(bob).balance == "30.00"


def test_every_post_that_makes_a_transaction_may_be_scheduled(till: Till) -> None:
    for path, body, expected, later in every_route(till, till.open("100"), till.open()):
        waiting = queued(schedule(till, body or {}, ahead(seconds=0.2), path))
        assert waiting.items() >= (expected | {"execute_at": waiting["execute_at"]}).items(), path
        decided = till.decided(waiting["id"])
        assert decided.items() >= ({"status": "posted"} | later).items(), path
        assert "execute_at" not in decided


def test_a_time_that_is_past_is_due_at_once(till: Till) -> None:
    ann = till.open()
    for at in ("1970-01-01T00:00:00Z", ahead(hours=-1)):
        waiting = queued(schedule(till, {"amount": "5"}, at, f"/account/{ann}/payment"))
        assert till.decided(waiting["id"])["status"] == "posted"
    assert till.money(ann).balance == "10.00"


@pytest.mark.parametrize("at", [*MEANINGLESS, 1_795_683_600, None, True, ["2027-01-31T09:00:00Z"]], ids=repr)
def test_what_is_no_time_is_refused_with_its_pointer(till: Till, at: Any) -> None:
    ann = till.open("10")
    for path in ("/transaction", f"/account/{ann}/payment"):
        body = transfer(ann, 1, "5") if path == "/transaction" else {"amount": "5"}
        problem = assert_problem(till.post(path, body | {"execute_at": at}), "validation-failed")
        assert [error["pointer"] for error in problem["errors"]] == ["/execute_at"]
    problem = assert_problem(
        till.post("/transaction", transfer(ann, 1, "5") | {"hold": {"capture_at": at}}), "validation-failed"
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/hold/capture_at"]


def test_a_year_ahead_is_the_furthest(till: Till) -> None:
    ann, key = till.open(), str(uuid4())
    path = f"/account/{ann}/payment"
    queued(schedule(till, {"amount": "5"}, datetime.now(UTC) + YEAR - timedelta(minutes=1), path))
    late = datetime.now(UTC) + YEAR + timedelta(minutes=1)
    problem = assert_problem(schedule(till, {"amount": "5"}, late, path, Idempotency_Key=key), "validation-failed")
    assert problem["errors"][0]["pointer"] == "/execute_at"
    assert problem["errors"][0]["detail"].startswith("must not be later than 20")
    again = schedule(till, {"amount": "5"}, late, path, Idempotency_Key=key)
    assert (again.status, again.body) == (422, problem)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_key_remembers_the_moment_whichever_zone_says_it(till: Till) -> None:
    ann, bob, key = till.open("100"), till.open(), str(uuid4())
    body, at = transfer(ann, bob, "5"), ahead(hours=1)
    first = schedule(till, body, at, Idempotency_Key=key)
    again = schedule(till, body, at.astimezone(timezone(timedelta(hours=-8))), Idempotency_Key=key)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (202, queued(first), "true")
    for other in (
        schedule(till, body, at + timedelta(microseconds=1), Idempotency_Key=key),
        till.post("/transaction", body, Idempotency_Key=key),
        till.post("/transaction", body, Idempotency_Key=key, Prefer="respond-async"),
    ):
        assert assert_problem(other, "idempotency-key-reused")["field"] == "execute_at"
    other_amount = schedule(till, transfer(ann, bob, "6"), at, Idempotency_Key=key)
    assert assert_problem(other_amount, "idempotency-key-reused")["field"] == "amount"
    now = str(uuid4())
    made(till.post("/transaction", body, Idempotency_Key=now))
    assert (
        assert_problem(schedule(till, body, at, Idempotency_Key=now), "idempotency-key-reused")["field"] == "execute_at"
    )


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("respond-async", "respond-async"), ("respond-async, wait=30", "respond-async"), ("wait=30", None)],
)
def test_there_is_nothing_to_wait_for(till: Till, prefer: str, applied: str | None) -> None:
    ann = till.open()
    began = time.monotonic()
    answer = schedule(till, {"amount": "5"}, ahead(hours=1), f"/account/{ann}/payment", Prefer=prefer)
    queued(answer)
    assert answer.headers.get("Preference-Applied") == applied
    assert time.monotonic() - began < 10


def test_a_dry_run_says_what_would_be_queued_and_does_nothing(till: Till) -> None:
    ann, bob, key = till.open("1"), till.open(), str(uuid4())
    at = ahead(hours=1)
    path = "/transaction?dry_run=true"
    answer = schedule(till, transfer(ann, bob, "5"), at, path, Idempotency_Key=key)
    assert (answer.status, answer.body["status"], answer.body["id"]) == (200, "queued", None)
    assert answer.body["execute_at"] == shown(at)
    assert "Location" not in answer.headers
    assert_problem(schedule(till, transfer(ann, bob, "5"), datetime.now(UTC) + 2 * YEAR, path), "validation-failed")
    real = schedule(till, transfer(ann, bob, "5"), at, Idempotency_Key=key)
    assert "Idempotent-Replayed" not in real.headers
    again = schedule(till, transfer(ann, bob, "5"), at, path, Idempotency_Key=key)
    assert (again.status, again.body) == (202, queued(real))


def test_a_member_of_a_batch_has_no_time_of_its_own(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    members = [transfer(ann, bob, "1"), transfer(ann, bob, "1") | {"execute_at": text(ahead(hours=1))}]
    problem = assert_problem(till.batch(*members), "validation-failed")
    assert problem["errors"][0]["pointer"] == "/transactions/1/execute_at"
    assert till.money(bob).balance == "0.00"


def test_a_hold_is_captured_by_itself(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    at = ahead(seconds=0.5)
    body = transfer(ann, bob, "25") | {"hold": {"expires_in": 60, "capture_at": text(at)}}
    hold = made(till.post("/transaction", body))
    assert (hold["status"], hold["capture_at"]) == ("held", shown(at))
    deadline = time.monotonic() + 60
    while till.status(hold["id"]) == "held":
        assert time.monotonic() < deadline
    captured = till.transaction(hold["id"])
    read = {"effective_on": hold["ctime"][:10], "remaining": "0.00"}
    assert captured == hold | read | {"status": "captured"}
    assert (till.money(ann), till.money(bob).balance) == (("75.00", "0.00", "75.00"), "25.00")


@pytest.mark.parametrize("seconds", [60, 3_600])
def test_a_hold_is_to_be_captured_before_it_expires(till: Till, seconds: int) -> None:
    ann = till.open("100")
    terms = {"expires_in": 60, "capture_at": text(ahead(seconds=seconds + 1))}
    body = transfer(ann, None, "25") | {"hold": terms}
    for answer in (
        till.post("/transaction", body),
        till.post("/transaction?dry_run=true", body),
        till.post("/transaction", body, Prefer="respond-async"),
        till.batch(body, atomic=False),
    ):
        problem = answer.body["results"][0]["problem"] if answer.status == 200 else answer.body
        assert problem["code"] == "validation-failed"
        assert problem["errors"][0]["pointer"].endswith("/hold/capture_at")
        assert problem["errors"][0]["detail"].startswith("must be before the hold expires, at 20")
    assert till.money(ann).held == "0.00"


def test_what_is_not_due_is_counted_apart(till: Till) -> None:
    before = found(till.call("GET", "/health/queue"))["scheduled"]
    ids = [
        queued(schedule(till, {"amount": "5"}, ahead(hours=1), f"/account/{till.open()}/payment"))["id"]
        for _ in range(2)
    ]
    assert found(till.call("GET", "/health/queue"))["scheduled"] == before + 2
    for id_ in ids:
        found(till.cancel(id_))
    assert found(till.call("GET", "/health/queue"))["scheduled"] == before
