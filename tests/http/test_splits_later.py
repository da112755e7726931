"""Splits between accounts that are asked for by their names, and splits at a time of their own."""

from uuid import uuid4

from tests.http.test_splits import target, to, transactions
from tests.support.till import Till, made


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


def test_a_split_can_be_scheduled(till: Till) -> None:
    ann, bob = till.open("5"), till.open()
    body = to(ann, "3", target(bob, "100%"), execute_at="2020-01-01T00:00:00Z")
    answer = till.post("/transaction", body)
    assert (answer.status, answer.body["status"]) == (202, "queued")
    assert till.decided(answer.body["id"])["status"] == "posted"
