from typing import Any

import pytest

from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer, Running


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
