"""What was changed of an account, and when: GET /account/{id}/change."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.till import Till, found, made

OPENED = {
    "currency": [None, "USD"],
    "email": [None, "ann@example.com"],
    "min_balance": [None, "0.00"],
    "max_balance": [None, "999999.99"],
    "status": [None, "open"],
    "metadata": [None, {}],
}


def changes(till: Till, account: int | str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = found(till.call("GET", f"/account/{account}/change?order=asc"))["items"]
    return items


def test_the_opening_is_the_first_change(till: Till) -> None:
    key = uuid4().hex
    said = {"email": "ann@example.com", "max_balance": None, "limits": [{"per": "1d", "out": "5"}], "name": key}
    account = made(till.post("/account", said, Idempotency_Key=key))
    (opening,) = changes(till, account["id"])
    unlimited = {name: pair for name, pair in OPENED.items() if name != "max_balance"}
    assert opening == {
        "revision": 0,
        "changes": unlimited | {"name": [None, key], "limits": [None, [{"per": "1d", "out": "5.00"}]]},
        "idempotency_key": key,
        "ctime": account["ctime"],
    }
    assert changes(till, f"@{key}") == [opening]


def test_each_change_has_what_was_there_before_and_after(till: Till) -> None:
    ann, key = till.open(metadata={"a": "1"}), uuid4().hex
    found(till.change(ann, {"Idempotency_Key": key}, status="frozen", min_balance="-5.005"))
    found(till.change(ann, limits=[{"per": "1h", "in": "7"}], metadata={"b": "2"}))
    found(till.change(ann, limits=[], email="eve@example.com", status="open", max_balance=None))
    found(till.change(ann))
    opening, *items = changes(till, ann)
    assert opening["changes"] == OPENED | {"metadata": [None, {"a": "1"}]}
    assert [one["changes"] for one in items] == [
        {"min_balance": ["0.00", "-5.00"], "status": ["open", "frozen"]},
        {"metadata": [{"a": "1"}, {"b": "2"}], "limits": [None, [{"per": "1h", "in": "7.00"}]]},
        {
            "email": ["ann@example.com", "eve@example.com"],
            "max_balance": ["999999.99", None],
            "status": ["frozen", "open"],
            "limits": [[{"per": "1h", "in": "7.00"}], None],
        },
        {},
    ]
    assert [one["revision"] for one in items] == [1, 2, 3, 4]
    assert [one["idempotency_key"] for one in items] == [key, None, None, None]
    assert till.etag(ann) == '"0.4"'


def test_money_a_refusal_and_a_replay_change_nothing_of_it(till: Till) -> None:
    ann, key = till.open("10"), uuid4().hex
    for _ in range(2):
        found(till.change(ann, {"Idempotency_Key": key}, status="frozen"))
    assert_problem(till.change(ann, status="closed"), "account-not-empty")
    assert [one["revision"] for one in changes(till, ann)] == [0, 1]


def test_an_account_that_a_put_or_a_batch_has_opened_has_its_opening(till: Till) -> None:
    one, other = uuid4().hex, uuid4().hex
    till.call("PUT", f"/account/@{one}", {"email": "ann@example.com"})
    found(till.call("PUT", f"/account/@{one}", {"email": "ann@example.com"}))
    made(till.batch({"open": {"name": other, "email": "ann@example.com"}}))
    for name in (one, other):
        (opening,) = changes(till, f"@{name}")
        assert opening["changes"] == OPENED | {"name": [None, name]}


def test_of_an_account_that_was_erased_nothing_personal_is_left(till: Till) -> None:
    ann = till.open(metadata={"name": "Ann"})
    found(till.change(ann, email="eve@example.com"))
    found(till.change(ann, status="closed"))
    assert till.call("DELETE", f"/account/{ann}/personal-data").status == 204
    items = changes(till, ann)
    assert items[0]["changes"] == OPENED | {"email": [None, "erased@erased.invalid"]}
    assert [one["changes"] for one in items[1:]] == [{}, {"status": ["open", "closed"]}, {}]
    assert till.etag(ann) == '"0.3"'


@pytest.mark.parametrize("account", [9_999_999, "x", "0", "@nobody", "@"])
def test_an_account_that_is_not_there(till: Till, account: int | str) -> None:
    assert_problem(till.call("GET", f"/account/{account}/change"), "account-not-found")


def test_what_is_no_parameter_of_it_is_refused(till: Till) -> None:
    assert_problem(till.call("GET", f"/account/{till.open()}/change?since=2026"), "validation-failed")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 500])
def test_pages_of_changes_are_complete_and_have_each_once(till: Till, order: str, limit: int) -> None:
    ann = till.open("5")
    paid = made(till.pay(ann, "1"))["id"]
    for number in range(4):
        found(till.change(ann, metadata={"number": str(number)}))
        found(till.call("PATCH", f"/transaction/{paid}", {"description": str(number)}))
    for path, revisions in ((f"/account/{ann}/change", [0, 1, 2, 3, 4]), (f"/transaction/{paid}/change", [1, 2, 3, 4])):
        seen: list[int] = []
        after: str | None = ""
        while after is not None:
            page = till.call("GET", f"{path}?limit={limit}&order={order}{after}")
            seen += [one["revision"] for one in page.body["items"]]
            after = page.body["next"] and f"&after={page.body['next']}"
            assert ("Link" in page.headers) == (after is not None)
        assert seen == (revisions if order == "asc" else revisions[::-1])


def test_changes_are_read_from_the_newest_on_and_a_cursor_is_of_its_own_list(till: Till) -> None:
    ann, bob = till.open(), till.open()
    for one in (ann, bob):
        found(till.change(one, status="frozen"))
    page = till.call("GET", f"/account/{ann}/change?limit=1").body
    assert [one["revision"] for one in page["items"]] == [1]
    assert_problem(till.call("GET", f"/account/{bob}/change?after={page['next']}"), "validation-failed")
    assert_problem(till.call("GET", f"/account/{ann}/change?limit=501"), "validation-failed")


@pytest.mark.parametrize("what", ["change", "transaction"])
@pytest.mark.parametrize("is_first_by_name", [True, False])
def test_a_cursor_goes_on_however_the_account_is_named(till: Till, what: str, *, is_first_by_name: bool) -> None:
    name = uuid4().hex
    account = made(till.post("/account", {"email": "ann@example.com", "name": name}))["id"]
    for number in range(3):
        found(till.change(account, metadata={"number": str(number)}))
        made(till.pay(account, "1"))
    ways = [f"/account/@{name}/{what}", f"/account/{account}/{what}"]
    first, second = ways if is_first_by_name else reversed(ways)
    page = found(till.call("GET", f"{first}?limit=1"))
    following = till.call("GET", f"{second}?limit=1&after={page['next']}")
    assert following.body == found(till.call("GET", f"{first}?limit=1&after={page['next']}"))
    assert following.body["items"] != page["items"]
