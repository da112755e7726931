"""A query is read as it was escaped, and what is not UTF-8 in it is refused by name."""

import socket
from urllib.parse import urlencode

import pytest

from tests.http.conftest import OpenAccount
from tests.http.test_refusals import assert_problem
from tests.support.service import Running


@pytest.mark.parametrize(
    "escaped", ["%ff", "%FF", "a%c3", "%c3%28", "%ed%a0%80", "%f5%80%80%80", "%c0%80", "%EF%BF%BD%ff"]
)
@pytest.mark.parametrize("name", ["reference", "metadata.a", "idempotency_key", "filter", "after"])
def test_a_parameter_that_is_not_utf_8_is_refused(service: Running, name: str, escaped: str) -> None:
    answer = service.call("GET", f"/transaction?since=2026-01-01T00:00:00Z&{name}={escaped}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"] == [{"pointer": "", "parameter": name, "detail": "must be UTF-8"}]


@pytest.mark.parametrize("query", ["metadata.%ff=a", "%ff=a", "metadata.a%ed%a0%80=a"])
def test_so_is_one_whose_name_is_not(service: Running, query: str) -> None:
    assert_problem(service.call("GET", f"/transaction?since=2026-01-01T00:00:00Z&{query}"), "validation-failed")


def test_bytes_that_nobody_escaped_are_no_text_either(service: Running) -> None:
    request = b"GET /transaction?reference=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(request)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert reply.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 422 "))


@pytest.mark.parametrize("path", ["/account/@%ff", "/account/%ff", "/transaction/%ed%a0%80", "/account/@%EF%BF%BD"])
def test_a_path_that_is_not_utf_8_names_nothing(service: Running, path: str) -> None:
    assert service.call("GET", path).status in {404, 422}


@pytest.mark.parametrize("text", ["\ufffd", "a b+c&d=e%", "\U0001f600", "\u00e9"])
def test_a_parameter_is_found_as_it_was_escaped(service: Running, open_account: OpenAccount, text: str) -> None:
    account = open_account()
    body = {"amount": "1", "reference": text}
    made = service.call("POST", f"/account/{account}/payment", body).body["id"]
    found = service.call("GET", f"/transaction?{urlencode({'reference': text, 'account_id': account})}")
    assert [one["id"] for one in found.body["items"]] == [made]
