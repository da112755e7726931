import re
from typing import Any

import pytest

from tests.http.conftest import OpenAccount, Send
from tests.support.service import Running

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_an_account_is_opened_with_defaults(service: Running) -> None:
    answer = service.call("POST", "/account", {"email": "ann@example.com"})
    account = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/account/{account['id']}"
    assert answer.headers["ETag"] == '"0"'
    assert TIME.fullmatch(account.pop("ctime"))
    assert account == {
        "id": account["id"],
        "email": "ann@example.com",
        "currency": "USD",
        "balance": "0.00",
        "held": "0.00",
        "available": "0.00",
        "min_balance": "0.00",
        "max_balance": "999999.99",
        "status": "open",
        "metadata": {},
        "version": 0,
    }


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"currency": "JPY"}, {"currency": "JPY", "balance": "0", "max_balance": "1000000"}),
        ({"currency": "KWD"}, {"balance": "0.000", "max_balance": "999999.990"}),
        ({"min_balance": "-100"}, {"min_balance": "-100.00", "available": "100.00"}),
        ({"min_balance": -0.125}, {"min_balance": "-0.12"}),
        ({"max_balance": None}, {"max_balance": None}),
        ({"max_balance": "5"}, {"max_balance": "5.00"}),
        ({"max_balance": 0}, {"max_balance": "0.00"}),
        ({"max_balance": "9" * 18}, {"max_balance": f"{'9' * 18}.00"}),
        ({"metadata": {"k" * 40: "v" * 500}}, {"metadata": {"k" * 40: "v" * 500}}),
        ({"metadata": {str(n): "" for n in range(50)}}, {"metadata": {str(n): "" for n in range(50)}}),
        ({"metadata": {"tier": "gold", "ключ": "кошель"}}, {"metadata": {"tier": "gold", "ключ": "кошель"}}),
        ({"email": "Ann.O'Neil+x@Example.COM"}, {"email": "Ann.O'Neil+x@example.com"}),
    ],
)
def test_an_account_keeps_what_it_was_opened_with(
    service: Running, asked: dict[str, Any], kept: dict[str, Any]
) -> None:
    opened = service.call("POST", "/account", {"email": "ann@example.com"} | asked)
    assert opened.status == 201
    read = service.call("GET", opened.headers["Location"])
    assert read.status == 200
    assert opened.body == read.body
    assert {name: read.body[name] for name in kept} == kept


def test_an_overdraft_line_can_be_spent(service: Running, open_account: OpenAccount) -> None:
    account_id = open_account(min_balance="-10")
    assert service.call("POST", f"/account/{account_id}/withdrawal", {"amount": "10"}).status == 201
    account = service.call("GET", f"/account/{account_id}").body
    assert (account["balance"], account["available"]) == ("-10.00", "0.00")
    refused = service.call("POST", f"/account/{account_id}/withdrawal", {"amount": "0.01"})
    assert (refused.status, refused.body["code"]) == (409, "insufficient-funds")


def test_an_account_that_has_not_changed_is_not_sent_again(service: Running, open_account: OpenAccount) -> None:
    path = f"/account/{open_account('5')}"
    etag = service.call("GET", path).headers["ETag"]
    assert etag == '"1"'
    for known in (etag, f"W/{etag}", f'"0", {etag}', "*"):
        again = service.call("GET", path, If_None_Match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, None, etag)
    service.call("POST", f"{path}/payment", {"amount": "1"})
    changed = service.call("GET", path, If_None_Match=etag)
    assert (changed.status, changed.headers["ETag"], changed.body["balance"]) == (200, '"2"', "6.00")


@pytest.mark.parametrize("zero", [b"0e-100", b"-0", b"0e400", b'"-0.000"'])
@pytest.mark.parametrize("name", ["min_balance", "max_balance"])
def test_a_limit_of_zero_may_be_written_in_many_ways(send: Send, name: str, zero: bytes) -> None:
    body = b'{"email": "ann@example.com", "' + name.encode() + b'": ' + zero + b"}"
    assert send("POST", "/account", body).body[name] == "0.00"


def test_a_limit_is_never_rounded_to_a_digit_too_many(send: Send) -> None:
    body = b'{"email": "ann@example.com", "max_balance": ' + b"9" * 18 + b"." + b"9" * 30 + b"}"
    assert send("POST", "/account", body).body["max_balance"] == f"{'9' * 18}.99"
