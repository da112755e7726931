"""Accounts that change: whose they are, what they may do, frozen, closed."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.till import Till, found, made, transfer
from tests.support.waiting import wait_until

MISSING = 999_999_999


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"email": "Bob@EXAMPLE.com"}, {"email": "Bob@example.com"}),
        ({"min_balance": "-50"}, {"min_balance": "-50.00", "available": "150.00"}),
        ({"min_balance": -0.125}, {"min_balance": "-0.12", "available": "100.12"}),
        ({"min_balance": 0}, {"min_balance": "0.00"}),
        ({"max_balance": "100"}, {"max_balance": "100.00"}),
        ({"max_balance": None}, {"max_balance": None}),
        ({"status": "frozen"}, {"status": "frozen", "available": "100.00"}),
        ({"status": "open"}, {"status": "open"}),
        ({"metadata": {}}, {"metadata": {}}),
        ({"metadata": {"tier": "gold", "ключ": "кошель"}}, {"metadata": {"tier": "gold", "ключ": "кошель"}}),
        ({"metadata": {"tier": "gold"}, "status": "frozen"}, {"metadata": {"tier": "gold"}, "status": "frozen"}),
        ({}, {}),
    ],
)
def test_what_is_given_changes_and_all_else_stays(till: Till, asked: dict[str, Any], kept: dict[str, Any]) -> None:
    ann = till.open("100", metadata={"from": "start", "tier": "iron"})
    before = till.account(ann)
    answer = till.change(ann, **asked)
    assert found(answer) == before | kept
    assert till.account(ann) == answer.body
    assert answer.headers["ETag"] == till.etag(ann)
    assert answer.body["version"] == before["version"]  # it counts transactions


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"email": "ann"}, "/email"),
        ({"email": None}, "/email"),
        ({"min_balance": "1"}, "/min_balance"),
        ({"min_balance": None}, "/min_balance"),
        ({"max_balance": "-1"}, "/max_balance"),
        ({"max_balance": "lots"}, "/max_balance"),
        ({"status": "asleep"}, "/status"),
        ({"status": None}, "/status"),
        ({"status": "OPEN"}, "/status"),
        ({"metadata": None}, "/metadata"),
        ({"metadata": {"a": 1}}, "/metadata"),
        ({"metadata": {"a": "x" * 501}}, "/metadata"),
        ({"metadata": {"k" * 41: ""}}, "/metadata"),
        ({"metadata": {str(n): "" for n in range(51)}}, "/metadata"),
        ({"currency": "EUR"}, "/currency"),
        ({"balance": "5"}, "/balance"),
        ({"held": "0"}, "/held"),
        ({"version": 7}, "/version"),
    ],
)
def test_what_cannot_be_changed_so_is_pointed_at(till: Till, asked: dict[str, Any], pointer: str) -> None:
    ann = till.open()
    before = till.account(ann), till.etag(ann)
    problem = assert_problem(till.change(ann, **asked), "validation-failed")
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert (till.account(ann), till.etag(ann)) == before


def test_a_change_needs_an_account_and_a_body(till: Till) -> None:
    for name in (MISSING, 0, "abc", 2**63):
        problem = assert_problem(till.call("PATCH", f"/account/{name}", {"status": "frozen"}), "account-not-found")
        assert "pointer" not in problem
    path = f"/account/{till.open()}"
    assert_problem(till.call("PATCH", path), "unsupported-media-type")
    assert_problem(till.call("PATCH", path, []), "validation-failed")


def test_a_frozen_account_lets_no_money_in_or_out(till: Till) -> None:
    ann, bob = till.open("100"), till.open("100")
    found(till.change(ann, status="frozen"))
    answers = [
        till.pay(ann, "1"),
        till.withdraw(ann, "1"),
        till.transfer(ann, bob, "1"),
        till.transfer(bob, ann, "1"),
        till.hold(ann, bob, "1"),
        till.hold(bob, ann, "1"),
        till.hold(ann, None, "1"),
    ]
    for answer in answers:
        problem = assert_problem(answer, "account-frozen")
        assert problem["account_id"] == ann
        assert problem["detail"] == f"Account {ann} is frozen: no money goes in or out."
    assert till.account(ann)["version"] == 1
    found(till.change(ann, status="open"))
    made(till.transfer(ann, bob, "1"))


def test_a_hold_that_is_open_when_its_account_is_frozen_can_only_be_let_go(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    voided, captured = (made(till.hold(ann, bob, "10"))["id"] for _ in range(2))
    expiring = made(till.hold(ann, bob, "10", expires_in=1))["id"]
    found(till.change(ann, status="frozen"))
    for hold in (voided, captured):
        assert assert_problem(till.capture(hold), "account-frozen")["account_id"] == ann
    made(till.void(voided))
    wait_until(lambda: till.status(expiring) == "expired", "the hold expires")
    assert till.money(ann) == ("100.00", "10.00", "90.00")
    found(till.change(ann, status="open"))
    made(till.capture(captured))


def test_a_hold_is_not_captured_into_a_frozen_or_closed_account(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "10"))["id"]
    for status, code in (("frozen", "account-frozen"), ("closed", "account-closed")):
        found(till.change(bob, status=status))
        assert assert_problem(till.capture(hold), code)["account_id"] == bob
    made(till.void(hold))
    assert till.money(ann) == ("100.00", "0.00", "100.00")


def test_an_account_with_money_or_holds_is_not_closed(till: Till) -> None:
    ann = till.open("10", min_balance="-10")
    problem = assert_problem(till.change(ann, status="closed"), "account-not-empty")
    assert [problem[name] for name in ("account_id", "balance", "held", "currency")] == [ann, "10.00", "0.00", "USD"]
    made(till.withdraw(ann, "10"))
    hold = made(till.hold(ann, None, "5"))["id"]
    problem = assert_problem(till.change(ann, status="closed"), "account-not-empty")
    assert problem["detail"] == f"Account {ann} has 0.00 USD, 5.00 of it held."
    made(till.capture(hold))
    assert assert_problem(till.change(ann, status="closed"), "account-not-empty")["balance"] == "-5.00"
    made(till.pay(ann, "5"))
    assert found(till.change(ann, status="closed"))["status"] == "closed"


def test_a_closed_account_stays_closed(till: Till) -> None:
    ann, bob = till.open(), till.open("100")
    found(till.change(ann, status="closed"))
    before = till.account(ann), till.etag(ann)
    answers = [
        *(till.change(ann, status=status) for status in ("open", "frozen", "closed")),
        till.change(ann, email="bob@example.com"),
        till.change(ann, metadata={}),
        till.pay(ann, "1"),
        till.withdraw(ann, "1"),
        till.transfer(bob, ann, "1"),
        till.transfer(ann, bob, "1"),
        till.hold(bob, ann, "1"),
    ]
    for answer in answers:
        assert assert_problem(answer, "account-closed")["account_id"] == ann
    assert (till.account(ann), till.etag(ann)) == before


def test_a_frozen_account_can_be_changed_and_closed(till: Till) -> None:
    ann = till.open()
    found(till.change(ann, status="frozen"))
    assert found(till.change(ann, min_balance="-5"))["status"] == "frozen"
    assert found(till.change(ann, status="closed"))["status"] == "closed"


def test_an_overdraft_line_is_given_used_and_taken_back(till: Till) -> None:
    ann = till.open("10")
    assert_problem(till.withdraw(ann, "15"), "insufficient-funds")
    assert found(till.change(ann, min_balance="-20"))["available"] == "30.00"
    made(till.withdraw(ann, "15"))
    made(till.hold(ann, None, "10"))
    assert till.money(ann) == ("-5.00", "10.00", "5.00")
    problem = assert_problem(till.change(ann, min_balance="-14.99"), "insufficient-funds")
    assert [problem[name] for name in ("balance", "held", "min_balance")] == ["-5.00", "10.00", "-14.99"]
    assert problem["detail"] == (
        f"Account {ann} has -5.00 USD, 10.00 of it held: less than the -14.99 that is to be its min_balance."
    )
    assert found(till.change(ann, min_balance="-15"))["available"] == "0.00"


def test_a_limit_below_the_balance_is_refused(till: Till) -> None:
    ann = till.open("10")
    problem = assert_problem(till.change(ann, max_balance="9.99"), "balance-limit-exceeded")
    assert (problem["balance"], problem["max_balance"], "amount" in problem) == ("10.00", "9.99", False)
    assert problem["detail"] == f"Account {ann} has 10.00 and may have at most 9.99 USD then."
    found(till.change(ann, max_balance="10"))
    assert_problem(till.pay(ann, "0.01"), "balance-limit-exceeded")
    found(till.change(ann, max_balance=None))
    made(till.pay(ann, "10000000"))


def test_a_change_with_a_key_is_made_once(till: Till) -> None:
    ann, key = till.open(), {"Idempotency_Key": str(uuid4())}
    first = till.change(ann, key, status="frozen", metadata={"b": "1", "a": "2"})
    found(till.change(ann, status="open"))
    again = till.change(ann, key, status="frozen", metadata={"b": "1", "a": "2"})
    assert (again.status, again.body, again.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert till.account(ann)["status"] == "open"
    for change, field in (({"status": "closed"}, "status"), ({"email": "bob@example.com"}, "email")):
        assert assert_problem(till.change(ann, key, **change), "idempotency-key-reused")["field"] == field
    elsewhere = till.change(till.open(), key, status="frozen")
    assert assert_problem(elsewhere, "idempotency-key-reused")["field"] == "account_id"


def test_a_refused_change_with_a_key_stays_refused(till: Till) -> None:
    ann, key = till.open("5"), {"Idempotency_Key": str(uuid4())}
    first = till.change(ann, key, status="closed")
    made(till.withdraw(ann, "5"))
    again = till.change(ann, key, status="closed")
    assert (again.status, again.body) == (409, first.body)
    assert till.account(ann)["status"] == "open"


def test_a_batch_meets_accounts_as_they_are(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    found(till.change(bob, status="frozen"))
    problem = assert_problem(till.batch(transfer(ann, None, "1"), transfer(ann, bob, "1")), "batch-refused")
    assert (problem["index"], problem["cause"]["code"], problem["cause"]["account_id"]) == (1, "account-frozen", bob)
