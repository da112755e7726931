"""Keys of batches and of their members: each gives one answer, for ever."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_batches import problems, transactions
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, found, made, transfer


def keyed(member: dict[str, Any], key: str) -> dict[str, Any]:
    return member | {"idempotency_key": key}


def key_of(name: str) -> str:
    return f"{name}-{uuid4()}"


@pytest.mark.parametrize("atomic", [True, False])
def test_the_same_key_gives_the_same_batch(till: Till, *, atomic: bool) -> None:
    ann, bob = till.open("10"), till.open()
    hold = made(till.hold(ann, bob, "1"))["id"]
    members = [
        transfer(ann, bob, "1.005"),
        {"capture": hold, "amount": "0.5", "final": False},
        keyed(transfer(ann, None, "2") | {"hold": {"expires_in": 60}, "metadata": {"b": "1", "a": "2"}}, key_of("m")),
        {"void": hold},
    ]
    key = key_of("batch")
    first = till.batch(*members, atomic=atomic, Idempotency_Key=key)
    assert all("transaction" in result for result in first.body["results"])
    made(till.pay(ann, "100"))
    again = till.batch(*members, atomic=atomic, Idempotency_Key=key)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert till.money(ann) == ("108.50", "2.00", "106.50")


def test_a_refused_batch_stays_refused_and_uses_no_members_key_up(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    key, member_key = key_of("batch"), key_of("member")
    member = keyed(transfer(ann, bob, "5"), member_key)
    members = (member, transfer(ann, bob, "50"))
    first = till.batch(*members, Idempotency_Key=key)
    assert assert_problem(first, "batch-refused")["index"] == 1
    made(till.pay(ann, "100"))
    again = till.batch(*members, Idempotency_Key=key)
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    fresh = till.batch(*members)
    assert transactions(fresh)[0]["idempotency_key"] == member_key
    assert till.money(bob).balance == "55.00"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"atomic": False}, "atomic"),
        ({"transactions": 1}, "transactions"),
        ({"amount": "3"}, "transactions/1/amount"),
        ({"idempotency_key": "other"}, "transactions/1/idempotency_key"),
        ({"target_account_id": None}, "transactions/1/target_account_id"),
        ({"metadata": {"a": "b"}}, "transactions/1/metadata"),
        ({"hold": {}}, "transactions/1/hold"),
    ],
)
def test_the_same_key_with_another_batch_names_what_differs(till: Till, change: dict[str, Any], field: str) -> None:
    ann, bob = till.open("10"), till.open()
    key = key_of("batch")
    members = [transfer(ann, bob, "1"), transfer(ann, bob, "2")]
    made(till.batch(*members, Idempotency_Key=key))
    atomic = change.pop("atomic", True)
    changed = members[:1] if change.pop("transactions", None) else [members[0], members[1] | change]
    answer = till.batch(*changed, atomic=atomic, Idempotency_Key=key)
    assert assert_problem(answer, "idempotency-key-reused")["field"] == field
    single = till.transfer(ann, bob, "1", Idempotency_Key=key)
    assert assert_problem(single, "idempotency-key-reused")["field"] == "kind"
    assert till.money(bob).balance == "3.00"


@pytest.mark.parametrize("term", ["expires_in", "capture_at"])
def test_of_a_hold_the_term_that_differs_is_named_as_it_was_sent(till: Till, term: str) -> None:
    ann = till.open("10")
    hold = {"source_account_id": ann, "target_account_id": None, "amount": "1", "hold": {"expires_in": 3_600}}
    value = {"expires_in": 7_200, "capture_at": "2100-01-01T00:00:00Z"}[term]
    other = hold | {"hold": {"expires_in": 3_600} | {term: value}}
    alone, queued, batch = key_of("alone"), key_of("queued"), key_of("batch")
    made(till.post("/transaction", hold, Idempotency_Key=alone))
    assert till.post("/transaction", hold, Idempotency_Key=queued, Prefer="respond-async").status == 202
    made(till.batch(hold, Idempotency_Key=batch))
    for key in (alone, queued):
        problem = assert_problem(till.post("/transaction", other, Idempotency_Key=key), "idempotency-key-reused")
        assert problem["field"] == f"hold/{term}"
    problem = assert_problem(till.batch(other, Idempotency_Key=batch), "idempotency-key-reused")
    assert problem["field"] == f"transactions/0/hold/{term}"


@pytest.mark.parametrize("how", ["capture", "void", "refund"])
@pytest.mark.parametrize("whose", ["batch's", "member's"])
def test_of_what_follows_the_field_that_names_it_is_named(till: Till, how: str, whose: str) -> None:
    ann, bob = till.open("10"), till.open()
    hold = {"source_account_id": ann, "target_account_id": bob, "amount": "1", "hold": {}}
    followed = transfer(ann, bob, "1") if how == "refund" else hold
    first, second = (made(till.post("/transaction", followed))["id"] for _ in range(2))
    key = key_of(how)
    if whose == "batch's":
        made(till.batch({how: first}, Idempotency_Key=key))
        problem = assert_problem(till.batch({how: second}, Idempotency_Key=key), "idempotency-key-reused")
        assert problem["field"] == f"transactions/0/{how}"
    else:
        made(till.batch(keyed({how: first}, key)))
        problem = assert_problem(till.batch(keyed({how: second}, key)), "batch-refused")
        cause = problem["cause"]
        assert (cause["code"], cause["field"]) == ("idempotency-key-reused", f"transactions/0/{how}")


def test_a_key_twice_in_one_batch_is_one_transaction(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    member = keyed(transfer(ann, bob, "4"), key_of("member"))
    answer = till.batch(member, member, transfer(ann, bob, "1"))
    made(answer)
    first, again, other = transactions(answer)
    assert first == again
    assert first["id"] != other["id"]
    assert till.answered(first["id"]) == first
    assert till.money(bob).balance == "5.00"


def test_a_key_twice_in_one_batch_for_other_requests_is_refused(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    key = key_of("member")
    members = [keyed(transfer(ann, bob, "4"), key), keyed(transfer(ann, bob, "5"), key)]
    problem = assert_problem(till.batch(*members), "batch-refused")
    assert (problem["index"], problem["cause"]["code"]) == (1, "idempotency-key-reused")
    assert problem["cause"]["field"] == "transactions/1/amount"
    assert till.account(bob)["version"] == 0
    answer = till.batch(*members, atomic=False)
    assert problems(answer) == [None, "idempotency-key-reused"]
    assert answer.body["results"][1]["problem"]["field"] == "transactions/1/amount"
    assert till.money(bob).balance == "4.00"


OTHERWISE: list[tuple[dict[str, Any], str]] = [
    ({"amount": "3"}, "transactions/1/amount"),
    ({"target_account_id": None}, "transactions/1/target_account_id"),
    ({"hold": {}}, "transactions/1/hold"),
    ({"hold": {"expires_in": 60}}, "transactions/1/hold"),
]


@pytest.mark.parametrize(("change", "field"), OTHERWISE)
def test_the_key_of_a_member_that_was_used_alone_names_the_field_in_the_batch(
    till: Till, change: dict[str, Any], field: str
) -> None:
    ann, bob, key = till.open("10"), till.open(), key_of("alone")
    made(till.post("/transaction", transfer(ann, bob, "1"), Idempotency_Key=key))
    answer = till.batch(transfer(ann, bob, "2"), keyed(transfer(ann, bob, "1") | change, key), atomic=False)
    assert problems(answer) == [None, "idempotency-key-reused"]
    problem = answer.body["results"][1]["problem"]
    assert (problem["field"], problem["detail"]) == (
        field,
        f"This key came first with another request; {field} differs.",
    )


def test_the_key_of_a_member_that_was_used_on_a_route_of_another_sort_differs_in_kind(till: Till) -> None:
    key = key_of("opening")
    ann = made(till.post("/account", {"email": "ann@example.com"}, Idempotency_Key=key))["id"]
    answer = till.batch(keyed(transfer(None, ann, "1"), key), atomic=False)
    assert answer.body["results"][0]["problem"]["field"] == "kind"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hold": {}}, "hold"),
        ({"target_account_id": None, "hold": {}}, "hold"),
        ({"target_account_id": ..., "targets": 1}, "targets"),
        ({"source_account_id": ..., "sources": 1}, "sources"),
    ],
)
def test_what_only_one_of_two_requests_has_is_named_as_it_is_sent(
    till: Till, change: dict[str, Any], field: str
) -> None:
    ann, bob = till.open("20"), till.open("20")
    legs = {"targets": [{"target_account_id": bob, "share": "100%"}], "sources": [{"source_account_id": ann}]}
    plain = transfer(ann, bob, "1")
    other = {name: legs.get(name, value) for name, value in (plain | change).items() if value is not ...}
    for at, (first, again) in enumerate([(plain, other), (other, plain)]):
        key = key_of(f"one-route-{at}")
        made(till.post("/transaction", first, Idempotency_Key=key))
        problem = assert_problem(till.post("/transaction", again, Idempotency_Key=key), "idempotency-key-reused")
        assert problem["field"] == field


@pytest.mark.parametrize("atomic", [True, False])
def test_a_batch_and_its_member_cannot_share_a_key(till: Till, *, atomic: bool) -> None:
    ann = till.open()
    key = key_of("shared")
    members = [transfer(None, ann, "1"), keyed(transfer(None, ann, "1"), key)]
    answer = till.batch(*members, atomic=atomic, Idempotency_Key=key)
    assert assert_problem(answer, "idempotency-key-reused")["field"] == "transactions/1/idempotency_key"
    assert till.account(ann)["version"] == 0
    made(till.pay(ann, "1", Idempotency_Key=key))  # it stands for nothing yet


def test_a_members_key_stands_outside_of_its_batch_too(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    key, before = key_of("member"), key_of("before")
    single = made(till.transfer(ann, bob, "1", Idempotency_Key=before))
    answer = till.batch(keyed(transfer(ann, bob, "2"), key), keyed(transfer(ann, bob, "1"), before))
    made(answer)
    assert transactions(answer)[1] == single
    again = till.transfer(ann, bob, "2", Idempotency_Key=key)
    assert (again.status, again.body) == (201, transactions(answer)[0])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert till.money(bob).balance == "3.00"


def test_a_member_whose_key_was_refused_once_is_refused_again(till: Till) -> None:
    ann = till.open("1")
    key = key_of("refused")
    refused = till.withdraw(ann, "5", Idempotency_Key=key)
    made(till.pay(ann, "100"))
    member = keyed(transfer(ann, None, "5"), key)
    answer = till.batch(member, transfer(ann, None, "1"), atomic=False)
    assert found(answer)["results"][0] == {"problem": refused.body}
    problem = assert_problem(till.batch(transfer(ann, None, "1"), member), "batch-refused")
    assert (problem["index"], problem["cause"]) == (1, refused.body)


def test_a_refused_member_of_a_batch_that_is_not_atomic_keeps_its_answer(till: Till) -> None:
    ann = till.open("1")
    key = key_of("member")
    answer = till.batch(keyed(transfer(ann, None, "5"), key), atomic=False)
    made(till.pay(ann, "100"))
    again = till.withdraw(ann, "5", Idempotency_Key=key)
    assert again.body == answer.body["results"][0]["problem"]
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_members_key_may_be_null(till: Till) -> None:
    answer = till.batch(transfer(None, till.open(), "1") | {"idempotency_key": None})
    assert transactions(answer)[0]["idempotency_key"] is None
