"""Accounts by names of the clients' own: opened, found, paid and changed by them, and nobody else's ever."""

from concurrent.futures import ThreadPoolExecutor
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
    return f"users:{next(_numbers)}"


def put(till: Till, name: str, **fields: Any) -> Answer:
    return till.call("PUT", f"/account/@{name}", {"email": EMAIL} | fields)


def opened(till: Till, name: str, balance: str | None = None, **fields: Any) -> int:
    account_id: int = made(put(till, name, **fields))["id"]
    if balance is not None:
        made(till.post(f"/account/@{name}/payment", {"amount": balance}))
    return account_id


def test_a_name_is_put_once_and_found_after_that(till: Till, name: str) -> None:
    first = put(till, name)
    account = made(first)
    assert account["name"] == name
    assert first.headers["Location"] == f"/account/{account['id']}"
    again = put(till, name)
    assert (again.status, again.body, again.headers["ETag"]) == (200, account, first.headers["ETag"])
    assert "Location" not in again.headers
    for path in (f"/account/{account['id']}", f"/account/@{name}"):
        assert found(till.call("GET", path)) == account


def test_an_account_is_opened_with_a_name_by_post_too_and_its_key_answers_for_ever(till: Till, name: str) -> None:
    body = {"email": EMAIL, "name": name}
    first = till.post("/account", body, Idempotency_Key=f"opens {name}".replace(" ", "-"))
    assert made(first)["name"] == name
    again = till.post("/account", body, Idempotency_Key=f"opens-{name}")
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first.body, "true")
    assert_problem(till.post("/account", body), "name-taken")
    assert found(put(till, name)) == first.body


