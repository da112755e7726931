import json
import re
import urllib.error
import urllib.request
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from koshel import __version__
from koshel.http.document.openapi import document
from koshel.http.handlers.routes import ROUTES
from koshel.http.problems import PROBLEMS
from tests.http.conftest import Send
from tests.support.service import Running
from tests.support.till import Till


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_a_healthy_service_says_so(service: Running, path: str) -> None:
    answer = service.call("GET", path)
    assert (answer.status, answer.body) == (200, {"status": "ok"})


def test_the_queue_says_how_long_it_is(service: Running) -> None:
    queue = service.call("GET", "/health/queue")
    assert queue.status == 200
    assert {name: type(value) for name, value in queue.body.items()} == {
        "depth": int,
        "retrying": int,
        "oldest_age_s": float,
        "scheduled": int,
    }
    assert 0 <= queue.body["retrying"] <= queue.body["depth"]


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_described(service: Running, send: Send, code: str) -> None:
    known = PROBLEMS[code]
    described = service.call("GET", f"/problem/{code}").body
    assert described["code"] == code
    assert (described["status"], described["title"], described["retryable"]) == (
        known.status,
        known.title,
        known.retryable,
    )
    page = send("GET", f"/problem/{code}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert known.title in page.body.decode()


def test_the_api_describes_itself(service: Running) -> None:
    assert service.call("GET", "/openapi.json").body == document()


def test_the_docs_name_every_route_and_need_nothing_from_elsewhere(send: Send) -> None:
    page = send("GET", "/docs", headers={"Accept": "text/html"})
    text = page.body.decode()
    assert page.headers["Content-Type"].startswith("text/html")
    for route in ROUTES:
        assert f"<b>{route.method}</b><code>{route.path}</code>" in text
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", text)


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        ("text/html", True),
        ("TEXT/HTML; Q=0.9, */*;q=0.8", True),
        ("text/html;q=0.001, */*", False),
        ("text/html;level=1;q=0.5", True),
        ("application/json;q=0.9, text/html", True),
        ("text/html, application/json", True),
        ("text/html;q=0", False),
        ("text/html; q=0.000, application/xml", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html5, x-text/html", False),
        ("*/*", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("path", ["/", "/problem/not-found"])
def test_who_would_have_html_gets_a_page_and_a_cache_knows_why(
    send: Send, path: str, accept: str, *, is_page: bool
) -> None:
    answer = send("GET", path, headers={"Accept": accept})
    assert answer.headers["Content-Type"] == ("text/html" if is_page else "application/json")
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", "/docs", "/problem/not-found"])
def test_a_page_is_its_own_style_and_nothing_else(send: Send, path: str) -> None:
    answer = send("GET", path, headers={"Accept": "text/html"})
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    (style,) = re.findall("<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    assert policy["style-src"] == f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    assert {policy[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert not re.search(r"<(script|img|link|iframe|form)|style=", answer.body.decode())
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {"Accept": "text/html"}),
        ("GET", "/account/999999", {}),
        ("GET", "/nowhere", {}),
        ("DELETE", "/account", {}),
        ("POST", "/account", {"Content-Type": "application/json"}),  # no body: the express lane leaves it to aiohttp
        ("GET", "/health/ready", {"If-Match": "*"}),
        ("GET", "/openapi.json", {}),
    ],
)
def test_no_answer_is_kept_by_a_cache_or_taken_for_another_type(
    send: Send, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = send(method, path, headers=headers)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" not in answer.headers


def test_the_root_says_what_this_is_and_where_the_rest_is(service: Running, send: Send) -> None:
    known = service.call("GET", "/").body
    assert known["name"] == "Koshel"
    assert known["version"] == __version__
    for name in ("docs", "openapi", "health"):
        assert send("GET", known[name], headers={"Accept": "*/*"}).status == 200
    paths = {route.path for route in ROUTES}
    assert {known["accounts"], known["transactions"]} <= paths
    page = send("GET", "/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html")
    text = page.body.decode()
    for path in ("/docs", "/openapi.json", "/health/ready"):
        assert f'<a href="{path}">' in text
    assert "/account" in text
    assert "/transaction" in text
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", text)


def test_every_document_ends_in_a_newline_and_no_part_of_one_does(service: Running, till: Till) -> None:
    ann = till.open("5")
    member = {"source_account_id": ann, "target_account_id": None}
    asked: list[tuple[str, str, Any]] = [
        *[("GET", path, None) for path in ("/", "/docs", "/openapi.json", "/problem/not-found", "/health/queue")],
        *[("GET", path, None) for path in (f"/account/{ann}", "/account/0", "/nowhere")],
        ("POST", f"/account/{ann}/payment", {"amount": "1"}),
        ("POST", f"/account/{ann}/payment", {}),
        ("POST", "/transaction/batch", {"transactions": [member | {"amount": "1"}]}),
        ("POST", "/transaction/batch", {"transactions": [member | {"amount": "1000"}]}),
    ]
    for method, path, body in asked:
        data = None if body is None else json.dumps(body).encode()
        sent = urllib.request.Request(service.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=30) as reply:
                content = reply.read()
        except urllib.error.HTTPError as error:
            with error:
                content = error.read()
        assert content.endswith(b"\n"), path
        assert content.rstrip(b"\n").count(b"\n") == 0 or b"<html" in content, path


def test_an_answer_that_is_replayed_is_the_same_to_the_byte(service: Running, till: Till) -> None:
    ann = till.open("5")
    for amount in ("1", "10000000"):
        sent = urllib.request.Request(
            f"{service.url}/account/{ann}/payment",
            json.dumps({"amount": amount}).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": f"replayed-{ann}-{amount}"},
        )
        contents = []
        for _ in range(2):
            try:
                with urllib.request.urlopen(sent, timeout=30) as reply:
                    contents.append(reply.read())
            except urllib.error.HTTPError as error:
                with error:
                    contents.append(error.read())
        first, again = contents
        assert first == again
        assert first.endswith(b"}\n")


def test_what_can_be_read_can_be_asked_for_its_head_alone(send: Send) -> None:
    whole = send("GET", "/health/live", headers={"Accept": "*/*"})
    head = send("HEAD", "/health/live", headers={"Accept": "*/*"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert send("HEAD", "/nowhere", headers={"Accept": "*/*"}).status == 404


@pytest.mark.parametrize("path", ["/health/live", "/docs", "/openapi.json"])
def test_no_reply_says_what_it_is_made_with(send: Send, path: str) -> None:
    answer = send("GET", path, headers={"Accept": "*/*"})
    assert answer.headers["Server"] == "koshel"
