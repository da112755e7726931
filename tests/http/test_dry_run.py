"""A dry run answers what would happen, and nothing happens."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made, transfer

Request = tuple[str, Any]
MISSING = 999_999_999


def requests(till: Till, ann: int, bob: int) -> dict[str, Request]:
    """One of each that is possible: its path and body."""
    held = made(till.hold(ann, bob, "20"))["id"]
    paid = made(till.pay(ann, "20"))["id"]
    spending = transfer(ann, bob, "3")
    return {
        "payment": (f"/account/{ann}/payment", {"amount": "5.005", "metadata": {"a": "b"}}),
        "withdrawal": (f"/account/{ann}/withdrawal", {"amount": "5"}),
        "transfer": ("/transaction", spending),
        "hold": ("/transaction", spending | {"hold": {"expires_in": 60}}),
        "hold for a withdrawal": ("/transaction", spending | {"target_account_id": None, "hold": {}}),
        "capture": (f"/transaction/{held}/capture", None),
        "partial capture": (f"/transaction/{held}/capture", {"amount": "7", "final": False}),
        "void": (f"/transaction/{held}/void", None),
        "refund": (f"/transaction/{paid}/refund", None),
        "partial refund": (f"/transaction/{paid}/refund", {"amount": "4"}),
        "batch": ("/transaction/batch", {"transactions": [spending, {"capture": held}, {"refund": paid}]}),
        "batch of each": ("/transaction/batch", {"atomic": False, "transactions": [spending, {"void": MISSING}]}),
    }


def refused(till: Till, ann: int, bob: int) -> dict[str, Request]:
    """One of each that is not: its path and body."""
    held = made(till.hold(ann, bob, "20"))["id"]
    paid = made(till.pay(ann, "20"))["id"]
    too_much = transfer(ann, bob, "1000")
    return {
        "payment": (f"/account/{bob}/payment", {"amount": "1000"}),
        "withdrawal": (f"/account/{ann}/withdrawal", {"amount": "1000"}),
        "account": (f"/account/{MISSING}/payment", {"amount": "1"}),
        "transfer": ("/transaction", too_much),
        "hold": ("/transaction", too_much | {"hold": {}}),
        "capture": (f"/transaction/{held}/capture", {"amount": "21"}),
        "void": (f"/transaction/{paid}/void", None),
        "refund": (f"/transaction/{paid}/refund", {"amount": "21"}),
        "batch": ("/transaction/batch", {"transactions": [transfer(ann, bob, "1"), too_much]}),
    }


POSSIBLE = [
    *("payment", "withdrawal", "transfer", "hold", "hold for a withdrawal", "capture", "partial capture", "void"),
    *("refund", "partial refund", "batch", "batch of each"),
]
IMPOSSIBLE = ["payment", "withdrawal", "account", "transfer", "hold", "capture", "void", "refund", "batch"]
OF_THE_MOMENT = {"id", "group_id", "ctime", "expires_at"}  # what only the deed itself can know


def timeless(body: Any) -> Any:
    """The body without what is only known once it is done."""
    if isinstance(body, list):
        return [timeless(one) for one in body]
    if isinstance(body, dict):
        return {name: timeless(value) for name, value in body.items() if name not in OF_THE_MOMENT}
    return body


def rehearse(till: Till, request: Request, **headers: str) -> Answer:
    path, body = request
    return till.post(f"{path}?dry_run=true", body, **headers)


def test_every_possible_and_impossible_request_is_tried(till: Till) -> None:
    ann, bob = till.open("100"), till.open(max_balance="500")
    assert list(requests(till, ann, bob)) == POSSIBLE
    assert list(refused(till, ann, bob)) == IMPOSSIBLE


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_would_happen_is_what_then_happens(till: Till, name: str) -> None:
    ann, bob = till.open("100"), till.open()
    request = requests(till, ann, bob)[name]
    before = till.account(ann), till.account(bob)
    said = rehearse(till, request)
    assert found(said)
    assert "Location" not in said.headers
    assert (till.account(ann), till.account(bob)) == before
    done = till.post(*request)
    assert done.status in {200, 201}
    assert timeless(said.body) == timeless(done.body)
    assert set(said.body) == set(done.body)


@pytest.mark.parametrize("name", POSSIBLE)
def test_what_would_happen_has_no_id_yet(till: Till, name: str) -> None:
    said = rehearse(till, requests(till, till.open("100"), till.open())[name]).body
    if "results" not in said:
        assert said["id"] is None
        return
    assert said.get("group_id") is None
    assert ("group_id" in said) == (name == "batch")
    assert {result["transaction"]["id"] for result in said["results"] if "transaction" in result} == {None}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_would_be_refused_is_refused_alike(till: Till, name: str) -> None:
    ann, bob = till.open("100"), till.open(max_balance="500")
    request = refused(till, ann, bob)[name]
    before = till.account(ann), till.account(bob)
    said = rehearse(till, request)
    done = till.post(*request)
    assert said.status == done.status >= 400
    assert said.body == done.body
    assert said.headers["Content-Type"] == "application/problem+json"
    assert (till.account(ann), till.account(bob)) == before


@pytest.mark.parametrize("name", POSSIBLE)
def test_a_dry_run_uses_no_key_up(till: Till, name: str) -> None:
    request, key = requests(till, till.open("100"), till.open())[name], str(uuid4())
    for _ in range(2):
        said = rehearse(till, request, Idempotency_Key=key)
        assert found(said)
        assert "Idempotent-Replayed" not in said.headers
    path, body = request
    done = till.post(path, body, Idempotency_Key=key)
    assert (done.status, "Idempotent-Replayed" in done.headers) == (200 if name == "batch of each" else 201, False)


def test_a_dry_run_that_is_refused_uses_no_key_up_either(till: Till) -> None:
    ann, key = till.open(), str(uuid4())
    request: Request = (f"/account/{ann}/withdrawal", {"amount": "5"})
    assert_problem(rehearse(till, request, Idempotency_Key=key), "insufficient-funds")
    made(till.pay(ann, "5"))
    made(till.withdraw(ann, "5", Idempotency_Key=key))


def test_what_a_used_key_would_answer_is_its_answer(till: Till) -> None:
    ann, key = till.open("5"), str(uuid4())
    request: Request = (f"/account/{ann}/withdrawal", {"amount": "2"})
    first = till.withdraw(ann, "2", Idempotency_Key=key)
    again = rehearse(till, request, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = rehearse(till, (request[0], {"amount": "3"}), Idempotency_Key=key)
    assert assert_problem(other, "idempotency-key-reused")["field"] == "amount"


def test_a_dry_run_is_never_put_off(till: Till) -> None:
    ann = till.open()
    said = rehearse(till, (f"/account/{ann}/payment", {"amount": "5"}), Prefer="respond-async")
    assert (said.status, said.body["status"], said.headers.get("Preference-Applied")) == (200, "posted", None)
    assert till.account(ann)["version"] == 0


def test_a_dry_run_of_a_thousand_members_says_all_that_would_happen(till: Till) -> None:
    ann = till.open("10")
    body = {"transactions": [transfer(ann, None, "0.01")] * 1_000}
    assert len(found(rehearse(till, ("/transaction/batch", body)))["results"]) == 1_000
    body["transactions"].append(transfer(ann, None, "0.01"))
    assert_problem(rehearse(till, ("/transaction/batch", body)), "validation-failed")
    assert till.account(ann)["version"] == 1


def test_a_dry_run_may_be_said_to_be_none(till: Till) -> None:
    ann = till.open()
    made(till.post(f"/account/{ann}/payment?dry_run=false", {"amount": "5"}))
    assert till.money(ann).balance == "5.00"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("dry_run=1", "dry_run"),
        ("dry_run=", "dry_run"),
        ("dry_run", "dry_run"),
        ("dry_run=True", "dry_run"),
        ("dry_run=yes", "dry_run"),
        ("dry_run=true&dry_run=true", "dry_run"),
        ("dry_run=true&dry_run=false", "dry_run"),
        ("dryrun=true", "dryrun"),
        ("DRY_RUN=true", "DRY_RUN"),
        ("dry_run=true&verbose=1", "verbose"),
        ("a%0Ab=1", "a\nb"),
    ],
)
def test_a_parameter_that_might_have_meant_a_dry_run_is_refused(till: Till, query: str, parameter: str) -> None:
    ann = till.open("5")
    for path in (f"/account/{ann}/payment", f"/account/{ann}/withdrawal"):
        problem = assert_problem(till.post(f"{path}?{query}", {"amount": "1"}), "validation-failed")
        assert (problem["errors"][0]["parameter"], problem["errors"][0]["pointer"]) == (parameter, "")
    assert till.account(ann)["version"] == 1


def test_accounts_have_no_dry_run(till: Till) -> None:
    ann = till.open()
    opening = till.post("/account?dry_run=true", {"email": "ann@example.com"})
    change = till.call("PATCH", f"/account/{ann}?dry_run=true", {"status": "frozen"})
    for answer in (opening, change):
        assert assert_problem(answer, "validation-failed")["errors"][0]["parameter"] == "dry_run"
    assert till.account(ann)["status"] == "open"