def test_an_account_without_a_name_says_nothing_of_names(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    assert "name" not in till.account(ann)
    transfer = made(till.transfer(ann, bob, "1"))
    assert not transfer.keys() & {"source", "target"}


@pytest.mark.parametrize(
    ("field", "opened_with", "asked"),
    [
        ("email", {}, {"email": "bob@example.com"}),
        ("currency", {}, {"currency": "EUR"}),
        ("min_balance", {"min_balance": "-5"}, {"min_balance": "-5.01"}),
        ("min_balance", {}, {"min_balance": "-1"}),
        ("max_balance", {"max_balance": "7"}, {"max_balance": None}),
        ("max_balance", {"max_balance": None}, {"max_balance": "7"}),
        ("metadata", {"metadata": {"plan": "gold"}}, {"metadata": {"plan": "silver"}}),
        ("metadata", {"metadata": {"plan": "gold"}}, {"metadata": {}}),
        ("limits", {}, {"limits": [{"per": "1d", "out": "5"}]}),
        ("limits", {"limits": [{"per": "1d", "out": "5"}]}, {"limits": [{"per": "1d", "out": "5", "in": "5"}]}),
        ("limits", {"limits": [{"per": "1d", "out": "5"}]}, {"limits": None}),
        ("email", {}, {"email": "bob@example.com", "currency": "EUR", "metadata": {"a": "b"}}),  # the first of them
    ],
)
def test_a_name_that_is_put_otherwise_is_taken_and_the_field_is_named(
    till: Till, name: str, field: str, opened_with: dict[str, Any], asked: dict[str, Any]
) -> None:
    account_id = opened(till, name, **opened_with)
    problem = assert_problem(put(till, name, **asked), "name-taken")
    assert (problem["field"], problem["account_id"], problem["name"]) == (field, account_id, name)
    assert put(till, name, **opened_with).status == 200


def test_what_is_left_out_of_a_put_may_be_anything(till: Till, name: str) -> None:
    opened(till, name, currency="JPY", min_balance="-5", max_balance=None, metadata={"plan": "gold"})
    assert found(put(till, name))["max_balance"] is None
    assert found(put(till, name, min_balance="-5.4"))["min_balance"] == "-5", "rounded, as when it was opened"


def test_limits_by_time_mean_the_same_in_any_order(till: Till, name: str) -> None:
    day, hour = {"per": "1d", "out": "5"}, {"per": "1h", "in": "1.004"}
    account_id = opened(till, name, limits=[day, hour])
    assert found(put(till, name, limits=[hour, day]))["limits"] == [day | {"out": "5.00"}, hour | {"in": "1.00"}]
    till.pay(account_id, "0.50")
    assert_problem(till.post(f"/account/@{name}/payment", {"amount": "0.51"}), "limit-exceeded")


def test_a_put_is_held_against_the_account_as_it_stands(till: Till, name: str) -> None:
    account_id = opened(till, name, "5")
    path = f"/account/@{name}"
    changed = found(till.call("PATCH", path, {"email": "bob@example.com", "metadata": {"a": "b"}}))
    assert (changed["id"], changed["name"], changed["balance"]) == (account_id, name, "5.00")
    assert assert_problem(put(till, name), "name-taken")["field"] == "email"
    assert found(put(till, name, email="bob@example.com")) == changed


def test_a_name_is_never_free_again(till: Till, name: str) -> None:
    opened(till, name)
    path = f"/account/@{name}"
    assert found(till.call("PATCH", path, {"status": "closed"}))["status"] == "closed"
    assert found(put(till, name))["status"] == "closed"
    assert_problem(till.post("/account", {"email": EMAIL, "name": name}), "name-taken")
    assert till.call("DELETE", f"{path}/personal-data").status == 204
    erased = found(put(till, name))
    assert (erased["email"], erased["name"]) == ("erased@erased.invalid", name)


def test_a_change_does_not_take_a_name(till: Till, name: str) -> None:
    problem = assert_problem(till.call("PATCH", f"/account/{till.open()}", {"name": name}), "validation-failed")
    assert problem["errors"] == [{"pointer": "/name", "detail": "is not a field"}]


def test_a_put_takes_no_key(till: Till, name: str) -> None:
    answer = till.call("PUT", f"/account/@{name}", {"email": EMAIL}, Idempotency_Key="k")
    assert assert_problem(answer, "validation-failed")["errors"][0]["header"] == "Idempotency-Key"
    assert_problem(till.call("GET", f"/account/@{name}"), "account-not-found")


def test_of_two_puts_at_once_one_opens_and_the_other_finds(till: Till) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(10):
            name = f"race:{next(_numbers)}"
            answers = list(threads.map(lambda _, name=name: put(till, name), range(8)))
            assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
            assert len({str(answer.body) for answer in answers}) == 1


def test_money_moves_by_names_and_every_answer_has_ids_and_names(till: Till, name: str) -> None:
    ann, bob = opened(till, name), opened(till, f"{name}.b")
    paid = made(till.post(f"/account/@{name}/payment", {"amount": "100"}))
    assert (paid["target_account_id"], paid["target"], "source" in paid) == (ann, name, False)
    moved = made(till.post("/transaction", {"source": name, "target": f"{name}.b", "amount": "10"}))
    sides = {"source_account_id": ann, "source": name, "target_account_id": bob, "target": f"{name}.b"}
    assert sides.items() <= moved.items()
    mixed = made(till.post("/transaction", {"source": name, "target_account_id": bob, "amount": "10"}))
    assert sides.items() <= mixed.items()
    taken = made(till.post(f"/account/@{name}.b/withdrawal", {"amount": "5"}))
    assert (taken["source_account_id"], taken["source"], "target" in taken) == (bob, f"{name}.b", False)
    for transaction in (paid, moved, mixed, taken):
        assert till.answered(transaction["id"]) == transaction


def test_a_hold_and_what_follows_it_have_the_names(till: Till, name: str) -> None:
    opened(till, name, "100")
    opened(till, f"{name}.b")
    body = {"source": name, "target": f"{name}.b", "amount": "10", "hold": {}}
    hold, other = made(till.post("/transaction", body)), made(till.post("/transaction", body))
    captured = made(till.post(f"/transaction/{hold['id']}/capture", {}))
    refunded = made(till.post(f"/transaction/{captured['id']}/refund", {}))
    voided = made(till.post(f"/transaction/{other['id']}/void", {}))
    for transaction in (hold, captured, voided):
        assert (transaction["source"], transaction["target"]) == (name, f"{name}.b")
    assert (refunded["source"], refunded["target"]) == (f"{name}.b", name)
    for transaction in (hold, captured, voided, refunded):
        assert till.answered(transaction["id"])["source"] == transaction["source"]
    assert "target" not in made(till.post("/transaction", {"source": name, "amount": "1", "hold": {}}))


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
def test_the_same_key_is_the_same_request_by_the_same_names_only(till: Till, name: str, prefer: dict[str, str]) -> None:
    ann, bob = opened(till, name, "100"), opened(till, f"{name}.b")
    by_name = {"source": name, "target": f"{name}.b", "amount": "1.005"}
    key = {"Idempotency_Key": name, **prefer}
    first = till.post("/transaction", by_name, **key)
    again = till.post("/transaction", by_name, **key)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (first.status, first.body, "true")
    rounded = till.post("/transaction", by_name | {"amount": "1.0049"}, **key)
    assert rounded.status == (201 if not prefer else 422)
    by_id = {"source_account_id": ann, "target_account_id": bob, "amount": "1.005"}
    problem = assert_problem(till.post("/transaction", by_id, **key), "idempotency-key-reused")
    assert problem["field"] == "source_account_id"
    other = by_name | {"target": name}
    assert assert_problem(till.post("/transaction", other, **key), "idempotency-key-reused")["field"] == "target"


def test_a_refusal_of_a_name_that_nobody_had_is_kept_by_its_key_and_by_nothing_else(till: Till, name: str) -> None:
    ann = till.open("100")
    body = {"source_account_id": ann, "target": name, "amount": "1"}
    first = till.post("/transaction", body, Idempotency_Key=f"early-{name}")
    problem = assert_problem(first, "account-not-found")
    assert (problem["name"], problem["pointer"]) == (name, "/target")
    assert problem["detail"] == f"There is no account @{name}."
    assert "account_id" not in problem
    opened(till, name)
    assert till.post("/transaction", body, Idempotency_Key=f"early-{name}").body == first.body
    assert made(till.post("/transaction", body))["target"] == name


@pytest.mark.parametrize("word", ["payment", "withdrawal"])
def test_a_name_in_a_path_that_nobody_has_is_not_found(till: Till, name: str, word: str) -> None:
    for method, path, body in (
        ("POST", f"/account/@{name}/{word}", {"amount": "1"}),
        ("GET", f"/account/@{name}", None),
        ("PATCH", f"/account/@{name}", {"status": "frozen"}),
        ("DELETE", f"/account/@{name}/personal-data", None),
    ):
        problem = assert_problem(till.call(method, path, body), "account-not-found")
        assert (problem["name"], "pointer" in problem) == (name, False)


def test_a_side_is_named_in_one_way(till: Till, name: str) -> None:
    ann, bob = opened(till, name, "10"), opened(till, f"{name}.b")
    both: dict[str, dict[str, Any]] = {
        "/source": {"source": name, "source_account_id": ann, "target_account_id": bob},
        "/target": {"source": name, "target": f"{name}.b", "target_account_id": bob},
    }
    for pointer, body in both.items():
        problem = assert_problem(till.post("/transaction", body | {"amount": "1"}), "validation-failed")
        reason = f"does not go with {pointer[1:]}_account_id"
        assert problem["errors"] == [{"pointer": pointer, "detail": reason}]
        members = {"transactions": [body | {"amount": "1"}]}
        problem = assert_problem(till.post("/transaction/batch", members), "validation-failed")
        assert problem["errors"] == [{"pointer": f"/transactions/0{pointer}", "detail": reason}]
    null = {"source": name, "target": f"{name}.b", "target_account_id": None, "amount": "1"}
    assert assert_problem(till.post("/transaction", null), "validation-failed")["errors"][0]["pointer"] == "/target"
    for body in ({"amount": "1", "target": name}, {}):
        problem = assert_problem(till.post("/transaction", body), "validation-failed")
        assert problem["errors"] == [{"pointer": "/source_account_id", "detail": "is required"}]


def test_source_and_target_are_compared_by_what_they_stand_for(till: Till, name: str) -> None:
    ann = opened(till, name, "10")
    for sides in ({"source": name, "target": name}, {"source": name, "target_account_id": ann}):
        problem = assert_problem(till.post("/transaction", {**sides, "amount": "1"}), "same-account")
        assert problem["account_id"] == ann
    nobody = {"source": f"{name}.x", "target": f"{name}.x", "amount": "1"}
    assert "account_id" not in assert_problem(till.post("/transaction", nobody), "same-account")
    strangers = {"source": f"{name}.x", "target": f"{name}.y", "amount": "1"}
    assert assert_problem(till.post("/transaction", strangers), "account-not-found")["pointer"] == "/source"


def test_a_refusal_says_the_name_of_the_account_that_it_is_about(till: Till, name: str) -> None:
    opened(till, name, "5")
    refused = till.post(f"/account/@{name}/withdrawal", {"amount": "6"})
    assert assert_problem(refused, "insufficient-funds")["name"] == name
