"""What cannot be held, captured or voided, and why."""

from typing import Any

import pytest

from tests.http.test_holds import MONTH_S
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, made, transfer

MISSING = 999_999_999


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"hold": {"expires_in": 0}}, "/hold/expires_in"),
        ({"hold": {"expires_in": -1}}, "/hold/expires_in"),
        ({"hold": {"expires_in": -(10**30)}}, "/hold/expires_in"),
        ({"hold": {"expires_in": MONTH_S + 1}}, "/hold/expires_in"),
        ({"hold": {"expires_in": 10**30}}, "/hold/expires_in"),
        ({"hold": {"expires_in": 1.5}}, "/hold/expires_in"),
        ({"hold": {"expires_in": "60"}}, "/hold/expires_in"),
        ({"hold": {"expires_in": True}}, "/hold/expires_in"),
        ({"hold": {"expires_in": None}}, "/hold/expires_in"),
        ({"hold": {"expires_at": "2030-01-01T00:00:00Z"}}, "/hold/expires_at"),
        ({"hold": None}, "/hold"),
        ({"hold": True}, "/hold"),
        ({"hold": []}, "/hold"),
        ({"amount": "0"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": "0.004"}, "/amount"),
        ({"source_account_id": None}, "/source_account_id"),
        ({"final": True}, "/final"),
    ],
)
def test_a_hold_that_cannot_be_is_not_made(till: Till, changed: dict[str, Any], pointer: str) -> None:
    ann = till.open("10")
    body = transfer(ann, till.open(), "1") | {"hold": {}} | changed
    problem = assert_problem(till.post("/transaction", body), "validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert till.account(ann)["version"] == 1


def test_only_a_hold_may_be_without_a_target(till: Till) -> None:
    for body in ({"target_account_id": None}, {}):
        answer = till.post("/transaction", {"source_account_id": till.open("5"), "amount": "1"} | body)
        problem = assert_problem(answer, "validation-failed")
        assert problem["errors"] == [{"pointer": "/target_account_id", "detail": "is required, except for a hold"}]


def test_a_hold_asks_of_its_accounts_what_a_transfer_does(till: Till) -> None:
    ann, bob, yen = till.open("10"), till.open(), till.open(currency="JPY")
    assert assert_problem(till.hold(ann, ann, "1"), "same-account")["account_id"] == ann
    assert assert_problem(till.hold(ann, MISSING, "1"), "account-not-found")["pointer"] == "/target_account_id"
    assert assert_problem(till.hold(MISSING, ann, "1"), "account-not-found")["pointer"] == "/source_account_id"
    assert assert_problem(till.hold(MISSING, None, "1"), "account-not-found")["pointer"] == "/source_account_id"
    assert_problem(till.hold(ann, yen, "1"), "currency-mismatch")
    poor = assert_problem(till.hold(ann, bob, "10.01"), "insufficient-funds")
    assert (poor["account_id"], poor["available"], poor["required"]) == (ann, "10.00", "10.01")
    assert till.account(ann)["version"] == 1


def test_more_than_is_held_cannot_be_captured(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]
    made(till.capture(hold, "10", final=False))
    problem = assert_problem(till.capture(hold, "20.01"), "capture-exceeds-hold")
    assert (problem["transaction_id"], problem["held"], problem["required"]) == (hold, "20.00", "20.01")
    assert problem["detail"] == f"Hold {hold} reserves 20.00 USD, 20.01 USD is asked for."
    assert till.money(ann) == ("90.00", "20.00", "70.00")
    made(till.capture(hold, "20"))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"amount": "all"}, "/amount"),
        ({"amount": "0.005"}, "/amount"),
        ({"final": "no"}, "/final"),
        ({"final": None}, "/final"),
        ({"hold": {}}, "/hold"),
        ({"metadata": {"a": 1}}, "/metadata"),
    ],
)
def test_a_capture_that_cannot_be_leaves_the_hold_open(till: Till, body: dict[str, Any], pointer: str) -> None:
    hold = made(till.hold(till.open("5"), till.open(), "5"))["id"]
    problem = assert_problem(till.post(f"/transaction/{hold}/capture", body), "validation-failed")
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert till.status(hold) == "held"


