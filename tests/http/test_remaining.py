"""What is left of a hold, and what was refunded of a transaction, is said where it is read, and nowhere else."""

from typing import Any
from uuid import uuid4

import pytest

from koshel.core.commands import Kind
from koshel.core.refunds import REFUNDABLE
from tests.support.service import Answer
from tests.support.till import READ_ONLY, Till, made, transfer
from tests.support.waiting import wait_until


def read(till: Till, transaction_id: int) -> dict[str, Any]:
    """What only reading says."""
    return {name: value for name, value in till.transaction(transaction_id).items() if name in READ_ONLY}


def test_of_a_hold_what_it_still_reserves_is_read(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]
    assert read(till, hold) == {"remaining": "30.00"}
    made(till.capture(hold, "10.50", final=False))
    assert read(till, hold) == {"remaining": "19.50"}
    made(till.capture(hold, "4.50"))
    assert read(till, hold) == {"remaining": "0.00"}


def test_nothing_is_left_of_a_hold_that_was_voided_or_has_expired(till: Till) -> None:
    ann = till.open("100")
    voided, expired = made(till.hold(ann, None, "30"))["id"], made(till.hold(ann, None, "5", expires_in=1))["id"]
    made(till.void(voided))
    wait_until(lambda: till.status(expired) == "expired", "the hold expires")
    assert [read(till, one) for one in (voided, expired)] == [{"remaining": "0.00"}] * 2


def test_of_what_can_be_refunded_the_sum_of_its_refunds_is_read(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    moved = made(till.transfer(ann, bob, "12.50"))["id"]
    assert read(till, moved) == {"refunded": "0.00"}
    refund = made(till.refund(moved, "5"))["id"]
    assert read(till, moved) == {"refunded": "5.00"}
    made(till.refund(moved))
    assert read(till, moved) == {"refunded": "12.50"}
    assert read(till, refund) == {}


def test_each_kind_has_what_is_its_own(till: Till) -> None:
    ann, bob = till.open("100"), till.open("5")
    hold = made(till.hold(ann, bob, "10"))["id"]
    every = [
        made(till.pay(ann, "1")),
        made(till.withdraw(ann, "1")),
        made(till.transfer(ann, bob, "1")),
        made(till.capture(hold, "1", final=False)),
        made(till.void(hold)),
        made(till.refund(made(till.pay(ann, "1"))["id"])),
    ]
    assert {one["kind"] for one in every} | {"hold", "expiry"} == set(Kind)
    assert [set(read(till, one["id"])) for one in every] == [
        {"refunded"} if Kind(one["kind"]) in REFUNDABLE else set() for one in every
    ]


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_they_have_the_decimals_of_their_currency(till: Till, currency: str) -> None:
    ann, none = till.open(currency=currency), {"JPY": "0", "KWD": "0.000"}[currency]
    assert read(till, made(till.pay(ann, "5"))["id"]) == {"refunded": none}
    hold = made(till.hold(ann, None, "5"))["id"]
    made(till.void(hold))
    assert read(till, hold) == {"remaining": none}


def test_no_answer_to_a_post_says_them_whenever_it_is_given(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "10"))["id"]
    asked: list[tuple[str, Any]] = [
        ("/transaction", transfer(ann, bob, "5")),
        ("/transaction", transfer(ann, bob, "5") | {"hold": {}}),
        (f"/transaction/{hold}/capture", {"amount": "2", "final": False}),
        (f"/account/{ann}/payment", {"amount": "5"}),
        ("/transaction/batch", {"transactions": [transfer(ann, bob, "1"), {"capture": hold, "final": False}]}),
    ]
    for path, body in asked:
        key = str(uuid4())
        rehearsed = till.post(f"{path}?dry_run=true", body)
        first = till.post(path, body, Idempotency_Key=key)
        if "results" not in first.body and first.body["kind"] in REFUNDABLE:
            made(till.refund(first.body["id"], "1"))
        again = till.post(path, body, Idempotency_Key=key)
        assert again.body == first.body
        assert not (said(rehearsed) | said(first)) & READ_ONLY
    assert not said(till.post("/transaction", transfer(ann, bob, "1"), Prefer="respond-async")) & READ_ONLY


def said(answer: Answer) -> set[str]:
    """The fields of the transactions in it."""
    assert answer.status in {200, 201, 202}, answer
    return {name for one in answer.body.get("results", [{"transaction": answer.body}]) for name in one["transaction"]}
