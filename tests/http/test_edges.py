"""What a caller can send that aiohttp or msgspec would answer in words of their own."""

import gzip
import socket

import pytest

from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import JSON, assert_problem
from tests.support.service import Running
from tests.support.till import Till, found, made


def sized(body: bytes) -> dict[str, str]:
    return JSON | {"Content-Length": str(len(body))}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a\\nb": 1}', "validation-failed"),
        (b'{"email": "ann@example.com", "min_balance": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", "validation-failed"),
        (b"[" * 19_000, "validation-failed"),
        (b"[" * 1_000, "validation-failed"),  # that it is not JSON further on, nobody reads
        (b"[" * 1_000 + b"]" * 1_000 + b"?", "validation-failed"),
        (b"[" * 900, "malformed-json"),
        (b'{"email": "\\ud800"}', "malformed-json"),
        (b'{"email": "ann@example.com", "max_balance": "\\ud800"}', "malformed-json"),
    ],
)
def test_json_that_is_odd_is_no_fault_of_ours(send: Send, body: bytes, code: str) -> None:
    assert_problem(send("POST", "/account", body, sized(body)), code)


def test_a_compressed_body_is_refused(send: Send, open_account: OpenAccount) -> None:
    for body in (gzip.compress(b'{"amount": 1}'), b"not gzip"):
        headers = sized(body) | {"Content-Encoding": "gzip"}
        assert_problem(send("POST", f"/account/{open_account()}/payment", body, headers), "unsupported-media-type")


@pytest.mark.parametrize("query", ["?", "?&", "?&&"])
def test_a_query_without_parameters_is_none(send: Send, open_account: OpenAccount, query: str) -> None:
    body = b'{"amount": 1}'
    assert send("POST", f"/account/{open_account()}/payment{query}", body, sized(body)).status == 201


@pytest.mark.parametrize(
    "amount",
    [
        rb'"\u0007"',
        rb'"\ud800\udc00"',
        rb'"1\n"',
        rb'"\""',
        rb'"\\"',
        rb'["\u0031"]',
        rb'{"\u0031": 1}',
        b'"\xff"',
    ],
)
def test_text_that_is_no_number_however_it_is_escaped_is_refused(
    send: Send, open_account: OpenAccount, amount: bytes
) -> None:
    account_id = open_account()
    for path, body in (
        (f"/account/{account_id}/payment", b'{"amount": ' + amount + b"}"),
        ("/account", b'{"email": "ann@example.com", "max_balance": ' + amount + b"}"),
    ):
        assert_problem(send("POST", path, body, sized(body)), "validation-failed")


DEEP = [
    (b"[" * depth + (b'"1"' if filled else b"") + b"]" * depth) for depth in (980, 4_000) for filled in (True, False)
] + [b'{"a":' * 980 + b"1" + b"}" * 980, b'["\\u0031",' * 980 + b"1" + b"]" * 980]


@pytest.mark.parametrize("value", DEEP, ids=range(len(DEEP)))
def test_a_field_may_be_as_deep_as_it_likes_and_is_refused(till: Till, send: Send, value: bytes) -> None:
    ann = till.open("5")
    hold = made(till.hold(ann, None, "1"))["id"]
    sides = b'"source_account_id": %d, "target_account_id": null, ' % ann
    for method, path, prefix in (
        ("POST", "/account", b'"email": "ann@example.com", "min_balance"'),
        ("POST", "/account", b'"email": "ann@example.com", "max_balance"'),
        ("POST", "/account", b'"email": "ann@example.com", "metadata"'),
        ("POST", "/account", b'"email"'),
        ("PATCH", f"/account/{ann}", b'"min_balance"'),
        ("PATCH", f"/account/{ann}", b'"max_balance"'),
        ("PATCH", f"/account/{ann}", b'"status"'),
        ("POST", f"/account/{ann}/payment", b'"amount"'),
        ("POST", f"/account/{ann}/payment", b'"other"'),
        ("POST", f"/account/{ann}/withdrawal", b'"amount"'),
        ("POST", "/transaction", sides + b'"hold": {}, "amount"'),
        ("POST", "/transaction", sides + b'"amount": 1, "hold"'),
        ("POST", f"/transaction/{hold}/capture", b'"amount"'),
        ("POST", f"/transaction/{hold}/refund", b'"amount"'),
        ("POST", f"/transaction/{hold}/void", b'"metadata"'),
        ("POST", "/transaction/batch", b'"transactions"'),
    ):
        body = b"{" + prefix + b": " + value + b"}"
        answer = send(method, path, body, sized(body))
        assert answer.status == 422, (method, path, prefix, answer)
        name = prefix.rpartition(b" ")[2].strip(b'"').decode()
        (error,) = assert_problem(answer, "validation-failed")["errors"]
        assert error["pointer"].startswith(f"/{name}")
    body = b'{"transactions": [{' + sides + b'"amount": ' + value + b"}]}"
    assert send("POST", "/transaction/batch", body, sized(body)).status == 422
    assert till.money(ann) == ("5.00", "1.00", "4.00")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/account", b'{"email": "a@example.com", "email": "b@example.com"}', "/email"),
        ("/account/{id}/payment", b'{"amount": 1, "amount": 1}', "/amount"),
        ("/account/{id}/payment", rb'{"amount": 1, "am\u006funt": 2}', "/amount"),
        ("/account/{id}/payment", b'{"amount": 1, "metadata": {"a": "x", "a": "y"}}', "/metadata/a"),
        ("/account/{id}/withdrawal", b'{"metadata": {}, "amount": 1, "metadata": {}}', "/metadata"),
        ("/transaction", b'{"source_account_id": 1, "source_account_id": 2, "amount": 1}', "/source_account_id"),
        ("/transaction/1/capture", b'{"final": true, "final": false}', "/final"),
        ("/transaction/1/void", b'{"metadata": {}, "metadata": {}}', "/metadata"),
        ("/transaction/1/refund", b'{"amount": 1, "amount": 2}', "/amount"),
        ("/transaction/batch", b'{"transactions": [{}, {}, {}, {"amount": 1, "amount": 2}]}', "/transactions/3/amount"),
        ("/transaction/batch", b'{"transactions": [{}], "atomic": true, "atomic": false}', "/atomic"),
    ],
)
def test_a_name_that_comes_twice_is_refused_on_every_route(
    till: Till, send: Send, path: str, body: bytes, pointer: str
) -> None:
    ann = till.open("5")
    answer = send("POST", path.replace("{id}", str(ann)), body, sized(body))
    (error,) = assert_problem(answer, "validation-failed")["errors"]
    assert error == {"pointer": pointer, "detail": "comes twice in its object"}
    assert till.account(ann)["version"] == 1


