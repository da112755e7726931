from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer, Running
from tests.support.till import Till, made, transfer


def without_request_id(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.body


def test_the_same_key_gives_the_same_answer(service: Running, open_account: OpenAccount) -> None:
    ann, bob = open_account("10"), open_account()
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/account", {"email": "ann@example.com", "max_balance": "7"}),
        (f"/account/{ann}/payment", {"amount": "1.005"}),
        (f"/account/{ann}/withdrawal", {"amount": "1"}),
        ("/transaction", {"source_account_id": ann, "target_account_id": bob, "amount": "2"}),
        ("/transaction", {"source_account_id": ann, "target_account_id": bob, "amount": "1000"}),
        ("/transaction", {"source_account_id": ann, "target_account_id": ann, "amount": "1"}),
        ("/transaction", {"source_account_id": ann, "target_account_id": 999_999_999, "amount": "1.001"}),
        ("/account", {"email": "ann@example.com", "currency": "NOSUCH"}),
        (f"/account/{ann}/payment", {"amount": "0.001"}),
        ("/transaction", {"source_account_id": ann, "target_account_id": bob, "amount": "1", "hold": {}}),
        ("/transaction", {"source_account_id": ann, "amount": "1.005", "hold": {"expires_in": 60}}),
        ("/transaction", {"source_account_id": ann, "target_account_id": bob, "amount": "1000", "hold": {}}),
    ]
    for number, (path, body) in enumerate(calls):
        key = f"same-{ann}-{number}"
        first = service.call("POST", path, body, Idempotency_Key=key)
        service.call("POST", f"/account/{ann}/payment", {"amount": "2000"})  # would change the answer
        service.call("POST", f"/account/{ann}/withdrawal", {"amount": "2000"})
        again = service.call("POST", path, body, Idempotency_Key=key)
        assert without_request_id(again) == without_request_id(first)
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers.get("Location") == first.headers.get("Location")
        assert again.headers["Content-Type"] == first.headers["Content-Type"]


def followers(till: Till, ann: int, bob: int) -> dict[str, tuple[str, Any, dict[str, Any], str]]:
    """What follows a transaction: its path, its body, another body, and the field in which the two differ."""
    hold = made(till.hold(ann, bob, "10"))["id"]
    paid = made(till.pay(ann, "10"))["id"]
    return {
        "capture": (f"/transaction/{hold}/capture", {"amount": "4"}, {"amount": "5"}, "amount"),
        "rest": (f"/transaction/{hold}/capture", {"amount": "4", "final": False}, {"amount": "4"}, "final"),
        "all": (f"/transaction/{hold}/capture", None, {"amount": "10"}, "amount"),
        "void": (f"/transaction/{hold}/void", None, {"metadata": {"why": "late"}}, "metadata"),
        "refund": (f"/transaction/{paid}/refund", {"amount": "4"}, {}, "amount"),
        "hold": ("/transaction", transfer(ann, bob, "4") | {"hold": {}}, transfer(ann, bob, "4"), "hold"),
        "lifetime": (
            "/transaction",
            transfer(ann, bob, "4") | {"hold": {}},
            transfer(ann, bob, "4") | {"hold": {"expires_in": 604_800}},  # what it lasts anyway, but that was not said
            "hold/expires_in",
        ),
    }


