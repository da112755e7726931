"""Money that returns: the way it came, in parts or whole, never more of it than went."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.till import Till, made

Made = Callable[[Till, int, int], dict[str, Any]]

# Each of the kinds that can be refunded, of 30.00; its source and target, if it is Ann's or Bob's.
ORIGINALS: dict[str, tuple[Made, bool, bool]] = {
    "payment": (lambda till, _, bob: made(till.pay(bob, "30")), False, True),
    "withdrawal": (lambda till, ann, _: made(till.withdraw(ann, "30")), True, False),
    "transfer": (lambda till, ann, bob: made(till.transfer(ann, bob, "30")), True, True),
    "capture": (lambda till, ann, bob: made(till.capture(made(till.hold(ann, bob, "30"))["id"])), True, True),
    "capture of a withdrawal": (
        lambda till, ann, _: made(till.capture(made(till.hold(ann, None, "30"))["id"])),
        True,
        False,
    ),
}


@pytest.mark.parametrize("kind", ORIGINALS)
def test_money_goes_back_the_way_it_came(till: Till, kind: str) -> None:
    ann, bob = till.open("100"), till.open("5")
    make, has_source, has_target = ORIGINALS[kind]
    before = till.money(ann), till.money(bob)
    original = make(till, ann, bob)
    answer = till.refund(original["id"])
    refund = made(answer)
    assert answer.headers["Location"] == f"/transaction/{refund['id']}"
    assert refund["source_account_id"] == (bob if has_target else None)
    assert refund["target_account_id"] == (ann if has_source else None)
    assert (refund["kind"], refund["status"], refund["amount"]) == ("refund", "posted", "30.00")
    assert (refund["parent_id"], refund["currency"]) == (original["id"], "USD")
    assert till.answered(refund["id"]) == refund
    assert till.answered(original["id"]) == original
    assert (till.money(ann), till.money(bob)) == before


@pytest.mark.parametrize("kind", ORIGINALS)
def test_refunds_never_add_up_to_more_than_the_original(till: Till, kind: str) -> None:
    ann, bob = till.open("100"), till.open("5")
    original = ORIGINALS[kind][0](till, ann, bob)["id"]
    made(till.refund(original, "10"))
    made(till.refund(original, "12.345"))  # 12.34
    problem = assert_problem(till.refund(original, "7.67"), "refund-exceeds-original")
    facts = [problem[name] for name in ("transaction_id", "amount", "refunded", "required")]
    assert facts == [original, "30.00", "22.34", "7.67"]
    assert problem["detail"] == f"Transaction {original} was 30.00 USD, 22.34 of it is refunded already."
    assert made(till.refund(original))["amount"] == "7.66"
    for amount in (None, "0.01"):
        assert assert_problem(till.refund(original, amount), "refund-exceeds-original")["refunded"] == "30.00"
    assert till.money(ann).balance == "100.00"


def test_a_refund_has_notes_of_its_own(till: Till) -> None:
    payment = made(till.pay(till.open(), "5"))["id"]
    refund = made(till.post(f"/transaction/{payment}/refund", {"amount": "1", "metadata": {"why": "broken"}}))
    assert refund["metadata"] == {"why": "broken"}
    assert made(till.post(f"/transaction/{payment}/refund", {"metadata": {}}))["amount"] == "4.00"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-5"}, "/amount"),
        ({"amount": "0.005"}, "/amount"),
        ({"amount": None}, "/amount"),
        ({"amount": "half"}, "/amount"),
        ({"final": True}, "/final"),
        ({"metadata": {"": "x"}}, "/metadata/"),
    ],
)
def test_a_refund_that_cannot_be_sends_nothing_back(till: Till, body: dict[str, Any], pointer: str) -> None:
    ann = till.open()
    payment = made(till.pay(ann, "5"))["id"]
    problem = assert_problem(till.post(f"/transaction/{payment}/refund", body), "validation-failed")
    assert problem["errors"][0]["pointer"] == pointer
    assert till.account(ann)["version"] == 1


def test_only_what_has_moved_money_can_be_refunded(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    held, voided = (made(till.hold(ann, bob, "10"))["id"] for _ in range(2))
    others = {
        "hold": held,
        "void": made(till.void(voided))["id"],
        "refund": made(till.refund(made(till.pay(ann, "5"))["id"]))["id"],
    }
    for kind, transaction_id in others.items():
        problem = assert_problem(till.refund(transaction_id), "not-refundable")
        assert (problem["transaction_id"], problem["kind"]) == (transaction_id, kind)
        assert problem["detail"] == f"Transaction {transaction_id} cannot be refunded: it is a {kind}."
    assert till.money(ann) == ("100.00", "10.00", "90.00")


def test_a_refund_is_refused_when_the_money_is_no_longer_there(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    original = made(till.transfer(ann, bob, "30"))["id"]
    made(till.withdraw(bob, "20"))
    problem = assert_problem(till.refund(original), "insufficient-funds")
    assert (problem["account_id"], problem["available"], problem["required"]) == (bob, "10.00", "30.00")
    made(till.refund(original, "10"))
    made(till.pay(bob, "20"))
    assert made(till.refund(original))["amount"] == "20.00"


def test_what_is_held_cannot_be_sent_back(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    original = made(till.transfer(ann, bob, "30"))["id"]
    hold = made(till.hold(bob, None, "25"))["id"]
    assert assert_problem(till.refund(original), "insufficient-funds")["available"] == "5.00"
    made(till.void(hold))
    made(till.refund(original))


def test_a_refund_may_not_fill_its_target_too_full(till: Till) -> None:
    ann, bob = till.open("100", max_balance="100"), till.open()
    original = made(till.transfer(ann, bob, "30"))["id"]
    made(till.pay(ann, "20"))
    problem = assert_problem(till.refund(original), "balance-limit-exceeded")
    assert (problem["account_id"], problem["balance"], problem["amount"]) == (ann, "90.00", "30.00")
    made(till.refund(original, "10"))


@pytest.mark.parametrize(("status", "code"), [("frozen", "account-frozen"), ("closed", "account-closed")])
@pytest.mark.parametrize("side", ["source", "target"])
def test_no_refund_to_or_from_an_account_that_is_frozen_or_closed(
    till: Till, status: str, code: str, side: str
) -> None:
    ann, bob = till.open("30"), till.open()
    original = made(till.transfer(ann, bob, "30"))["id"]
    if side == "source":
        made(till.withdraw(bob, "30"))
    shut = {"source": bob, "target": ann}[side]
    assert till.change(shut, status=status).status == 200
    assert assert_problem(till.refund(original), code)["account_id"] == shut
    assert till.account(shut)["balance"] == "0.00"


def test_the_same_key_refunds_once(till: Till) -> None:
    ann = till.open("5")
    payment = made(till.pay(ann, "30"))["id"]
    key = f"refund-{payment}"
    first, again = (till.refund(payment, "10", Idempotency_Key=key) for _ in range(2))
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.body["idempotency_key"] == key
    assert assert_problem(till.refund(payment, Idempotency_Key=key), "idempotency-key-reused")["field"] == "amount"
    other = made(till.pay(ann, "30"))["id"]
    reused = assert_problem(till.refund(other, "10", Idempotency_Key=key), "idempotency-key-reused")
    assert reused["field"] == "parent_id"
    assert till.money(ann).balance == "55.00"
