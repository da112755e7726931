"""Background transactions: queued at once, durable before the reply, and decided for ever."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.conftest import Send
from tests.http.test_accounts import TIME
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, made, transfer

MISSING = 999_999_999


def test_a_queued_transaction_is_executed(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    body = transfer(ann, bob, "30.005") | {"metadata": {"order": "7"}}
    answer = till.post("/transaction", body, Prefer="respond-async")
    assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async")
    queued = answer.body
    assert answer.headers["Location"] == f"/transaction/{queued['id']}"
    assert TIME.fullmatch(queued["ctime"])
    assert queued == {
        "id": queued["id"],
        "kind": "transfer",
        "status": "queued",
        "source_account_id": ann,
        "target_account_id": bob,
        "amount": "30.00",
        "currency": "USD",
        "parent_id": None,
        "group_id": None,
        "idempotency_key": None,
        "metadata": {"order": "7"},
        "ctime": queued["ctime"],
    }
    decided = till.decided(queued["id"])
    then = {"ctime": decided["ctime"], "effective_on": decided["ctime"][:10]}
    assert decided == queued | then | {"status": "posted", "refunded": "0.00"}
    assert decided["ctime"] >= queued["ctime"]
    assert till.money(ann).balance == "70.00"


def every_route(till: Till, ann: int, bob: int) -> list[tuple[str, Any, dict[str, Any], dict[str, Any]]]:
    """Of each route: its path, its body, what is queued, and what of that is known only later."""
    captured, voided = (made(till.hold(ann, bob, "10"))["id"] for _ in range(2))
    partly = made(till.hold(ann, None, "10"))["id"]
    paid = made(till.pay(ann, "10"))["id"]
    to_bob = {"source_account_id": ann, "target_account_id": bob}
    return [
        (
            f"/account/{ann}/payment",
            {"amount": "5"},
            {"kind": "payment", "target_account_id": ann, "amount": "5.00"},
            {},
        ),
        (f"/account/{ann}/withdrawal", {"amount": "2"}, {"kind": "withdrawal", "source_account_id": ann}, {}),
        ("/transaction", transfer(ann, bob, "3"), {"kind": "transfer", **to_bob, "amount": "3.00"}, {}),
        (
            "/transaction",
            transfer(ann, bob, "4") | {"hold": {"expires_in": 60}},
            {"kind": "hold", **to_bob, "amount": "4.00"},
            {"status": "held"},
        ),
        (
            f"/transaction/{captured}/capture",
            None,
            {"kind": "capture", **to_bob, "amount": None, "parent_id": captured},
            {"amount": "10.00"},
        ),
        (
            f"/transaction/{partly}/capture",
            {"amount": "6.005", "final": False},
            {"kind": "capture", "target_account_id": None, "amount": "6.00", "parent_id": partly},
            {},
        ),
        (
            f"/transaction/{voided}/void",
            None,
            {"kind": "void", **to_bob, "amount": None, "parent_id": voided},
            {"amount": "10.00"},
        ),
        (
            f"/transaction/{paid}/refund",
            None,
            {"kind": "refund", "source_account_id": ann, "target_account_id": None, "amount": None, "parent_id": paid},
            {"amount": "10.00"},
        ),
    ]


def test_everything_that_makes_a_transaction_can_be_queued(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    for path, body, known, known_later in every_route(till, ann, bob):
        queued = till.enqueue(path, body)
        assert queued == queued | known | {"status": "queued", "currency": "USD"}
        decided = till.decided(queued["id"])
        assert decided == decided | queued | {"status": "posted", "ctime": decided["ctime"]} | known_later
        assert ("expires_at" in decided) == (decided["kind"] == "hold")
    assert till.money(ann) == ("84.00", "8.00", "76.00")


def test_what_cannot_be_done_is_queued_too_and_declined_for_ever(till: Till) -> None:
    ann = till.open("1")
    queued = till.enqueue(f"/account/{ann}/withdrawal", {"amount": "5"})
    declined = till.decided(queued["id"])
    assert declined == queued | {"status": "declined", "problem": declined["problem"]}
    refused = till.withdraw(ann, "5")
    assert declined["problem"] == refused.body
    made(till.pay(ann, "100"))
    assert till.transaction(queued["id"]) == declined


def declinations(till: Till) -> list[tuple[str, Any, str, dict[str, Any]]]:
    """Of each: its path, its body, the code of its problem, and what of the queued transaction is not known."""
    ann, yen = till.open("1"), till.open(currency="JPY")
    nothing = {"source_account_id": None, "target_account_id": None, "currency": None}
    payment = made(till.pay(ann, "1"))["id"]
    return [
        (f"/account/{MISSING}/payment", {"amount": "5"}, "account-not-found", {"currency": None, "amount": "5"}),
        ("/transaction", transfer(ann, MISSING, "1.005"), "account-not-found", {"currency": "USD", "amount": "1.00"}),
        ("/transaction", transfer(ann, ann, "1"), "same-account", {"currency": "USD"}),
        ("/transaction", transfer(ann, yen, "1"), "currency-mismatch", {"currency": "USD"}),
        ("/transaction", transfer(ann, None, "9") | {"hold": {}}, "insufficient-funds", {"kind": "hold"}),
        (f"/account/{yen}/payment", {"amount": "0.4"}, "validation-failed", {"amount": "0", "currency": "JPY"}),
        (f"/transaction/{MISSING}/capture", None, "transaction-not-found", nothing | {"kind": "capture"}),
        (f"/transaction/{MISSING}/void", None, "transaction-not-found", nothing | {"kind": "void"}),
        (f"/transaction/{MISSING}/refund", {"amount": "5"}, "transaction-not-found", nothing | {"amount": "5"}),
        (f"/transaction/{payment}/capture", None, "not-a-hold", {"parent_id": payment}),
        (f"/transaction/{payment}/refund", {"amount": "1.01"}, "refund-exceeds-original", {"amount": "1.01"}),
    ]


def test_what_is_declined_has_the_problem_that_it_would_have_had_at_once(till: Till) -> None:
    for path, body, code, known in declinations(till):
        queued = till.enqueue(path, body)
        assert queued == queued | known
        declined = till.decided(queued["id"])
        assert (declined["status"], declined["problem"]["code"]) == ("declined", code)
        at_once = till.post(path, body)
        assert assert_problem(at_once, code) == declined["problem"]


def test_what_cannot_be_read_is_not_queued(till: Till) -> None:
    ann = till.open("1")
    for body in ({"amount": "0"}, {"amout": "1"}, {}, {"amount": "1", "metadata": {"a": 1}}):
        answer = till.post(f"/account/{ann}/payment", body, Prefer="respond-async")
        assert_problem(answer, "validation-failed")
        assert "Preference-Applied" not in answer.headers


def test_a_queued_transaction_moves_nothing_until_it_is_executed(till: Till) -> None:
    declined = till.decided(till.enqueue(f"/account/{till.open()}/withdrawal", {"amount": "5"})["id"])["id"]
    refund = assert_problem(till.refund(declined), "not-refundable")
    assert refund["detail"] == f"Transaction {declined} cannot be refunded: it is declined."
    assert (refund["kind"], refund["transaction_status"]) == ("withdrawal", "declined")
    for answer in (till.capture(declined), till.void(declined)):
        assert assert_problem(answer, "not-a-hold")["kind"] == "withdrawal"
    hold = till.enqueue("/transaction", transfer(till.open(), till.open(), "5") | {"hold": {}})["id"]
    till.decided(hold)
    for answer in (till.capture(hold), till.void(hold)):
        assert assert_problem(answer, "hold-not-open")["hold_status"] == "declined"


@pytest.mark.parametrize(
    "prefer",
    [
        ["respond-async"],
        ["Respond-Async"],
        ["return=minimal, respond-async;x=1"],
        ["handling=lenient", "respond-async"],
        ["respond-async, wait=0"],
        ["respond-async, wait=soon"],
    ],
)
def test_a_preference_may_be_written_in_many_ways(till: Till, send: Send, prefer: list[str]) -> None:
    ann, body = till.open(), b'{"amount": "5"}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    answer = send("POST", f"/account/{ann}/payment", body, headers + [("Prefer", one) for one in prefer])
    assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async")
    assert till.decided(answer.body["id"])["status"] == "posted"


@pytest.mark.parametrize("prefer", ["", "wait=5", "return=representation", "respond-later", '"respond-async"'])
def test_a_preference_that_nobody_knows_changes_nothing(till: Till, prefer: str) -> None:
    answer = till.pay(till.open(), "5", Prefer=prefer)
    assert (answer.status, answer.headers.get("Preference-Applied")) == (201, None)


@pytest.mark.parametrize("prefer", ["respond-async, wait=5", 'wait="5", respond-async'])
def test_who_would_wait_a_little_is_answered_at_once_if_that_is_possible(till: Till, prefer: str) -> None:
    ann = till.open()
    answer = till.pay(ann, "5", Prefer=prefer)
    assert (answer.status, answer.headers["Preference-Applied"]) == (201, "wait=5")
    assert answer.headers["Location"] == f"/transaction/{answer.body['id']}"
    assert till.money(ann).balance == "5.00"
    assert_problem(till.withdraw(ann, "6", Prefer=prefer), "insufficient-funds")


@pytest.mark.parametrize("amount", ["5", "500"])
def test_the_same_key_gives_the_same_queued_transaction(till: Till, amount: str) -> None:
    ann, key = till.open("100"), str(uuid4())
    path, body = f"/account/{ann}/withdrawal", {"amount": amount}
    first = till.post(path, body, Prefer="respond-async", Idempotency_Key=key)
    decided = till.decided(first.body["id"])
    assert (first.body["idempotency_key"], decided["idempotency_key"]) == (key, key)
    for prefer in ({"Prefer": "respond-async"}, {"Prefer": "respond-async, wait=1"}, {}):
        again = till.post(path, body, Idempotency_Key=key, **prefer)
        assert (again.status, again.body) == (202, first.body)
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers.get("Preference-Applied") == prefer.get("Prefer"), "what this request asks for"
    other = till.post(path, {"amount": "7"}, Prefer="respond-async", Idempotency_Key=key)
    assert assert_problem(other, "idempotency-key-reused")["field"] == "amount"
    assert till.transaction(first.body["id"]) == decided
    assert till.account(ann)["version"] == (2 if decided["status"] == "posted" else 1)


def test_what_is_done_already_is_not_queued_again(till: Till) -> None:
    ann, key = till.open(), str(uuid4())
    first = till.pay(ann, "5", Idempotency_Key=key)
    again = till.pay(ann, "5", Idempotency_Key=key, Prefer="respond-async")
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Preference-Applied" not in again.headers
    refused_key = str(uuid4())
    refused = till.withdraw(ann, "6", Idempotency_Key=refused_key)
    repeated = till.withdraw(ann, "6", Idempotency_Key=refused_key, Prefer="respond-async")
    assert (repeated.status, repeated.body) == (409, refused.body)


def test_what_is_queued_in_one_moment_is_all_executed(till: Till) -> None:
    ann = till.open()
    ids = [till.enqueue(f"/account/{ann}/payment", {"amount": "0.01"})["id"] for _ in range(50)]
    assert {till.decided(id_)["status"] for id_ in ids} == {"posted"}
    assert (till.money(ann).balance, till.account(ann)["version"]) == ("0.50", 50)