def test_an_id_in_a_problem_is_a_number_or_not_there(till: Till) -> None:
    for method, path in (("GET", "/account/{}"), ("POST", "/account/{}/payment"), ("PATCH", "/account/{}")):
        body = None if method == "GET" else {"amount": 1} if method == "POST" else {}
        for name in ("abc", "0", "01", str(2**63), "9" * 5_000, "%20"):
            problem = assert_problem(till.call(method, path.format(name), body), "account-not-found")
            assert "account_id" not in problem
        assert assert_problem(till.call(method, path.format(2**62), body), "account-not-found")["account_id"] == 2**62
    for path in ("/transaction/{}/void", "/transaction/{}/refund", "/transaction/{}/capture"):
        assert "transaction_id" not in assert_problem(till.post(path.format("abc")), "transaction-not-found")
        assert assert_problem(till.post(path.format(2**62)), "transaction-not-found")["transaction_id"] == 2**62


@pytest.mark.parametrize(
    ("currency", "most", "unit"), [("USD", "999999999999999999.99", "0.01"), ("JPY", "999999999999999999", "1")]
)
def test_without_a_limit_of_its_own_an_account_is_full_at_eighteen_digits(
    till: Till, currency: str, most: str, unit: str
) -> None:
    ann, bob = till.open(currency=currency, max_balance=None), till.open(currency=currency, max_balance=most)
    for account in (ann, bob):
        made(till.pay(account, most))
        problem = assert_problem(till.pay(account, unit), "balance-limit-exceeded")
        assert (problem["balance"], problem["max_balance"], problem["amount"]) == (most, most, unit)
        assert f"may have at most {most} {currency}; {unit} more would pass that." in problem["detail"]
    assert found(till.change(ann, max_balance=most))["max_balance"] == most
    assert found(till.change(ann, max_balance=None))["max_balance"] is None
    assert till.money(ann).balance == most


def test_a_number_may_be_escaped_as_json_has_it(send: Send, open_account: OpenAccount) -> None:
    body = b'{"amount": "\\u0031.50"}'
    assert send("POST", f"/account/{open_account()}/payment", body, sized(body)).body["amount"] == "1.50"


@pytest.mark.parametrize("path", ["/x%0Ay", "/%7B7%7D", "/account%2F7", "/" + "a" * 4_000])
def test_a_path_that_is_odd_is_not_found(send: Send, path: str) -> None:
    assert_problem(send("GET", path, headers={"Accept": "*/*"}), "not-found")


def test_an_id_in_braces_names_no_account(send: Send) -> None:
    assert_problem(send("GET", "/account/%7B7%7D", headers={"Accept": "*/*"}), "account-not-found")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", b"not-found"),
        (b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n", b"malformed-request"),
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n", b"malformed-request"),
    ],
)
def test_what_aiohttp_would_answer_itself_is_a_problem_too(service: Running, request_: bytes, code: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(request_)
        reply = connection.recv(65_536)
    assert b"application/problem+json" in reply
    assert b"X-Request-Id" in reply
    assert b'"code":"' + code in reply
    assert b"aiohttp" not in reply