@pytest.mark.parametrize("body", [{"amount": "1"}, {"final": True}, {"reason": "late"}])
def test_a_void_is_of_all_that_is_left(till: Till, body: dict[str, Any]) -> None:
    hold = made(till.hold(till.open("5"), till.open(), "5"))["id"]
    problem = assert_problem(till.post(f"/transaction/{hold}/void", body), "validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{name}" for name in body]
    assert till.status(hold) == "held"


def test_a_body_that_is_sent_must_claim_to_be_json_even_where_none_is_needed(till: Till) -> None:
    hold = made(till.hold(till.open("5"), till.open(), "5"))["id"]
    answer = till.post(f"/transaction/{hold}/void", {}, Content_Type="text/plain")
    assert_problem(answer, "unsupported-media-type")
    assert_problem(till.post(f"/transaction/{hold}/void", []), "validation-failed")


@pytest.mark.parametrize(("first", "status"), [("capture", "captured"), ("void", "voided")])
@pytest.mark.parametrize("then", ["capture", "void"])
def test_a_hold_ends_once(till: Till, first: str, then: str, status: str) -> None:
    ann = till.open("10")
    hold = made(till.hold(ann, till.open(), "10"))["id"]
    made(till.post(f"/transaction/{hold}/{first}"))
    money = till.money(ann)
    problem = assert_problem(till.post(f"/transaction/{hold}/{then}"), "hold-not-open")
    assert (problem["transaction_id"], problem["hold_status"]) == (hold, status)
    assert problem["detail"] == f"Hold {hold} is {status}."
    assert till.money(ann) == money


def test_what_is_not_a_hold_cannot_end_like_one(till: Till) -> None:
    ann, bob = till.open("50"), till.open()
    hold = made(till.hold(ann, bob, "10"))["id"]
    capture = made(till.capture(hold, "5", final=False))["id"]
    others = {
        "payment": made(till.pay(ann, "10"))["id"],
        "withdrawal": made(till.withdraw(ann, "10"))["id"],
        "transfer": made(till.transfer(ann, bob, "10"))["id"],
        "capture": capture,
        "refund": made(till.refund(capture, "1"))["id"],
        "void": made(till.void(hold))["id"],
    }
    for kind, transaction_id in others.items():
        for answer in (till.capture(transaction_id), till.void(transaction_id)):
            problem = assert_problem(answer, "not-a-hold")
            assert (problem["transaction_id"], problem["kind"]) == (transaction_id, kind)
            assert problem["detail"] == f"Transaction {transaction_id} is a {kind}, not a hold."


@pytest.mark.parametrize("word", ["capture", "void", "refund"])
@pytest.mark.parametrize("name", ["0", "-1", "abc", "01", str(MISSING), str(2**63), "9" * 400])
def test_a_hold_that_is_not_there_is_named(till: Till, word: str, name: str) -> None:
    problem = assert_problem(till.post(f"/transaction/{name}/{word}"), "transaction-not-found")
    assert problem.get("transaction_id") == (MISSING if name == str(MISSING) else None), "a number, or left out"
    assert "pointer" not in problem


def test_a_capture_may_not_fill_its_target_too_full(till: Till) -> None:
    ann, bob = till.open("100"), till.open("5", max_balance="20")
    hold = made(till.hold(ann, bob, "30"))["id"]  # a hold fills nothing yet
    problem = assert_problem(till.capture(hold, "16"), "balance-limit-exceeded")
    assert (problem["account_id"], problem["balance"], problem["amount"]) == (bob, "5.00", "16.00")
    made(till.capture(hold, "15"))


def test_a_refused_capture_with_a_key_stays_refused(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]

    def capture(amount: str) -> Answer:
        return till.post(f"/transaction/{hold}/capture", {"amount": amount}, Idempotency_Key=f"capture-{hold}")

    first, again = capture("40"), capture("40")
    assert (again.status, again.body) == (first.status, first.body) == (409, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert assert_problem(capture("30"), "idempotency-key-reused")["field"] == "amount"
    assert till.status(hold) == "held"
