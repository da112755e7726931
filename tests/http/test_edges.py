"""What a caller can send that aiohttp or msgspec would answer in words of their own."""

import gzip
import socket

import pytest

from tests.http.conftest import OpenAccount, Send
from tests.http.test_refusals import JSON, assert_problem
from tests.support.service import Running


def sized(body: bytes) -> dict[str, str]:
    return JSON | {"Content-Length": str(len(body))}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a\\nb": 1}', "validation-failed"),
        (b'{"email": "ann@example.com", "min_balance": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", "malformed-json"),
        (b"[" * 19_000, "validation-failed"),
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
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"not-found"),
        (b"GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: foo\r\n\r\n", b"malformed-request"),
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
