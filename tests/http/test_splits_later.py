"""What splits have in common with all other requests: names, labels, limits by time, and times of their own."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.http.test_splits import amounts, of, source, target, to, transactions
from tests.support.till import Till, found, made
from tests.support.waiting import wait_until


def test_accounts_of_a_split_are_asked_for_by_name_too(till: Till) -> None:
    names = [f"split:{uuid4()}" for _ in range(3)]
    ann, bob, cat = (till.open(balance, name=name) for balance, name in zip(("100", None, None), names, strict=True))
    key = str(uuid4())
    legs = [{"target": names[1], "share": "50%"}, {"target_account_id": cat, "remaining": True}]
    body = {"source": names[0], "amount": "3", "targets": legs}
    first, second = transactions(till.post("/transaction", body, Idempotency_Key=key))
    assert [(one["source_account_id"], one["target_account_id"]) for one in (first, second)] == [(ann, bob), (ann, cat)]
    assert (first["source"], first["target"]) == (names[0], names[1])
    other = body | {"targets": [{"target_account_id": bob, "share": "50%"}, legs[1]]}
    reused = till.post("/transaction", other, Idempotency_Key=key)
    assert (reused.status, reused.body["field"]) == (422, "targets/0/target_account_id")
    made(till.batch({"sources": [{"source": names[1]}, {"source": names[2]}], "target": names[0], "amount": "2"}))
    assert till.money(ann).balance == "99.00"


def test_a_name_that_nobody_has_is_not_found(till: Till) -> None:
    body = {"source_account_id": till.open("1"), "amount": "1", "targets": [{"target": "nobody:here", "share": "100%"}]}
    answer = till.post("/transaction", body)
    assert (answer.status, answer.body["code"]) == (404, "account-not-found")
    assert (answer.body["name"], answer.body["pointer"]) == ("nobody:here", "/targets/0/target")


@pytest.mark.parametrize("is_there", [False, True])
def test_a_name_on_both_sides_is_one_account_whether_it_is_there_or_not(till: Till, *, is_there: bool) -> None:
    name = f"both:{uuid4()}"
    ids = {"account_id": till.open("5", name=name)} if is_there else {}
    legs = [{"target_account_id": till.open(), "share": "50%"}, {"target": name, "share": "50%"}]
    answer = till.post("/transaction", {"source": name, "amount": "1", "targets": legs})
    assert (answer.status, answer.body["code"]) == (422, "same-account")
    assert {key: answer.body[key] for key in ("account_id", "name") if key in answer.body} == ids | {"name": name}


def test_a_split_can_be_scheduled(till: Till) -> None:
    ann, bob = till.open("5"), till.open()
    body = to(ann, "3", target(bob, "100%"), execute_at="2020-01-01T00:00:00Z")
    answer = till.post("/transaction", body)
    assert (answer.status, answer.body["status"]) == (202, "queued")
    assert till.decided(answer.body["id"])["status"] == "posted"


def test_labels_of_a_split_are_on_each_leg_and_what_follows_keeps_the_reference(till: Till) -> None:
    ann, bob, cat = till.open("9"), till.open(), till.open()
    said = {"reference": "order 7", "description": "lunch", "effective_on": "2026-02-28", "metadata": {"of": "ann"}}
    key = str(uuid4())
    body = to(ann, "4", target(bob, "1/2"), target(cat, "1/2"), hold={}, **said)
    answer = till.post("/transaction", body, Idempotency_Key=key)
    assert [{name: one[name] for name in said} for one in transactions(answer)] == [said, said]
    path = f"/split/{answer.body['group_id']}/capture"
    captured = transactions(till.post(path, {"description": "eaten"}))
    assert [(one["reference"], one["description"], one["metadata"]) for one in captured] == [
        ("order 7", "eaten", {})
    ] * 2
    for name, other in (("reference", "order 8"), ("effective_on", None), ("description", "dinner"), ("metadata", {})):
        reused = till.post("/transaction", body | {name: other}, Idempotency_Key=key)
        assert (reused.status, reused.body["field"]) == (422, name)


def test_limits_by_time_hold_for_splits(till: Till) -> None:
    ann, bob, cat = till.open("50"), till.open("50"), till.open()
    till.change(ann, limits=[{"per": "1d", "out": "10"}])
    drawn = till.post("/transaction", of(cat, "12", source(ann), source(bob)))
    assert amounts(drawn) == ["10.00", "2.00"]
    refused = till.post("/transaction", to(ann, "2", target(bob, "1/2"), target(cat, "1/2")))
    assert (refused.status, refused.body["code"]) == (409, "limit-exceeded")
    assert (refused.body["account_id"], refused.body["amount"], refused.body["left"]) == (ann, "2.00", "0.00")
    dan = till.open(limits=[{"per": "1h", "in": "3"}])
    refused = till.post("/transaction", to(cat, "4", target(dan, "1/2"), target(dan, remaining=True)))
    assert (refused.body["code"], refused.body["direction"], refused.body["left"]) == ("limit-exceeded", "in", "1.00")
    made(till.post("/transaction", to(cat, "3", target(dan, "1/2"), target(dan, remaining=True))))
    assert [till.money(one).balance for one in (ann, bob, cat, dan)] == ["40.00", "48.00", "9.00", "3.00"]


def test_a_scheduled_split_may_name_an_account_that_is_opened_meanwhile(till: Till) -> None:
    ann, name = till.open("5"), f"later:{uuid4()}"
    legs = [{"target": name, "share": "100%"}]
    when = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    queued = till.post("/transaction", {"source_account_id": ann, "amount": "3", "targets": legs, "execute_at": when})
    assert (queued.status, queued.body["targets"]) == (202, legs)
    bob = till.open(name=name)
    done = till.decided(queued.body["id"])
    assert (done["status"], done["target_account_id"], done["target"]) == ("posted", bob, name)


def test_a_scheduled_split_is_declined_if_an_account_was_closed_meanwhile(till: Till) -> None:
    ann, bob = till.open("5"), till.open()
    when = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    queued = till.post("/transaction", to(ann, "3", target(bob, "100%"), execute_at=when))
    till.change(bob, status="closed")
    done = till.decided(queued.body["id"])
    assert (done["status"], done["problem"]["code"]) == ("declined", "account-closed")
    assert till.money(ann).balance == "5.00"


def test_a_scheduled_split_can_be_cancelled(till: Till) -> None:
    ann, bob = till.open("5"), till.open()
    when = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    queued = till.post("/transaction", to(ann, "3", target(bob, "100%"), execute_at=when))
    cancelled = found(till.cancel(queued.body["id"]))
    assert (cancelled["status"], cancelled["targets"]) == ("cancelled", queued.body["targets"])


def test_the_holds_of_a_split_are_captured_by_themselves(till: Till) -> None:
    ann, bob, cat = till.open("5"), till.open(), till.open()
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    held = till.post("/transaction", to(ann, "4", target(bob, "1/4"), target(cat, "3/4"), hold={"capture_at": at}))
    path = f"/split/{made(held)['group_id']}"
    assert "capture_at" in transactions(held)[0]
    wait_until(
        lambda: {one["status"] for one in transactions(till.call("GET", path))} == {"captured"},
        "the holds are captured",
    )
    assert [till.money(one).balance for one in (ann, bob, cat)] == ["1.00", "1.00", "3.00"]


def test_a_target_that_is_frozen_when_the_clock_captures_keeps_only_its_own_hold_open(till: Till) -> None:
    ann, bob, cat = till.open("5"), till.open(), till.open()
    at = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    held = made(
        till.post("/transaction", to(ann, "4", target(bob, "1/4"), target(cat, "3/4"), hold={"capture_at": at}))
    )
    first, second = (one["transaction"]["id"] for one in held["results"])
    till.change(bob, status="frozen")
    wait_until(lambda: till.status(second) == "captured", "the other one is captured")
    assert (till.status(first), till.money(cat).balance) == ("held", "3.00")
    refused = till.post(f"/split/{held['group_id']}/capture")
    assert (refused.status, refused.body["code"]) == (409, "batch-refused")
    till.change(bob, status="open")
    made(till.capture(first))
    assert till.money(bob).balance == "1.00"


@pytest.mark.parametrize("execute_at", [None, "2026-01-01T00:00:00Z"])
def test_holds_that_would_be_captured_after_their_end_are_refused(till: Till, execute_at: str | None) -> None:
    late = (datetime.now(UTC) + timedelta(seconds=120)).isoformat()
    more = {} if execute_at is None else {"execute_at": execute_at}
    ann, bob = till.open("5"), till.open()
    body = to(ann, "3", target(bob, "100%"), hold={"expires_in": 60, "capture_at": late}, **more)
    answer = till.post("/transaction", body)
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/hold/capture_at")
