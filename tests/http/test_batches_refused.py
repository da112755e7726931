"""Batches that cannot be: what cannot be read is pointed at, and of what is refused the first is named."""

import json
from typing import Any

import pytest

from tests.http.conftest import Send
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, made, transfer

MISSING = 999_999_999
A_MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/transactions"),
        ({"transactions": []}, "/transactions"),
        ({"transactions": None}, "/transactions"),
        ({"transactions": {}}, "/transactions"),
        ({"transactions": [{"void": 1}] * 1_001}, "/transactions"),
        ({"transactions": [{"void": 1}], "atomic": "yes"}, "/atomic"),
        ({"transactions": [{"void": 1}], "atomic": None}, "/atomic"),
        ({"transactions": [{"void": 1}], "idempotency_key": "k"}, "/idempotency_key"),
        ({"transactions": [{"void": 1}], "metadata": {}}, "/metadata"),
        ({"transactions": [1]}, "/transactions/0"),
        ({"transactions": [None]}, "/transactions/0"),
        ([], ""),
    ],
)
@pytest.mark.parametrize("path", ["/transaction/batch", "/transaction/batch?dry_run=true"])
def test_a_batch_that_cannot_be_is_pointed_at(till: Till, path: str, body: Any, pointer: str) -> None:
    problem = assert_problem(till.post(path, body), "validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": "many"}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"amount": 1e20}, "/amount"),
        ({"source_account_id": 0}, "/source_account_id"),
        ({"source_account_id": "7"}, "/source_account_id"),
        ({"target_account_id": 2**63}, "/target_account_id"),
        ({"source_account_id": None, "target_account_id": None}, "/target_account_id"),
        ({"source_account_id": None, "hold": {}}, "/source_account_id"),
        ({"hold": {"expires_in": 0}}, "/hold/expires_in"),
        ({"hold": {"expires_in": -1}}, "/hold/expires_in"),
        ({"hold": {"expires_in": 2_592_001}}, "/hold/expires_in"),
        ({"hold": {"lifetime": 5}}, "/hold/lifetime"),
        ({"hold": None}, "/hold"),
        ({"final": True}, "/final"),
        ({"capture": 1}, "/source_account_id"),
        ({"void": 1}, "/source_account_id"),
        ({"refund": 1}, "/source_account_id"),
        ({"capture": None}, "/capture"),
        ({"amout": "1"}, "/amout"),
        ({"kind": "transfer"}, "/kind"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"metadata": None}, "/metadata"),
        ({"idempotency_key": ""}, "/idempotency_key"),
        ({"idempotency_key": "two words"}, "/idempotency_key"),
        ({"idempotency_key": "a" * 256}, "/idempotency_key"),
        ({"idempotency_key": 7}, "/idempotency_key"),
    ],
)
def test_a_member_that_cannot_be_is_pointed_at_and_nothing_is_done(
    till: Till, changed: dict[str, Any], pointer: str
) -> None:
    ann, bob = till.open("10"), till.open()
    members = [transfer(ann, bob, "1")] * 3 + [transfer(ann, bob, "1") | changed]
    for atomic in (True, False):
        problem = assert_problem(till.batch(*members, atomic=atomic), "validation-failed")
        assert problem["errors"][0]["pointer"] == f"/transactions/3{pointer}"
    assert till.account(ann)["version"] == 1


@pytest.mark.parametrize(
    ("member", "pointer", "detail"),
    [
        ({}, "/source_account_id", "is required"),
        ({"amount": "1"}, "/source_account_id", "is required"),
        ({"source_account_id": 1}, "/target_account_id", "is required"),
        ({"source_account_id": 1, "target_account_id": None}, "/amount", "is required"),
        ({"target_account_id": 1, "amount": "1"}, "/source_account_id", "is required"),
        ({"source_account_id": 1, "hold": {}}, "/amount", "is required"),
        ({"capture": 1, "void": 2}, "/void", "does not go with capture"),
        ({"void": 2, "refund": 3}, "/refund", "does not go with void"),
        ({"void": 2, "amount": "1"}, "/amount", "does not go with void"),
        ({"void": 2, "final": True}, "/final", "does not go with void"),
        ({"refund": 3, "final": True}, "/final", "does not go with refund"),
        ({"refund": 3, "hold": {}}, "/hold", "does not go with refund"),
        ({"capture": 1, "target_account_id": None}, "/target_account_id", "does not go with capture"),
        ({"refund": 3, "amount": "0"}, "/amount", "must be more than zero"),
    ],
)
def test_a_member_is_one_thing_and_whole(till: Till, member: dict[str, Any], pointer: str, detail: str) -> None:
    problem = assert_problem(till.batch(member), "validation-failed")
    assert problem["errors"] == [{"pointer": f"/transactions/0{pointer}", "detail": detail}]


