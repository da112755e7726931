"""What a name may be, where it stands in a body and in a path: the table of docs/api.md, tried."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from koshel.inputs.texts import asked_by_name
from tests.http.conftest import Send
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, made

EMAIL = "ann@example.com"
GOOD = ["a", "A", "0", "42", ".", "..", "-", "_", ":", "users:42", "a.b-c_d:e", "form", "FORM", "x" * 100]
BAD = [
    "",
    "x" * 101,
    "a b",
    " a",
    "a\n",
    "a/b",
    "../a",
    "a%2Fb",
    "%41",
    "@a",
    "a@b",
    "a+b",
    "\u0430nn",  # a Cyrillic letter that looks like an a
    "\uff41nn",  # a full-width one
    "a\u0301",  # an accent that combines
    "\u0661",  # a digit that is none of ASCII's
    "a\u200b",  # a space without a width
    "a\x00",
]


def put(till: Till, path: str) -> Any:
    return till.call("PUT", f"/account/{path}", {"email": EMAIL})


@pytest.fixture(scope="module")
def named(till: Till) -> dict[str, int]:
    """Accounts with the good names, by these: each its own, whatever the case of its letters."""
    ids = {name: made(put(till, f"@{name}"))["id"] for name in GOOD}
    assert len(set(ids.values())) == len(GOOD)
    return ids


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_found_in_a_path_however_it_is_escaped_and_in_a_body(
    till: Till, named: dict[str, int], name: str
) -> None:
    for path in (f"@{name}", quote(f"@{name}", safe=""), "".join(f"%{byte:02X}" for byte in f"@{name}".encode())):
        answer = till.call("GET", f"/account/{path}")
        assert (answer.status, answer.body["id"], answer.body["name"]) == (200, named[name], name)
        assert put(till, path).status == 200
        paid = made(till.post(f"/account/{path}/payment", {"amount": "1"}))
        assert (paid["target_account_id"], paid["target"]) == (named[name], name)
    source = till.open("1")
    moved = made(till.post("/transaction", {"source_account_id": source, "target": name, "amount": "1"}))
    assert (moved["target_account_id"], moved["target"]) == (named[name], name)


@pytest.mark.parametrize("name", BAD)
def test_what_can_be_no_name_is_refused_in_a_body_and_not_found_in_a_path(till: Till, name: str) -> None:
    move = {"source_account_id": till.open("1"), "target": name, "amount": "1"}
    for path, body, pointer in (
        ("/account", {"email": EMAIL, "name": name}, "/name"),
        ("/transaction", move, "/target"),
        ("/transaction/batch", {"transactions": [move]}, "/transactions/0/target"),
    ):
        problem = assert_problem(till.post(path, body), "validation-failed")
        reason = "must be 1 to 100 characters A-Z, a-z, 0-9, _, ., : and -"
        assert problem["errors"] == [{"pointer": pointer, "detail": reason}]
    if "/" not in name:
        path = quote(f"@{name}", safe="")
        assert "name" not in assert_problem(till.call("GET", f"/account/{path}"), "account-not-found")
        assert_problem(till.post(f"/account/{path}/payment", {"amount": "1"}), "account-not-found")
        assert assert_problem(put(till, path), "validation-failed")["errors"][0]["parameter"] == "id"


def test_a_number_is_an_id_in_a_path_and_with_an_at_a_name(till: Till, named: dict[str, int]) -> None:
    assert named["42"] != 42
    assert till.call("GET", "/account/@42").body["id"] == named["42"]
    assert till.call("GET", "/account/42").body.get("id") != named["42"]
    assert assert_problem(put(till, "42"), "validation-failed")["errors"][0]["parameter"] == "id"


def test_a_name_is_a_text_and_an_id_a_number(till: Till, named: dict[str, int]) -> None:
    for field, value in {"target": 42, "target_account_id": "42"}.items():
        body = {"source_account_id": named["a"], field: value, "amount": "1"}
        assert (
            assert_problem(till.post("/transaction", body), "validation-failed")["errors"][0]["pointer"] == f"/{field}"
        )
    null = {"source_account_id": named["a"], "target": None, "amount": "1"}
    assert assert_problem(till.post("/transaction", null), "validation-failed")["errors"][0]["pointer"] == "/target"


@pytest.mark.parametrize(
    "path", ["/account/@../payment/../42", "/account/@a/b", "/account/@a%2Fb", "/account/../account/1"]
)
def test_a_path_with_other_parts_is_another_route_or_none(send: Send, path: str) -> None:
    answer = send("GET", path)
    assert (answer.status, answer.body["code"]) in {(404, "not-found"), (404, "account-not-found")}


def test_a_name_comes_once_in_an_object(send: Send) -> None:
    body = json.dumps({"source": "a", "target": "b", "amount": "1"})[:-1].encode() + b', "source": "c"}'
    assert send("POST", "/transaction", body).body["errors"][0]["pointer"] == "/source"


def test_only_what_can_be_a_name_is_remembered() -> None:
    asked_by_name.cache_clear()
    for name in (*BAD, "x" * 10_000):
        with pytest.raises(ValueError, match="must be 1 to 100 characters"):
            asked_by_name(name)
    assert asked_by_name.cache_info().currsize == 0
    assert asked_by_name("users:42") is asked_by_name("users:42")
