"""Transactions that are made together, in order: all of them or none, or each for itself."""

from typing import Any

import pytest

from tests.support.service import Answer
from tests.support.till import Till, found, made, transfer


def transactions(answer: Answer) -> list[dict[str, Any]]:
    """What each member has made; none was refused."""
    return [result["transaction"] for result in answer.body["results"]]


def problems(answer: Answer) -> list[str | None]:
    """The code of each member's problem, if it has one."""
    return [result["problem"]["code"] if "problem" in result else None for result in answer.body["results"]]


def test_a_payment_has_several_legs(till: Till) -> None:
    buyer, seller, fees = till.open("100"), till.open(), till.open()
    answer = till.batch(transfer(buyer, seller, "95"), transfer(buyer, fees, "5"))
    group = made(answer)["group_id"]
    assert isinstance(group, int)
    to_seller, to_fees = transactions(answer)
    assert (to_seller["kind"], to_seller["amount"], to_seller["group_id"]) == ("transfer", "95.00", group)
    assert (to_fees["kind"], to_fees["amount"], to_fees["group_id"]) == ("transfer", "5.00", group)
    assert to_seller["ctime"] == to_fees["ctime"]
    assert [till.answered(one["id"]) for one in (to_seller, to_fees)] == [to_seller, to_fees]
    assert [till.money(one).balance for one in (buyer, seller, fees)] == ["0.00", "95.00", "5.00"]


def test_a_payment_of_which_one_leg_fails_moves_nothing(till: Till) -> None:
    buyer, seller, fees = till.open("100"), till.open(), till.open(max_balance="1")
    answer = till.batch(transfer(buyer, seller, "95"), transfer(buyer, fees, "5"))
    assert (answer.status, answer.body["code"], answer.body["index"]) == (409, "batch-refused", 1)
    assert answer.body["cause"]["code"] == "balance-limit-exceeded"
    assert [till.account(one)["version"] for one in (buyer, seller, fees)] == [1, 0, 0]


def test_every_kind_of_member_can_be_in_one_batch(till: Till) -> None:
    ann, bob = till.open("100"), till.open("100")
    to_capture, to_void = (made(till.hold(ann, bob, "10"))["id"] for _ in range(2))
    to_refund = made(till.transfer(ann, bob, "10"))["id"]
    members: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (transfer(ann, bob, "1"), {"kind": "transfer", "source_account_id": ann, "target_account_id": bob}),
        (transfer(None, bob, "2"), {"kind": "payment", "source_account_id": None, "target_account_id": bob}),
        (transfer(bob, None, "3"), {"kind": "withdrawal", "source_account_id": bob, "target_account_id": None}),
        (transfer(ann, bob, "4") | {"hold": {"expires_in": 60}}, {"kind": "hold", "status": "held"}),
        (transfer(ann, None, "5") | {"hold": {}}, {"kind": "hold", "target_account_id": None}),
        ({"source_account_id": ann, "amount": "6", "hold": {}}, {"kind": "hold", "target_account_id": None}),
        ({"capture": to_capture, "amount": "7", "final": False}, {"kind": "capture", "parent_id": to_capture}),
        ({"capture": to_capture}, {"kind": "capture", "amount": "3.00"}),
        ({"void": to_void}, {"kind": "void", "amount": "10.00", "parent_id": to_void}),
        ({"refund": to_refund, "amount": "8"}, {"kind": "refund", "source_account_id": bob, "parent_id": to_refund}),
        ({"refund": to_refund}, {"kind": "refund", "amount": "2.00"}),
    ]
    answer = till.batch(*[member for member, _ in members])
    group = made(answer)["group_id"]
    for one, (_, expected) in zip(transactions(answer), members, strict=True):
        assert one == one | expected | {"group_id": group}
        assert till.answered(one["id"]) == one
    assert till.money(ann) == ("89.00", "15.00", "74.00")
    assert till.money(bob) == ("110.00", "0.00", "110.00")


def test_later_members_see_what_earlier_ones_did(till: Till) -> None:
    ann, bob, cem = till.open(), till.open(), till.open()
    made(till.batch(transfer(None, ann, "10"), transfer(ann, bob, "10"), transfer(bob, cem, "10")))
    assert [till.money(one).balance for one in (ann, bob, cem)] == ["0.00", "0.00", "10.00"]
    backwards = till.batch(transfer(bob, cem, "10"), transfer(ann, bob, "10"), transfer(None, ann, "10"))
    assert (backwards.status, backwards.body["index"]) == (409, 0)
    assert backwards.body["cause"]["code"] == "insufficient-funds"


