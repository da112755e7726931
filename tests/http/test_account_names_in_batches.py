"""Batches by names: accounts that are there, and accounts that an earlier member opens."""

from itertools import count
from typing import Any

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made

EMAIL = "ann@example.com"
_numbers = count(1)


@pytest.fixture
def name() -> str:
    """A name that no account has yet."""
    return f"batch:{next(_numbers)}"


def opening(name: str, **fields: Any) -> dict[str, Any]:
    return {"open": {"name": name, "email": EMAIL} | fields}


def paying(name: str, amount: str = "10", **fields: Any) -> dict[str, Any]:
    return {"source_account_id": None, "target": name, "amount": amount} | fields


def send(till: Till, *members: Any, atomic: bool = True, **headers: str) -> Answer:
    return till.post("/transaction/batch", {"transactions": members, "atomic": atomic}, **headers)


def account(till: Till, name: str) -> Answer:
    return till.call("GET", f"/account/@{name}")


@pytest.mark.parametrize("atomic", [True, False])
def test_later_members_name_an_account_that_an_earlier_one_opens(till: Till, name: str, *, atomic: bool) -> None:
    moving = {"source": name, "target": f"{name}.b", "amount": "4"}
    answer = send(till, opening(name), opening(f"{name}.b"), paying(name), moving, atomic=atomic)
    assert answer.status == (201 if atomic else 200)
    ann, bob, paid, moved = (next(iter(one.values())) for one in answer.body["results"])
    assert (ann["name"], ann["balance"], ann["version"]) == (name, "0.00", 0)
    assert (paid["target"], paid["target_account_id"]) == (name, ann["id"])
    assert (moved["source_account_id"], moved["target_account_id"]) == (ann["id"], bob["id"])
    assert found(account(till, name))["balance"] == "6.00"
    assert found(account(till, f"{name}.b"))["balance"] == "4.00"


def test_a_batch_that_is_sent_again_finds_what_it_has_opened_and_pays_once(till: Till, name: str) -> None:
    members = (opening(name), paying(name, idempotency_key=f"welcome-{name}"))
    first, again = send(till, *members), send(till, *members)
    assert (first.status, again.status) == (201, 201)
    assert again.body["results"][1] == first.body["results"][1]
    assert again.body["results"][0]["account"] == found(account(till, name))
    assert found(account(till, name))["balance"] == "10.00"


def test_an_opening_is_undone_with_the_atomic_batch_that_was_refused(till: Till, name: str) -> None:
    problem = assert_problem(send(till, opening(name), paying(name), paying("nobody")), "batch-refused")
    assert (problem["index"], problem["cause"]["name"]) == (2, "nobody")
    assert_problem(account(till, name), "account-not-found")
    refused = send(till, opening(name), paying(name), paying("nobody"), atomic=False)
    assert [*refused.body["results"][2]] == ["problem"]
    assert found(account(till, name))["balance"] == "10.00"


def test_a_member_does_not_see_what_a_later_one_opens(till: Till, name: str) -> None:
    results = send(till, paying(name), opening(name), paying(name), atomic=False).body["results"]
    assert results[0]["problem"]["code"] == "account-not-found"
    assert results[0]["problem"]["pointer"] == "/transactions/0/target"
    assert results[2]["transaction"]["target"] == name


def test_a_name_that_a_batch_opens_twice_is_opened_once(till: Till, name: str) -> None:
    answers = send(till, opening(name), paying(name), opening(name), atomic=False).body["results"]
    assert answers[2]["account"]["id"] == answers[0]["account"]["id"]
    assert answers[2]["account"]["balance"] == "10.00", "as it stands at that moment"
    taken = send(till, opening(f"{name}.b"), opening(f"{name}.b", email="bob@example.com"))
    problem = assert_problem(taken, "batch-refused")["cause"]
    assert (problem["code"], problem["field"]) == ("name-taken", "email")
    assert "account_id" not in problem, "there is no such account"
    assert problem["detail"].startswith(f"An earlier member of the batch opens the name {name}.b, with another email")
    assert_problem(account(till, f"{name}.b"), "account-not-found")


@pytest.mark.parametrize(
    ("member", "code"),
    [
        ({"target_account_id": None, "amount": "50"}, "insufficient-funds"),
        ({"target_account_id": None, "amount": "3"}, "limit-exceeded"),
        ({"source_account_id": None, "amount": "5"}, "balance-limit-exceeded"),
        ({"target": None, "amount": "1"}, "same-account"),
    ],
)
def test_a_refusal_names_an_account_that_is_not_opened_after_all_and_tells_no_id(
    till: Till, name: str, member: dict[str, Any], code: str
) -> None:
    said = member | {side: name for side in ("source", "target") if f"{side}_account_id" not in member}
    opened = opening(name, max_balance="12", limits=[{"per": "1d", "out": "2"}])
    problem = assert_problem(send(till, opened, paying(name), said), "batch-refused")["cause"]
    assert (problem["code"], problem["name"], "account_id" in problem) == (code, name, False)
    assert f"Account @{name} " in problem["detail"]
    each = send(till, opened, paying(name), said, atomic=False).body["results"][2]["problem"]
    assert each["account_id"] == found(account(till, name))["id"]


def test_an_opening_goes_with_no_key_no_dry_run_and_no_other_field(till: Till, name: str) -> None:
    key = send(till, paying(name), opening(name), Idempotency_Key=name)
    dry = till.post("/transaction/batch?dry_run=true", {"transactions": [paying(name), opening(name)]})
    for answer in (key, dry):
        assert assert_problem(answer, "validation-failed")["errors"][0]["pointer"] == "/transactions/1/open"
    others = {"idempotency_key": "k", "metadata": {"a": "b"}, "amount": "1", "void": 1, "source": name}
    for other, value in others.items():
        problem = assert_problem(send(till, opening(name) | {other: value}), "validation-failed")
        (pointer,) = (error["pointer"] for error in problem["errors"])
        assert pointer in {f"/transactions/0/{other}", "/transactions/0/open"}
    for field, text in {"email": "ann", "name": "a b", "min_balance": "1", "max_balance": "-1"}.items():
        problem = assert_problem(
            send(till, opening(name) | {"open": {"name": name, "email": EMAIL, field: text}}), "validation-failed"
        )
        assert problem["errors"][0]["pointer"] == f"/transactions/0/open/{field}"
    assert_problem(account(till, name), "account-not-found")


def test_a_keyed_batch_by_names_answers_as_it_did_and_is_compared_as_it_was_sent(till: Till, name: str) -> None:
    ann, bob = (made(till.call("PUT", f"/account/@{one}", {"email": EMAIL}))["id"] for one in (name, f"{name}.b"))
    moving = {"source": name, "target": f"{name}.b", "amount": "1"}
    members: tuple[Any, ...] = (
        paying(name),
        moving,
        moving | {"hold": {}},
        {"source_account_id": ann, "target_account_id": bob, "amount": "2"},
    )
    first = send(till, *members, Idempotency_Key=name)
    again = send(till, *members, Idempotency_Key=name)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    for index, field, other in (
        (0, "target", paying(f"{name}.b")),
        (1, "source_account_id", {"source_account_id": ann, "target": f"{name}.b", "amount": "1"}),
        (2, "target", moving | {"hold": {}, "target": name}),
        (3, "source", {"source": name, "target_account_id": bob, "amount": "2"}),
    ):
        changed = [*members[:index], other, *members[index + 1 :]]
        problem = assert_problem(send(till, *changed, Idempotency_Key=name), "idempotency-key-reused")
        assert problem["field"] == f"transactions/{index}/{field}"
