"""Capturing and voiding a whole split: now, in the background, at a time, and as a dry run."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.http.test_splits import amounts, target, to, transactions
from tests.support.service import Answer
from tests.support.till import Till, found, made

PAST = "2020-01-01T00:00:00Z"
ENDS = {"capture": "captured", "void": "voided"}


def ahead(**length: float) -> str:
    return (datetime.now(UTC) + timedelta(**length)).isoformat()


class Held:
    """A split of 10.00 in two holds, and what is asked of it."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.ann, self.bob, self.cat = till.open("100"), till.open(), till.open()
        answer = till.post(
            "/transaction", to(self.ann, "10", target(self.bob, "1/3"), target(self.cat, remaining=True), hold={})
        )
        self.id = made(answer)["group_id"]
        self.holds = [one["id"] for one in transactions(answer)]

    def end(self, verb: str, body: Any = None, query: str = "", **headers: str) -> Answer:
        return self.till.post(f"/split/{self.id}/{verb}{query}", body, **headers)

    def statuses(self) -> set[str]:
        return {one["status"] for one in transactions(self.till.call("GET", f"/split/{self.id}"))}


@pytest.fixture
def held(till: Till) -> Held:
    return Held(till)


def queued(answer: Answer) -> dict[str, Any]:
    assert (answer.status, answer.body["status"]) == (202, "queued"), answer
    assert answer.headers["Location"] == f"/transaction/{answer.body['id']}"
    body: dict[str, Any] = answer.body
    return body


@pytest.mark.parametrize("verb", ENDS)
def test_one_queued_transaction_stands_for_all_of_them(till: Till, held: Held, verb: str) -> None:
    key, said = str(uuid4()), {"reference": "parcel 7", "metadata": {"of": "ann"}}
    answer = held.end(verb, said, Prefer="respond-async", Idempotency_Key=key)
    promised = queued(answer)
    assert answer.headers["Preference-Applied"] == "respond-async"
    expected = {
        "kind": verb,
        "amount": None,
        "currency": "USD",
        "parent_id": held.holds[0],
        "group_id": None,
        **said,
        "source_account_id": held.ann,
        "target_account_id": None,
        "idempotency_key": key,
    }
    assert promised == promised | expected
    decided = till.decided(promised["id"])
    assert (decided["status"], decided["amount"], decided["idempotency_key"]) == ("posted", "3.33", key)
    assert (decided["parent_id"], decided["target_account_id"]) == (held.holds[0], held.bob)
    items = found(till.call("GET", f"/transaction?group_id={decided['group_id']}"))["items"]
    assert sorted((one["parent_id"], one["amount"], one["reference"], one["idempotency_key"]) for one in items) == [
        (held.holds[0], "3.33", "parcel 7", key),
        (held.holds[1], "6.67", "parcel 7", None),
    ]
    assert held.statuses() == {ENDS[verb]}
    balance = "90.00" if verb == "capture" else "100.00"
    assert till.money(held.ann) == (balance, "0.00", balance)
    again = held.end(verb, said, Prefer="respond-async", Idempotency_Key=key)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (promised, "true")


def test_who_waits_is_answered_as_if_at_once(held: Held) -> None:
    answer = held.end("capture", Prefer="respond-async, wait=30")
    assert (amounts(answer), answer.headers["Preference-Applied"]) == (["3.33", "6.67"], "wait=30")
    assert "Location" not in answer.headers
    refused = held.end("capture", Prefer="respond-async, wait=30")
    assert assert_problem(refused, "batch-refused") == assert_problem(held.end("capture"), "batch-refused")


def test_a_time_that_is_past_is_due_at_once(till: Till, held: Held) -> None:
    promised = queued(held.end("void", {"execute_at": PAST}))
    assert till.decided(promised["id"])["status"] == "posted"
    assert held.statuses() == {"voided"}


def test_it_is_done_at_its_time(till: Till, held: Held) -> None:
    when = ahead(seconds=1)
    promised = queued(held.end("capture", {"execute_at": when}))
    assert held.statuses() == {"held"}
    assert till.transaction(promised["id"]) == promised
    decided = till.decided(promised["id"])
    assert decided["ctime"] >= promised["execute_at"]
    assert held.statuses() == {"captured"}


@pytest.mark.parametrize("verb", ENDS)
def test_until_its_time_it_can_be_cancelled(till: Till, held: Held, verb: str) -> None:
    promised = queued(held.end(verb, {"execute_at": ahead(hours=1)}))
    cancelled = found(till.cancel(promised["id"]))
    assert cancelled == promised | {name: cancelled[name] for name in ("status", "cancelled_at", "cancelled_by")}
    assert (cancelled["status"], held.statuses()) == ("cancelled", {"held"})
    made(held.end(verb))


@pytest.mark.parametrize("at", ["tomorrow", 1, None, "2999-01-01T00:00:00Z"])
def test_what_is_no_time_is_refused(held: Held, at: Any) -> None:
    problem = assert_problem(held.end("capture", {"execute_at": at}), "validation-failed")
    assert [one["pointer"] for one in problem["errors"]] == ["/execute_at"]