def test_a_member_sees_what_an_earlier_one_reserves_captures_and_refunds(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "50"))["id"]
    payment = made(till.pay(ann, "10"))["id"]
    answer = till.batch(
        transfer(ann, bob, "60") | {"hold": {}},
        transfer(ann, bob, "0.01"),
        {"capture": hold, "amount": "20", "final": False},
        {"capture": hold, "amount": "30.01"},
        {"void": hold},
        {"void": hold},
        {"refund": payment},
        {"capture": hold},
        atomic=False,
    )
    assert problems(answer) == [
        None,
        "insufficient-funds",
        None,
        "capture-exceeds-hold",
        None,
        "hold-not-open",
        None,
        "hold-not-open",
    ]
    assert till.money(ann) == ("80.00", "60.00", "20.00")


def test_a_batch_that_is_not_atomic_answers_for_each(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    answer = till.batch(
        transfer(ann, bob, "4"), transfer(ann, bob, "7"), transfer(ann, ann, "1"), transfer(ann, bob, "6"), atomic=False
    )
    body = found(answer)
    assert set(body) == {"results"}
    assert problems(answer) == [None, "insufficient-funds", "same-account", None]
    assert [body["results"][index]["transaction"]["amount"] for index in (0, 3)] == ["4.00", "6.00"]
    assert [body["results"][index]["transaction"]["group_id"] for index in (0, 3)] == [None, None]
    assert body["results"][1]["problem"]["available"] == "6.00"
    assert till.money(bob).balance == "10.00"


def test_a_batch_is_atomic_unless_it_says_otherwise(till: Till) -> None:
    ann = till.open("10")
    members = [transfer(ann, None, "5"), transfer(ann, None, "50")]
    for atomic in (None, True):
        assert till.batch(*members, atomic=atomic).body["code"] == "batch-refused"
    assert found(till.batch(*members, atomic=False))["results"][0]["transaction"]["amount"] == "5.00"
    assert till.money(ann).balance == "5.00"


def test_a_batch_of_one_is_a_batch(till: Till) -> None:
    answer = till.batch(transfer(None, till.open(), "1"))
    assert made(answer)["group_id"] == transactions(answer)[0]["group_id"]


def test_every_atomic_batch_has_a_group_of_its_own(till: Till) -> None:
    ann = till.open()
    groups = {made(till.batch(transfer(None, ann, "1")))["group_id"] for _ in range(3)}
    assert len(groups) == 3


def test_a_batch_may_name_one_account_a_thousand_times(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    answer = till.batch(*[transfer(ann, bob, "0.01")] * 1_000)
    made(answer)
    assert len({one["id"] for one in transactions(answer)}) == 1_000
    assert (till.money(ann).balance, till.money(bob).balance) == ("0.00", "10.00")
    assert (till.account(ann)["version"], till.account(bob)["version"]) == (1_001, 1_000)


def test_a_thousand_members_may_go_round_in_a_circle(till: Till) -> None:
    ring = [till.open("1"), till.open(), till.open()]
    members = [transfer(ring[n % 3], ring[(n + 1) % 3], "1") for n in range(999)]
    made(till.batch(*members))
    assert [till.money(one).balance for one in ring] == ["1.00", "0.00", "0.00"]


@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_may_be_larger_than_other_bodies(till: Till, *, atomic: bool) -> None:
    ann = till.open()
    notes = {"note": "x" * 400}
    answer = till.batch(*[transfer(None, ann, "0.01") | {"metadata": notes}] * 1_000, atomic=atomic)
    assert answer.status == (201 if atomic else 200)
    assert [one["metadata"] for one in transactions(answer)] == [notes] * 1_000
    assert till.money(ann).balance == "10.00"


def test_amounts_in_a_batch_are_rounded_one_by_one(till: Till) -> None:
    ann = till.open()
    answer = till.batch(*[transfer(None, ann, amount) for amount in ("0.015", 0.025, "0.0149")])
    made(answer)
    assert [one["amount"] for one in transactions(answer)] == ["0.02", "0.02", "0.01"]


def test_a_batch_may_have_members_of_many_currencies(till: Till) -> None:
    usd, yen = till.open("5"), till.open("500", currency="JPY")
    answer = till.batch(transfer(usd, None, "5"), transfer(yen, None, "500"))
    made(answer)
    assert [(one["amount"], one["currency"]) for one in transactions(answer)] == [("5.00", "USD"), ("500", "JPY")]


def test_a_batch_is_never_put_off(till: Till) -> None:
    answer = till.batch(transfer(None, till.open(), "1"), Prefer="respond-async")
    assert (answer.status, answer.headers.get("Preference-Applied")) == (201, None)
