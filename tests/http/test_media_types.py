"""What a body may claim to be, and how it may come: each right, or refused with what is taken instead."""

import socket

import pytest

from tests.http.conftest import Headers, OpenAccount, Send
from tests.http.test_refusals import assert_problem
from tests.support.service import Running
from tests.support.till import Till, made

BODY = b'{"amount": 1}'
SIZED = ("Content-Length", str(len(BODY)))
JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("media_type", "is_taken"),
    [
        ("application/json", True),
        ("Application/JSON", True),
        ("application/json;charset=utf-8", True),
        ('application/json ; charset="UTF-8"', True),
        ("application/json; charset=utf8", True),
        ("application/json; version=2", True),
        ("application/json; charset=iso-8859-1", False),
        ("application/json; charset=utf-16", False),
        ("application/json; charset=", False),
        ("application/problem+json", False),
        ("application/merge-patch+json", False),
        ("application/vnd.api+json", False),
        ("application/json-patch+json", False),
        ("text/json", False),
        ("application/jsonx", False),
        ("application/json, application/json", False),
        ("text/plain", False),
        ("", False),
        (";", False),
    ],
)
def test_a_post_takes_json_alone(send: Send, open_account: OpenAccount, media_type: str, *, is_taken: bool) -> None:
    answer = send("POST", f"/account/{open_account()}/payment", BODY, [("Content-Type", media_type), SIZED])
    if is_taken:
        assert answer.status == 201
    else:
        assert_problem(answer, "unsupported-media-type")
        assert answer.headers["Accept-Post"] == "application/json"


@pytest.mark.parametrize(
    ("media_type", "is_taken"),
    [
        ("application/json", True),
        ("application/merge-patch+json", True),
        ("Application/Merge-Patch+JSON; charset=utf-8", True),
        ("application/merge-patch+json; charset=latin1", False),
        ("application/json-patch+json", False),
        ("application/problem+json", False),
        ("text/plain", False),
    ],
)
def test_a_patch_takes_a_merge_patch_too(
    send: Send, open_account: OpenAccount, media_type: str, *, is_taken: bool
) -> None:
    headers = [("Content-Type", media_type), ("Content-Length", "2")]
    answer = send("PATCH", f"/account/{open_account()}", b"{}", headers)
    if is_taken:
        assert answer.status == 200
    else:
        assert_problem(answer, "unsupported-media-type")
        assert answer.headers["Accept-Patch"] == "application/json, application/merge-patch+json"


@pytest.mark.parametrize(
    ("codings", "is_taken"),
    [
        (["identity"], True),
        (["Identity"], True),
        (["IDENTITY", "identity"], True),
        (["identity, Identity"], True),
        ([""], True),
        (["gzip"], False),
        (["GZIP"], False),
        (["identity", "gzip"], False),
        (["identity, gzip"], False),
        (["gzip", "identity"], False),
        (["deflate"], False),
        (["br"], False),
    ],
)
def test_a_body_comes_as_it_is(send: Send, open_account: OpenAccount, codings: list[str], *, is_taken: bool) -> None:
    headers = [JSON, SIZED, *(("Content-Encoding", coding) for coding in codings)]
    answer = send("POST", f"/account/{open_account()}/payment", BODY, headers)
    if is_taken:
        assert answer.status == 201
    else:
        assert_problem(answer, "unsupported-media-type")
        assert answer.headers["Accept-Encoding"] == "identity"


EMPTY: list[Headers] = [
    [],
    [("Content-Length", "0")],
    [("Content-Length", "0"), ("Content-Type", "text/plain")],
    [("Content-Length", "0"), JSON],
]


@pytest.mark.parametrize("headers", EMPTY)
def test_a_body_that_may_be_left_out_needs_no_type(till: Till, send: Send, headers: Headers) -> None:
    ann = till.open("10")
    hold = made(till.hold(ann, None, "5"))["id"]
    paid = made(till.pay(ann, "1"))["id"]
    asked = headers or [("Accept", "*/*")]
    assert send("POST", f"/transaction/{hold}/capture", b"", asked).body["amount"] == "5.00"
    assert send("POST", f"/transaction/{paid}/refund", b"", asked).body["amount"] == "1.00"
    assert_problem(
        send("POST", f"/account/{ann}/payment", b"", asked),
        "malformed-json" if JSON in headers else "unsupported-media-type",
    )


def chunked(service: Running, path: str, chunks: bytes, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(f"{head}{headers}\r\n".encode() + chunks)
        reply = b""
        while part := connection.recv(65_536):
            reply += part
    return reply


def test_an_empty_chunked_body_is_an_empty_body(service: Running, till: Till) -> None:
    ann = till.open("10")
    for headers in ("", "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n"):
        hold = made(till.hold(ann, None, "1"))["id"]
        assert chunked(service, f"/transaction/{hold}/void", b"0\r\n\r\n", headers).startswith(b"HTTP/1.1 201 ")
        assert till.status(hold) == "voided"


def test_a_chunked_body_that_is_not_empty_has_a_type(service: Running, till: Till) -> None:
    hold = made(till.hold(till.open("10"), None, "2"))["id"]
    path, chunks = f"/transaction/{hold}/capture", b'd\r\n{"amount": 1}\r\n0\r\n\r\n'
    assert chunked(service, path, chunks).startswith(b"HTTP/1.1 415 ")
    assert chunked(service, path, chunks, "Content-Type: text/plain\r\n").startswith(b"HTTP/1.1 415 ")
    assert chunked(service, path, chunks, "Content-Type: application/json\r\n").startswith(b"HTTP/1.1 201 ")
