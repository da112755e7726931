"""What a caller sends and is shown again: never as bytes that cannot be sent, never as more than a line."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel.http.problems import TEXT_MAX, Failure, parameter_invalid, validation_failed
from tests.http.test_protocol import connected, problem_in, until_closed
from tests.support.database import Database
from tests.support.launch import serving_into
from tests.support.service import Running

MUCH = b"a" * 7_000
BAD = [b"\xff\xfe", b"\xed\xa0\x80", "\u202e\u0085".encode(), MUCH, b'"', b"'"]
HEADERS = [
    *("Accept", "Content-Encoding", "Content-Type", "Expect", "Forwarded", "Host", "Idempotency-Key", "If-Match"),
    *("If-Modified-Since", "If-None-Match", "Origin", "Prefer", "Sec-Fetch-Site", "X-Request-Id"),
    *("Access-Control-Request-Method", "Content-Length", "Transfer-Encoding", "Cookie", "X-Whatever"),
]
PLACES = ["/%s", "/account/%s", "/transaction/%s", "/transaction/%s/void", "/problem/%s", "/account?%s", "/?%s=1"]
BODY = b'{"email": "ann@example.com"}'


def is_fit(answer: bytes) -> bool:
    """Whether the answer is no fault of ours, and a problem says one line that can be read."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1\.[01] [234]\d\d ", head), head[:200]
    assert len(head) < 1_000
    if b"problem+json" not in head:
        return True
    problem = json.loads(body)
    return len(body) < 3_000 and len(problem["detail"]) < 300 and bool(problem["detail"].isprintable())


def ask(service: Running, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"Connection: close", *headers]
    names = {one.partition(b":")[0].lower() for one in headers}
    if b"host" not in names:
        lines.append(b"Host: localhost")
    if body and not names & {b"content-length", b"transfer-encoding"}:
        lines.append(b"Content-Length: %d" % len(body))
    if body and b"content-type" not in names:
        lines.append(b"Content-Type: application/json")
    with connected(service) as connection:
        connection.sendall(b"\r\n".join([line + b" HTTP/1.1", *lines, b"", b""]) + body)
        return until_closed(connection)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("bad", BAD, ids=ascii)
def test_no_header_breaks_an_answer(service: Running, name: str, bad: bytes) -> None:
    line = name.encode() + b": " + bad
    assert is_fit(ask(service, b"POST /account", line, body=BODY))
    assert is_fit(ask(service, b"POST /account", line, line, body=BODY))
    assert is_fit(ask(service, b"PATCH /account/1", line, body=b"{}"))
    assert is_fit(ask(service, b"GET /account/1", line))
    assert is_fit(ask(service, b"OPTIONS /", line))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("bad", [*BAD, b"%00", b"%0a%0d", b"%ff", b"%ed%a0%80", b"%E2%80%AE", b"%22"], ids=ascii)
def test_no_path_and_no_query_breaks_an_answer(service: Running, place: str, bad: bytes) -> None:
    target = place.encode() % bad
    assert is_fit(ask(service, b"GET " + target))
    assert is_fit(ask(service, b"POST " + target, body=BODY))
    assert is_fit(ask(service, b"DELETE " + target))


def test_a_foreign_page_is_shown_its_origin_cut_and_clean(service: Running) -> None:
    def told(*lines: bytes) -> str:
        problem = problem_in(ask(service, b"POST /account", *lines, body=BODY))
        assert problem["code"] == "cross-site"
        return str(problem["detail"])

    to_allow = "may not do this; to allow it, add its origin to KOSHEL_ALLOWED_ORIGINS."
    assert told(b"Origin: https://evil.example") == f'A page of "https://evil.example" {to_allow}'
    assert told(b"Origin: \xff\xfe") == f'A page of "??" {to_allow}'
    assert told(b"Origin: " + MUCH) == f'A page of "{"a" * 99}…" {to_allow}'
    assert told(b"Sec-Fetch-Site: cross-site") == f"A page of another origin {to_allow}"
    for nobodys in (b"Origin: null", b"Origin:", b"Origin: NULL"):
        assert told(nobodys) == "A page that does not say its origin may not do this."
    assert told(b"Origin: a", b"Origin: b") == "A request with more than one Origin may not do this."


def test_a_name_that_is_not_the_services_is_shown_cut_and_clean(service: Running) -> None:
    rest = "; use localhost or 127.0.0.1, or if that name is yours, add its origin to KOSHEL_ALLOWED_ORIGINS."
    for sent, shown in ((b"it's.example", "it's.example"), (b"\xff", "?"), (MUCH, f"{'a' * 99}…")):
        problem = problem_in(ask(service, b"GET /", b"Host: " + sent))
        assert problem["detail"] == f'This service is not called "{shown}"{rest}'


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_line_of_the_log_can_be_written_whatever_the_path(
    database: Database, tmp_path: Path, log_format: str
) -> None:
    with serving_into(tmp_path, database.service_url, log_format=log_format) as (service, out, err):
        assert b" 400 " in ask(service, b"GET /\xff\xfe")
        for path in (b"/%ff%0a", b"/" + MUCH):
            assert b" 404 " in ask(service, b"GET " + path)
    lines = [line for line in out.read_text().splitlines() if " 404 " in line or '"status":404' in line]
    assert len(lines) == 2
    assert max(map(len, lines)) < 1_500
    assert "rror" not in err.read_text()
    if log_format == "json":
        assert {json.loads(line)["path"][:9] for line in lines} == {"/%ff\n", "/aaaaaaaa"}


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf"])) | st.text().map(lambda one: one * 3_000))
def test_any_text_can_be_in_a_problem(text: str) -> None:
    for failure in (
        Failure("not-found", text),
        Failure("account-not-found", text, pointer=text, cause={"detail": text, "errors": [text]}),
        parameter_invalid(text, "is not known"),
        validation_failed(f"/{text}", "is not a field"),
    ):
        problem = msgspec.json.decode(failure.document())
        assert len(problem["detail"]) <= TEXT_MAX
        assert problem["detail"].isprintable()
        for member in ("pointer", "errors", "cause"):
            assert len(str(problem.get(member, ""))) < 30 * TEXT_MAX


def test_what_can_be_sent_is_a_pointer_as_it_is() -> None:
    content = validation_failed("/metadata/a\nb", "is not a field").content()
    assert content["errors"] == [{"pointer": "/metadata/a\nb", "detail": "is not a field"}]
    assert content["detail"] == "/metadata/a?b: is not a field."