@pytest.mark.parametrize("verb", ENDS)
def test_what_is_refused_later_has_the_problem_that_it_would_have_had_at_once(
    till: Till, held: Held, verb: str
) -> None:
    promised = queued(held.end(verb, {"execute_at": ahead(seconds=1)}))
    made(till.void(held.holds[1]))
    declined = till.decided(promised["id"])
    at_once = assert_problem(held.end(verb), "batch-refused")
    assert declined == promised | {"status": "declined", "problem": at_once}
    assert (at_once["index"], at_once["cause"]["code"]) == (1, "hold-not-open")
    assert at_once["detail"] == f"Nothing was done, since hold 1 was refused: {at_once['cause']['detail']}"
    assert till.status(held.holds[0]) == "held", "all of them or none"


def test_a_split_that_has_moved_its_money_is_declined_too(till: Till) -> None:
    ann, bob = till.open("5"), till.open()
    split = made(till.post("/transaction", to(ann, "1", target(bob, "100%"))))["group_id"]
    declined = till.decided(till.enqueue(f"/split/{split}/capture")["id"])
    assert (declined["status"], declined["problem"]["cause"]["code"]) == ("declined", "not-a-hold")
    assert declined["problem"] == till.post(f"/split/{split}/capture").body


@pytest.mark.parametrize("body", [None, {"execute_at": PAST}])
@pytest.mark.parametrize("headers", [{}, {"Prefer": "respond-async"}])
def test_a_split_that_is_not_there_is_not_found_and_uses_no_key_up(
    till: Till, held: Held, body: Any, headers: dict[str, str]
) -> None:
    key = str(uuid4())
    missing = till.post("/split/999999999/capture", body, Idempotency_Key=key, **headers)
    assert assert_problem(missing, "split-not-found")["split_id"] == 999_999_999
    assert held.end("capture", body, Idempotency_Key=key, **headers).status in {201, 202}


def test_a_dry_run_says_what_would_happen(held: Held) -> None:
    said = held.end("capture", query="?dry_run=true")
    assert (said.status, said.body["group_id"], amounts(said)) == (200, None, ["3.33", "6.67"])
    assert [one["id"] for one in transactions(said)] == [None, None]
    later = held.end("void", {"execute_at": ahead(hours=1)}, "?dry_run=true")
    assert (later.status, later.body["id"], later.body["kind"]) == (200, None, "void")
    assert held.statuses() == {"held"}


@pytest.mark.parametrize("first", [{}, {"execute_at": "2099-01-01T00:00:00Z"}])
def test_under_one_key_the_first_field_that_differs_is_named(till: Till, held: Held, first: dict[str, Any]) -> None:
    if first:
        first = {"execute_at": ahead(days=1)}
    key, other = str(uuid4()), Held(till)
    answer = held.end("capture", first, Idempotency_Key=key)
    assert answer.status == (202 if first else 201)
    for again, field in (
        (other.end("capture", first, Idempotency_Key=key), "split_id"),
        (held.end("void", first, Idempotency_Key=key), "kind"),
        (held.end("capture", first | {"reference": "x"}, Idempotency_Key=key), "reference"),
        (held.end("capture", {"execute_at": ahead(days=2)}, Idempotency_Key=key), "execute_at"),
        (till.post(f"/transaction/{held.holds[0]}/capture", Idempotency_Key=key), "kind"),
        (till.batch({"capture": held.holds[0]}, Idempotency_Key=key), "kind"),
    ):
        assert assert_problem(again, "idempotency-key-reused")["field"] == field
    member = {"capture": held.holds[0], "idempotency_key": key}
    problem = assert_problem(till.batch(member), "batch-refused")["cause"]
    assert (problem["code"], problem["field"]) == ("idempotency-key-reused", "kind")
    assert held.end("capture", first, Idempotency_Key=key).body == answer.body


def test_a_member_of_a_batch_has_no_such_request(till: Till, held: Held) -> None:
    problem = assert_problem(till.batch({"capture_split": held.id}), "validation-failed")
    assert problem["errors"][0]["pointer"] == "/transactions/0/capture_split"


def test_a_queued_hold_and_a_queued_split_of_holds_show_when_they_are_captured(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    at = ahead(hours=2)
    hold = {"expires_in": 86_400, "capture_at": at}
    for body in (
        {"source_account_id": ann, "target_account_id": bob, "amount": "1", "hold": hold},
        to(ann, "1", target(bob, "100%"), hold=hold),
    ):
        promised = queued(till.post("/transaction", body | {"execute_at": ahead(hours=1)}))
        placed = till.post("/transaction", body).body
        placed = placed["results"][0]["transaction"] if "results" in placed else placed
        assert promised["capture_at"] == placed["capture_at"]
        assert till.transaction(promised["id"])["capture_at"] == placed["capture_at"]
        listed = till.call(
            "GET", f"/transaction?account_id={ann}&filter=capture_at%20%3E%20%222026-01-01T00%3A00%3A00Z%22"
        )
        assert promised["id"] in [one["id"] for one in found(listed)["items"]]
        assert found(till.cancel(promised["id"]))["capture_at"] == placed["capture_at"]