def test_the_first_member_that_is_refused_is_named_with_its_problem(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    answer = till.batch(transfer(ann, bob, "1"), transfer(ann, bob, "9.01"), transfer(ann, MISSING, "1"))
    problem = assert_problem(answer, "batch-refused")
    assert problem["index"] == 1
    assert problem["cause"]["type"] == "/problem/insufficient-funds"
    assert (problem["cause"]["status"], problem["cause"]["retryable"]) == (409, False)
    assert (problem["cause"]["available"], problem["cause"]["required"]) == ("9.00", "9.01")
    assert problem["detail"] == f"Nothing was done, since member 1 was refused: {problem['cause']['detail']}"
    assert till.account(ann)["version"] == 1


def test_a_member_cannot_refer_to_what_an_earlier_one_makes(till: Till) -> None:
    # No id is known before the answer; that somebody guesses it right changes nothing.
    ann, bob = till.open("100"), till.open()
    last = made(till.hold(ann, bob, "1"))["id"]
    for guess in range(last + 1, last + 4):
        for reference in ({"capture": guess}, {"void": guess}, {"refund": guess}):
            ((word, _),) = reference.items()
            answer = till.batch(transfer(ann, bob, "10") | {"hold": {}}, reference)
            problem = assert_problem(answer, "batch-refused")
            assert (problem["index"], problem["cause"]["code"]) == (1, "transaction-not-found")
            assert problem["cause"]["pointer"] == f"/transactions/1/{word}"
            assert problem["cause"]["transaction_id"] == guess
    assert till.money(ann) == ("100.00", "1.00", "99.00")


def test_problems_in_batches_point_at_their_member(till: Till) -> None:
    ann = till.open("10")
    members: list[tuple[dict[str, Any], str, str]] = [
        (transfer(MISSING, ann, "1"), "account-not-found", "/transactions/0/source_account_id"),
        (transfer(ann, MISSING, "1"), "account-not-found", "/transactions/1/target_account_id"),
        (transfer(None, MISSING, "1"), "account-not-found", "/transactions/2/target_account_id"),
        (transfer(MISSING, None, "1"), "account-not-found", "/transactions/3/source_account_id"),
        (transfer(MISSING, None, "1") | {"hold": {}}, "account-not-found", "/transactions/4/source_account_id"),
        ({"capture": MISSING}, "transaction-not-found", "/transactions/5/capture"),
        ({"void": MISSING}, "transaction-not-found", "/transactions/6/void"),
        ({"refund": MISSING}, "transaction-not-found", "/transactions/7/refund"),
    ]
    results = till.batch(*[member for member, _, _ in members], atomic=False).body["results"]
    for result, (_, code, pointer) in zip(results, members, strict=True):
        assert (result["problem"]["code"], result["problem"]["pointer"]) == (code, pointer)


def test_an_amount_that_rounds_to_nothing_is_pointed_at_in_its_member(till: Till) -> None:
    ann = till.open("10")
    hold = made(till.hold(ann, None, "1"))["id"]
    payment = made(till.pay(ann, "1"))["id"]
    members: list[dict[str, Any]] = [
        transfer(ann, None, "0.005"),
        {"capture": hold, "amount": "0.004"},
        {"refund": payment, "amount": "0.001"},
    ]
    for index, result in enumerate(till.batch(*members, atomic=False).body["results"]):
        assert result["problem"]["code"] == "validation-failed"
        assert result["problem"]["errors"][0]["pointer"] == f"/transactions/{index}/amount"


@pytest.mark.parametrize(("size", "status"), [(A_MEBIBYTE, 201), (A_MEBIBYTE + 1, 413)])
def test_a_batch_may_have_a_mebibyte_and_no_more(till: Till, send: Send, size: int, status: int) -> None:
    body = json.dumps({"transactions": [transfer(None, till.open(), "1")]}).encode()
    answer = send("POST", "/transaction/batch", body.ljust(size))
    assert answer.status == status, answer
    if status == 413:
        assert assert_problem(answer, "body-too-large")["detail"] == "A body may have 1048576 bytes."


def test_other_bodies_may_not_be_as_large(till: Till, send: Send) -> None:
    body = json.dumps({"amount": "1"}).encode().ljust(20_001)
    assert_problem(send("POST", f"/account/{till.open()}/payment", body), "body-too-large")


def test_the_batch_is_only_posted(till: Till) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = till.call(method, "/transaction/batch")
        assert_problem(answer, "method-not-allowed")
        assert answer.headers["Allow"] == "POST"