@pytest.mark.parametrize("name", ["capture", "rest", "all", "void", "refund", "hold", "lifetime"])
def test_what_follows_a_transaction_is_done_once_for_a_key(till: Till, name: str) -> None:
    ann, bob = till.open("100"), till.open()
    path, body, other, field = followers(till, ann, bob)[name]
    key = f"{name}-{ann}"
    first = till.post(path, body, Idempotency_Key=key)
    money = till.money(ann), till.money(bob)
    again = till.post(path, body, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert assert_problem(till.post(path, other, Idempotency_Key=key), "idempotency-key-reused")["field"] == field
    assert (till.money(ann), till.money(bob)) == money


def test_a_hold_is_answered_as_it_was_made_whatever_has_become_of_it(till: Till) -> None:
    ann = till.open("10")
    body = {"source_account_id": ann, "amount": "4", "hold": {"expires_in": 60}}
    first = made(till.post("/transaction", body, Idempotency_Key=f"held-{ann}"))
    made(till.void(first["id"]))
    assert till.status(first["id"]) == "voided"
    assert made(till.post("/transaction", body, Idempotency_Key=f"held-{ann}")) == first | {"status": "held"}


@pytest.mark.parametrize("name", ["capture", "rest", "all", "void", "refund", "hold"])
def test_twins_of_one_moment_have_one_effect_and_equal_answers(till: Till, name: str) -> None:
    ann, bob = till.open("100"), till.open()
    path, body, _, _ = followers(till, ann, bob)[name]
    version = till.account(ann)["version"]
    with ThreadPoolExecutor(max_workers=8) as threads:
        twins = [threads.submit(till.post, path, body, Idempotency_Key=f"twins-{name}-{ann}") for _ in range(8)]
        answers = [twin.result() for twin in twins]
    assert [answer.status for answer in answers] == [201] * 8
    assert [answer.body for answer in answers] == [answers[0].body] * 8
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 7
    assert till.account(ann)["version"] == version + 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"amount": "3"}, "amount"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"target_account_id": 999_999_999}, "target_account_id"),
        ({"source_account_id": 999_999_999, "amount": "3"}, "source_account_id"),
    ],
)
def test_the_same_key_with_another_request_names_what_differs(
    service: Running, open_account: OpenAccount, changed: dict[str, Any], field: str
) -> None:
    ann, bob = open_account("10"), open_account()
    body = {"source_account_id": ann, "target_account_id": bob, "amount": "2"}
    key = f"changed-{ann}"
    assert service.call("POST", "/transaction", body, Idempotency_Key=key).status == 201
    answer = service.call("POST", "/transaction", body | changed, Idempotency_Key=key)
    assert assert_problem(answer, "idempotency-key-reused")["field"] == field
    other_route = service.call("POST", f"/account/{ann}/payment", {"amount": "2"}, Idempotency_Key=key)
    assert assert_problem(other_route, "idempotency-key-reused")["field"] == "kind"
    opening = service.call("POST", "/account", {"email": "ann@example.com"}, Idempotency_Key=key)
    assert assert_problem(opening, "idempotency-key-reused")["field"] == "kind"
    assert service.call("POST", "/transaction", body, Idempotency_Key=key).headers["Idempotent-Replayed"] == "true"
    assert service.call("GET", f"/account/{ann}").body["balance"] == "8.00"


def test_an_invalid_request_does_not_use_up_its_key(service: Running, open_account: OpenAccount) -> None:
    path = f"/account/{open_account()}/payment"
    key = f"invalid-{path}"
    assert_problem(service.call("POST", path, {"amout": "1"}, Idempotency_Key=key), "validation-failed")
    assert service.call("POST", path, {"amount": "1"}, Idempotency_Key=key).status == 201


@pytest.mark.parametrize("key", ["", "a" * 256, "a" * 300, "two words", "tab\there", "é"])
def test_a_key_that_cannot_be_one_is_refused(send: Send, open_account: OpenAccount, key: str) -> None:
    body = b'{"amount": 1}'
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Idempotency-Key": key}
    problem = assert_problem(send("POST", f"/account/{open_account()}/payment", body, headers), "validation-failed")
    assert problem["errors"][0]["header"] == "Idempotency-Key"


def test_a_key_of_255_characters_is_one(service: Running, open_account: OpenAccount) -> None:
    path = f"/account/{open_account()}/payment"
    key = (path + '"\\{},' + "~" * 255)[:255]
    assert service.call("POST", path, {"amount": "1"}, Idempotency_Key=key).body["idempotency_key"] == key
