"""Money that waits: reserved, captured in part or whole, released, and free again when its time is up."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.http.test_accounts import TIME
from tests.support.database import Database
from tests.support.service import serving
from tests.support.till import Till, made
from tests.support.waiting import wait_until

WEEK = timedelta(days=7)  # what a hold lasts if nothing is said
MONTH_S = 30 * 24 * 3_600  # and at most


def lifetime(hold: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(hold["expires_at"]) - datetime.fromisoformat(hold["ctime"])


def test_a_hold_reserves_and_moves_nothing(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    answer = till.hold(ann, bob, "30")
    hold = made(answer)
    assert answer.headers["Location"] == f"/transaction/{hold['id']}"
    assert TIME.fullmatch(hold["expires_at"])
    assert lifetime(hold) == WEEK
    assert {**hold, "id": 0, "ctime": "", "expires_at": ""} == {
        "id": 0,
        "kind": "hold",
        "status": "held",
        "source_account_id": ann,
        "target_account_id": bob,
        "amount": "30.00",
        "currency": "USD",
        "parent_id": None,
        "group_id": None,
        "idempotency_key": None,
        "metadata": {},
        "ctime": "",
        "expires_at": "",
    }
    assert till.answered(hold["id"]) == hold
    assert till.money(ann) == ("100.00", "30.00", "70.00")
    assert till.money(bob) == ("0.00", "0.00", "0.00")
    assert (till.account(ann)["version"], till.account(bob)["version"]) == (2, 0)


@pytest.mark.parametrize("seconds", [1, 60, MONTH_S])
def test_a_hold_lasts_as_long_as_it_was_asked_to(till: Till, seconds: int) -> None:
    hold = made(till.hold(till.open("1"), till.open(), "1", expires_in=seconds))
    assert lifetime(hold) == timedelta(seconds=seconds)


def test_what_is_held_cannot_be_spent(till: Till) -> None:
    ann, bob = till.open("100", min_balance="-10"), till.open()
    made(till.hold(ann, bob, "80"))
    assert till.money(ann).available == "30.00"
    for refused in (till.withdraw(ann, "30.01"), till.transfer(ann, bob, "30.01"), till.hold(ann, None, "30.01")):
        assert (refused.status, refused.body["code"]) == (409, "insufficient-funds")
        assert (refused.body["available"], refused.body["required"]) == ("30.00", "30.01")
    made(till.hold(ann, None, "20"))
    made(till.withdraw(ann, "10"))
    assert till.money(ann) == ("90.00", "100.00", "0.00")


def test_all_of_a_hold_is_captured_if_no_amount_is_given(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))
    answer = till.post(f"/transaction/{hold['id']}/capture")
    capture = made(answer)
    assert answer.headers["Location"] == f"/transaction/{capture['id']}"
    assert "expires_at" not in capture
    assert (capture["kind"], capture["status"], capture["amount"]) == ("capture", "posted", "30.00")
    assert (capture["source_account_id"], capture["target_account_id"]) == (ann, bob)
    assert capture["parent_id"] == hold["id"]
    assert till.answered(capture["id"]) == capture
    assert till.answered(hold["id"]) == hold | {"status": "captured"}
    assert till.money(ann) == ("70.00", "0.00", "70.00")
    assert till.money(bob) == ("30.00", "0.00", "30.00")


def test_what_is_captured_of_a_part_releases_the_rest(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]
    assert made(till.capture(hold, "12.345"))["amount"] == "12.34"
    assert till.status(hold) == "captured"
    assert till.money(ann) == ("87.66", "0.00", "87.66")
    assert till.money(bob).balance == "12.34"


def test_a_hold_is_captured_in_parts_until_one_is_final(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]
    steps: list[tuple[dict[str, Any], str, Any]] = [
        ({"amount": "10", "final": False}, "held", ("90.00", "20.00", "70.00")),
        ({"amount": "5", "final": False}, "held", ("85.00", "15.00", "70.00")),
        ({"amount": "1", "final": True}, "captured", ("84.00", "0.00", "84.00")),
    ]
    for body, status, money in steps:
        made(till.capture(hold, **body))
        assert (till.status(hold), till.money(ann)) == (status, money)
    assert till.money(bob).balance == "16.00"


def test_a_capture_that_is_not_final_but_takes_all_ends_the_hold(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))["id"]
    made(till.capture(hold, "30", final=False))
    assert till.status(hold) == "captured"
    assert till.capture(hold, "0.01").body["code"] == "hold-not-open"


def test_a_part_may_be_captured_and_the_rest_voided(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30"))
    made(till.capture(hold["id"], "10", final=False))
    void = made(till.void(hold["id"]))
    assert (void["kind"], void["status"], void["amount"]) == ("void", "posted", "20.00")
    assert (void["source_account_id"], void["target_account_id"], void["parent_id"]) == (ann, bob, hold["id"])
    assert till.answered(hold["id"]) == hold | {"status": "voided"}
    assert till.money(ann) == ("90.00", "0.00", "90.00")
    assert till.account(bob)["version"] == 1  # the void is no business of the target


def test_a_hold_may_be_for_a_withdrawal(till: Till) -> None:
    ann = till.open("100")
    hold = made(till.hold(ann, None, "30"))
    assert hold["target_account_id"] is None
    left_out = {"source_account_id": ann, "amount": "5", "hold": {}}
    assert made(till.post("/transaction", left_out))["target_account_id"] is None
    capture = made(till.capture(hold["id"], "25"))
    assert (capture["kind"], capture["source_account_id"], capture["target_account_id"]) == ("capture", ann, None)
    assert till.money(ann) == ("75.00", "5.00", "70.00")


def test_what_captures_and_voids_has_notes_of_its_own(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    body = {"source_account_id": ann, "target_account_id": bob, "amount": "5", "hold": {}, "metadata": {"order": "7"}}
    hold = made(till.post("/transaction", body))
    assert hold["metadata"] == {"order": "7"}
    assert made(till.capture(hold["id"], "1", final=False, metadata={"parcel": "1"}))["metadata"] == {"parcel": "1"}
    void = made(till.post(f"/transaction/{hold['id']}/void", {"metadata": {"why": "late"}}))
    assert void["metadata"] == {"why": "late"}


@pytest.mark.parametrize("body", [b"", b"{}"])
@pytest.mark.parametrize("word", ["capture", "void"])
def test_what_needs_no_body_may_come_without_one(till: Till, word: str, body: bytes) -> None:
    hold = made(till.hold(till.open("5"), till.open(), "5"))["id"]
    assert made(till.post(f"/transaction/{hold}/{word}", {} if body else None))["amount"] == "5.00"


def test_a_hold_whose_time_is_up_lets_its_money_go(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30", expires_in=1))
    made(till.capture(hold["id"], "10", final=False))
    wait_until(lambda: till.status(hold["id"]) == "expired", "the hold expires")
    assert till.money(ann) == ("90.00", "0.00", "90.00")
    assert till.answered(hold["id"]) == hold | {"status": "expired"}
    assert till.account(ann)["version"] == 4  # payment, hold, capture, expiry
    for answer in (till.capture(hold["id"]), till.capture(hold["id"], "500"), till.void(hold["id"])):
        assert (answer.status, answer.body["code"]) == (409, "hold-expired")
        assert (answer.body["transaction_id"], answer.body["expires_at"]) == (hold["id"], hold["expires_at"])


def test_a_hold_ends_with_its_time_even_before_that_is_booked(database: Database) -> None:
    with serving(database.service_url, workers="1", background_poll_ms="3600000") as service:
        till = Till(service)
        ann, bob = till.open("10"), till.open()
        hold = made(till.hold(ann, bob, "5", expires_in=1))
        made(till.capture(hold["id"], "1", final=False))
        end = datetime.fromisoformat(hold["expires_at"])
        wait_until(lambda: datetime.now(UTC) > end, "the hold's time is up")
        for answer in (till.capture(hold["id"]), till.void(hold["id"]), till.batch({"capture": hold["id"]})):
            problem = answer.body.get("cause", answer.body)
            assert (answer.status, problem["code"], problem["transaction_id"]) == (409, "hold-expired", hold["id"])
        assert till.money(bob).balance == "1.00"


def test_an_expiry_is_a_transaction_of_its_own(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "30", expires_in=1))
    wait_until(lambda: till.status(hold["id"]) == "expired", "the hold expires")
    later = (till.call("GET", f"/transaction/{id_}").body for id_ in count(hold["id"] + 1))
    expiry = next(one for one in later if one.get("parent_id") == hold["id"])
    assert (expiry["kind"], expiry["status"], expiry["amount"]) == ("expiry", "posted", "30.00")
    assert (expiry["source_account_id"], expiry["target_account_id"]) == (ann, bob)
    assert expiry["ctime"] >= hold["expires_at"]
    refused = till.void(expiry["id"])
    assert refused.body["detail"] == f"Transaction {expiry['id']} is an expiry, not a hold."
    assert (
        till.refund(expiry["id"]).body["detail"] == f"Transaction {expiry['id']} cannot be refunded: it is an expiry."
    )


def test_a_hold_reserves_in_the_decimals_of_its_currency(till: Till) -> None:
    yen = till.open("100", currency="JPY")
    hold = made(till.hold(yen, None, "10.5"))
    assert (hold["amount"], hold["currency"]) == ("10", "JPY")
    assert till.money(yen) == ("100", "10", "90")
